"""Every credential of the test session, and the search for them where none may be (promise 11).

The sample parties are watched: whatever they make, present or are given is noted, and each hub is searched at its end.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from connectors.sample import wire
from connectors.sample.connection import Connection, Peer

SHORTEST: Final = 16
"""Shorter values are no credentials, and would be found by chance."""

_STRIDE: Final = 4
_WINDOW: Final = SHORTEST - _STRIDE + 1
_PRINTABLE: Final = re.compile(rb"[ -~]{%d,}" % SHORTEST)


class SecretFound(AssertionError):
    """A credential stands where none may be; the sentence says where, and never which."""


class Vault:
    """The credentials that are known by now."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self._windows: dict[bytes, set[bytes]] = {}

    def add(self, secret: str) -> str:
        """Note a credential; it is given back."""
        if len(secret) >= SHORTEST and secret not in self.secrets:
            self.secrets.add(secret)
            for needle in spellings(secret):
                # One of the windows at these offsets begins where the search looks.
                for offset in range(_STRIDE):
                    self._windows.setdefault(needle[offset : offset + _WINDOW], set()).add(needle)
        return secret

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Note whatever the sample parties make, present and are given, until the patch is undone."""
        made, presented, met = wire.new_credential, wire.present, Connection._meet

        def present(credential: str, *, raw: bool = False) -> str:
            return presented(self.add(credential), raw=raw)

        def meet(connection: Connection, peer: Peer) -> Peer:
            self.add(peer.credential)
            return met(connection, peer)

        patch.setattr(wire, "new_credential", lambda: self.add(made()))
        patch.setattr(wire, "present", present)
        patch.setattr(Connection, "_meet", meet)

    def search(self, places: Mapping[str, Iterable[bytes]], *, more: Iterable[str] = ()) -> None:
        """Raise SecretFound if any credential, or any of `more`, is in one of these places, in whatever spelling."""
        needles = {needle for secret in more for needle in spellings(secret)}
        for place, contents in places.items():
            for content in contents:
                if self._has(content) or any(needle in content for needle in needles):
                    raise SecretFound(f"a credential is in {place}")

    def _has(self, content: bytes) -> bool:
        """Whether any credential is in it; takes as long for thousands of them as for one."""
        windows = self._windows
        for run in _PRINTABLE.finditer(content):
            text = run.group()
            for at in range(0, len(text) - _WINDOW + 1, _STRIDE):
                found = windows.get(text[at : at + _WINDOW])
                if found and any(needle in text for needle in found):
                    return True
        return False


def spellings(secret: str) -> Iterator[bytes]:
    """The credential raw, in hex, and in Base64 wherever it begins in what was encoded."""
    plain = secret.encode()
    yield plain
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    for before in range(3):
        # What shares a character with its neighbours is left out at both ends.
        whole = (before + len(plain)) // 3 * 4
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(b"\0" * before + plain)[4 if before else 0 : whole]


def contents(folder: Path, *, leave_out: Iterable[str] = ()) -> dict[str, Iterable[bytes]]:
    """What every file of a data folder holds; of a database each value too, since a long one is cut into pages."""
    found: dict[str, Iterable[bytes]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in leave_out:
            content = path.read_bytes()
            found[f"the data folder's {path.name}"] = [content]
            if content.startswith(b"SQLite format 3\0"):
                found[f"the rows of {path.name}"] = _rows(path)
    return found


def _rows(path: Path) -> Iterator[bytes]:
    with TemporaryDirectory() as folder:
        # A copy: whoever opens a database that was left behind by kill -9 tidies it up, and that is the hub's to do.
        for file in (path, path.with_name(f"{path.name}-wal")):
            if file.exists():
                shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / path.name)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                for row in database.execute(f"SELECT * FROM {table}"):  # noqa: S608 - the name is of the schema
                    for value in row:
                        if isinstance(value, str | bytes):
                            yield value if isinstance(value, bytes) else value.encode()
