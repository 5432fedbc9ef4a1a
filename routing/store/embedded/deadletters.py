"""Dead letters in SQLite: a row each, what they are found by in columns of its own, the rest a JSON document."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from routing.deadletters import DeadLetter, Wanted, decode, encode, party_text
from routing.store.embedded.threads import Reader, Writer

_COLUMNS: Final = "id, at, reason, module, owner, sender, recipient, version, redriven, record"
_WANTED: Final = """
    (?1 = '' OR ?1 IN (owner, sender, recipient)) AND (?2 = '' OR module = ?2) AND (?3 = '' OR reason = ?3)
    AND (?4 IS NULL OR at >= ?4) AND (?5 IS NULL OR at < ?5) AND (?6 = 0 OR redriven IS NULL)
"""


class EmbeddedDeadLetters:
    """`writer`, `reader` and `lister` are the store's own."""

    def __init__(self, writer: Writer, reader: Reader, lister: Reader) -> None:
        self._writer = writer
        self._reader = reader
        self._lister = lister

    async def put(self, letter: DeadLetter) -> None:
        await self._writer.submit(lambda c: _put(c, letter))

    async def find(self, wanted: Wanted, *, limit: int, offset: int = 0) -> Sequence[DeadLetter]:
        return await self._lister.submit(lambda c: _find(c, wanted, limit, offset))

    async def count(self, wanted: Wanted) -> int:
        return await self._lister.submit(lambda c: _count(c, wanted))

    async def read(self, id: str) -> DeadLetter | None:
        return await self._reader.submit(lambda c: _read(c, id))

    async def redriven(self, id: str, version: int, at: int) -> bool:
        return await self._writer.submit(lambda c: _redriven(c, id, version, at))

    async def drop(self, id: str, *, version: int | None = None) -> bool:
        return await self._writer.submit(lambda c: _drop(c, id, version))


def _put(connection: sqlite3.Connection, letter: DeadLetter) -> None:
    connection.execute(
        f"INSERT INTO letters ({_COLUMNS}, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
        " ON CONFLICT (id) DO UPDATE SET at = excluded.at, reason = excluded.reason, module = excluded.module,"
        " owner = excluded.owner, sender = excluded.sender, recipient = excluded.recipient,"
        " version = excluded.version, redriven = excluded.redriven, record = excluded.record, body = excluded.body"
        " WHERE excluded.version > version",
        (
            letter.id, letter.at, letter.reason.value, letter.module, party_text(letter.owner), f"{letter.sender}",
            f"{letter.recipient}", letter.version, letter.redriven, encode(letter), letter.body,
        ),
    )  # fmt: skip


def _find(connection: sqlite3.Connection, wanted: Wanted, limit: int, offset: int) -> Sequence[DeadLetter]:
    found = connection.execute(
        f"SELECT {_COLUMNS}, x'' FROM letters WHERE {_WANTED}"  # noqa: S608 - constants
        " ORDER BY at DESC, id DESC LIMIT ?7 OFFSET ?8",
        (*_asked(wanted), limit, offset),
    )
    return [_letter(row) for row in found.fetchall()]


def _count(connection: sqlite3.Connection, wanted: Wanted) -> int:
    (found,) = connection.execute(
        f"SELECT count(*) FROM letters WHERE {_WANTED}",  # noqa: S608 - constants
        _asked(wanted),
    ).fetchone()
    return int(found)


def _asked(wanted: Wanted) -> tuple[Any, ...]:
    reason = wanted.reason.value if wanted.reason else ""
    return (party_text(wanted.party), wanted.module, reason, wanted.since, wanted.until, wanted.open)


def _read(connection: sqlite3.Connection, id: str) -> DeadLetter | None:
    row = connection.execute(
        f"SELECT {_COLUMNS}, body FROM letters WHERE id = ?",  # noqa: S608 - constants
        (id,),
    ).fetchone()
    return _letter(row) if row else None


def _redriven(connection: sqlite3.Connection, id: str, version: int, at: int) -> bool:
    changed = connection.execute("UPDATE letters SET redriven = ? WHERE id = ? AND version = ?", (at, id, version))
    return changed.rowcount > 0


def _drop(connection: sqlite3.Connection, id: str, version: int | None) -> bool:
    gone = connection.execute("DELETE FROM letters WHERE id = ?1 AND (?2 IS NULL OR version = ?2)", (id, version))
    return gone.rowcount > 0


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    id, at, reason, module, owner, sender, recipient, version, redriven, record, body = row
    return decode(
        record, id=id, at=at, reason=reason, module=module, owner=owner, sender=sender, recipient=recipient,
        version=version, redriven=redriven, body=body,
    )  # fmt: skip
