"""The folder of one run of several processes: in memory where there is such a place, gone with the last of them."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own name is made in it, mode 0700
_LOCK: Final = "lock"


class RunFolder:
    """Made anew; `lock` is a descriptor that every process of the run inherits, and that tells that one lives.

    What killed runs of this user left behind is removed. Raises OSError.
    """

    def __init__(self, root: Path | None = None) -> None:
        root = root or run_root()
        prefix = f"ocpi-hub-{os.getuid()}-run-"
        _sweep(root, prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
        self.lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def run_root() -> Path:
    """Where folders of runs are: counts are written at every call, and no disk should hold that up."""
    return _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def _sweep(root: Path, prefix: str) -> None:
    for path in root.glob(f"{prefix}*"):
        try:
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue  # being made, or not ours
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)
