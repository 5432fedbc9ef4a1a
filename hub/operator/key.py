"""The key of the operator port: set, or in a file that the first start makes in the data folder, mode 0600."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

from hub.settings import Settings, SettingsError

FILE = "operator.key"


def key_file(settings: Settings) -> Path:
    return settings.data_folder / FILE


def find_key(settings: Settings) -> SecretStr | None:
    """The key as it is set, or as a hub on this machine left it; None when there is neither.

    Raises SettingsError when the file is there and cannot be read.
    """
    if settings.operator_key is not None:
        return settings.operator_key
    path = key_file(settings)
    try:
        text = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as wrong:
        reason = wrong.strerror if isinstance(wrong, OSError) else "it is not text"
        raise SettingsError([f"the operator key in {path} cannot be read ({reason}); set HUB_OPERATOR_KEY"]) from None
    return SecretStr(text) if text else None


def make_key(settings: Settings) -> SecretStr:
    """The key of this hub, made if there is none. Raises SettingsError when the folder cannot be written."""
    if (found := find_key(settings)) is not None:
        return found
    path = key_file(settings)
    key = secrets.token_urlsafe(32)
    draft = path.with_name(f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:  # of processes that start at once the first one's key is everybody's
            if not path.read_text(encoding="ascii").strip():
                draft.replace(path)
        draft.unlink(missing_ok=True)
    except OSError as wrong:
        with suppress(OSError):
            draft.unlink()
        raise SettingsError([f"the operator key cannot be written to {path}: {wrong.strerror}; see HUB_DATA"]) from None
    return find_key(settings) or SecretStr(key)
