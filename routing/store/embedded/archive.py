"""The archive on a SQLite file of its own, `archive.db`: who files there never makes the store's own writes wait.

An exchange's rank is its row, so the file lies in the order of time. Terms lie by day: what is written is near what
was written a moment ago, and a day that is over goes in one piece.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Final, TypeVar

from routing.store.archive import RANK_BITS, Body, Filed, Kept, Part, rank_of, ranks, term_number
from routing.store.embedded.schema import open_reader, open_writer
from routing.store.embedded.threads import Reader, Writer

T = TypeVar("T")

ARCHIVE_FILE: Final = "archive.db"

EXPIRE_ROWS: Final = 2000
"""What is deleted at once, so that who files does not wait for long."""

_A_COMMIT: Final = 1000
_AT_ONCE: Final = 200
_DAY: Final = 86_400_000 << RANK_BITS
_LOOKED_AT: Final = 2000

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        # The thread that writes finds out by this one whether it can again.
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO counters (name, value) VALUES ('marks', 0)",
        """CREATE TABLE exchanges (
            rank INTEGER PRIMARY KEY, id TEXT NOT NULL, expires INTEGER NOT NULL, message BLOB, outcome BLOB
        )""",
        "CREATE UNIQUE INDEX exchanges_id ON exchanges (id)",
        "CREATE INDEX exchanges_expires ON exchanges (expires)",
        "CREATE TABLE terms (day INTEGER, term INTEGER, rank INTEGER, PRIMARY KEY (day, term, rank)) WITHOUT ROWID",
        """CREATE TABLE bodies (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, expires INTEGER NOT NULL,
            content BLOB NOT NULL
        )""",
        "CREATE UNIQUE INDEX bodies_id ON bodies (id, name)",
        "CREATE INDEX bodies_expires ON bodies (expires)",
    ),
)

# A step of a statement gives up the interpreter's lock and waits for it again, beside a busy event loop for long: so
# many rows are filed by one statement, which is one step.
_PARTS: Final = (
    "INSERT INTO exchanges (rank, id, expires, {part}) VALUES {rows} ON CONFLICT (id) DO UPDATE SET"
    " expires = max(expires, excluded.expires), {part} = coalesce({part}, excluded.{part})"
)
_AS_PUT: Final = (
    "WITH put (rank, id) AS (VALUES {rows})"
    " SELECT count(*) FROM put JOIN exchanges AS e ON e.id = put.id AND e.rank = put.rank"
)
_TERMS: Final = "INSERT OR IGNORE INTO terms (day, term, rank) VALUES {rows}"
_TERMS_AT_ONCE: Final = 300
# What is filed is new, and stands at the end of each table: little of what was written is read again.
_WRITER_CACHE_KIB: Final = 4 * 1024
_READER_CACHE_KIB: Final = 1024
_FREE: Final = "SELECT count(*) FROM exchanges WHERE rank = ? AND id <> ?"


class EmbeddedArchive:
    """The archive in `folder`; `start` and `close` are the store's to call."""

    def __init__(self, folder: Path, *, busy: float = 5.0) -> None:
        path = folder / ARCHIVE_FILE
        self._writer = Writer(
            "archive-writer", partial(open_writer, path, busy, MIGRATIONS, cache_kib=_WRITER_CACHE_KIB)
        )
        self._reader = Reader("archive-reader", partial(open_reader, path, busy, cache_kib=_READER_CACHE_KIB))

    async def start(self) -> None:
        await self._writer.start()
        try:
            await self._reader.start()
        except BaseException:
            await self._writer.close()
            raise

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()

    def trouble(self) -> str | None:
        trouble = self._writer.trouble() or self._reader.trouble()
        return None if trouble is None else f"{ARCHIVE_FILE}: {trouble}"

    async def file(self, parts: Sequence[Filed]) -> None:
        for some in _chunks(parts, _A_COMMIT):
            await self._writer.submit(partial(_file, parts=some))

    async def find(
        self,
        terms: Sequence[str],
        *,
        since: int | None = None,
        until: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> Sequence[Kept]:
        first, last = ranks(since, until, before)
        numbers = [term_number(term) for term in dict.fromkeys(terms)]
        return await self._reader.submit(lambda c: _find(c, numbers, first, last, limit))

    async def read(self, id: str) -> Kept | None:
        return await self._reader.submit(lambda c: _read(c, id))

    async def file_bodies(self, bodies: Sequence[Body]) -> None:
        await self._writer.submit(lambda c: _file_bodies(c, bodies))

    async def read_bodies(self, id: str) -> Sequence[Body]:
        return await self._reader.submit(lambda c: _read_bodies(c, id))

    async def expire(self, now: int) -> int:
        total = 0
        while dropped := await self._writer.submit(lambda c: _expire(c, now)):
            total += dropped
        while await self._writer.submit(_expire_terms):
            pass
        return total


# --- in the threads --------------------------------------------------------------------------------------------------


def _file(connection: sqlite3.Connection, parts: Sequence[Filed]) -> None:
    terms: list[tuple[int, int, int]] = []
    for kind in Part:
        of_kind = [(rank_of(part.id, part.at), part) for part in parts if part.part is kind]
        for some in _chunks(of_kind, _AT_ONCE):
            for rank, part in _put(connection, kind, some):
                day = rank // _DAY
                terms += [(day, term_number(term), rank) for term in part.terms]
    terms.sort(key=itemgetter(1))  # near one another in the file
    for rows in _chunks(terms, _TERMS_AT_ONCE):
        connection.execute(_TERMS.format(rows=_rows(3, len(rows))), [value for row in rows for value in row])


def _put(connection: sqlite3.Connection, kind: Part, parts: Sequence[tuple[int, Filed]]) -> Sequence[tuple[int, Filed]]:
    """These parts, each with the rank that its exchange has."""
    try:
        _insert(connection, kind, parts)
    except sqlite3.IntegrityError:
        pass  # two have one rank
    else:
        put = [value for rank, part in parts for value in (rank, part.id)]
        (as_put,) = connection.execute(_AS_PUT.format(rows=_rows(2, len(parts))), put).fetchone()
        if as_put == len(parts):
            return parts
    found = []
    for own, part in parts:  # hardly ever: one by one, each with the rank that it has, or the next one that is free
        there = connection.execute("SELECT rank FROM exchanges WHERE id = ?", (part.id,)).fetchone()
        rank = own if there is None else there[0]
        while there is None and connection.execute(_FREE, (rank, part.id)).fetchone()[0]:
            rank += 1
        _insert(connection, kind, [(rank, part)])
        found.append((rank, part))
    return found


def _insert(connection: sqlite3.Connection, kind: Part, parts: Sequence[tuple[int, Filed]]) -> None:
    """Raises IntegrityError, having put none of them, where another exchange has the rank of one."""
    values = [value for rank, part in parts for value in (rank, part.id, part.expires, part.content)]
    connection.execute(_PARTS.format(part=kind, rows=_rows(4, len(parts))), values)


@lru_cache(maxsize=64)
def _rows(columns: int, count: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return ", ".join((row,) * count)


def _chunks(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (rows[at : at + size] for at in range(0, len(rows), size))


def _find(connection: sqlite3.Connection, terms: Sequence[int], first: int, last: int, limit: int) -> list[Kept]:
    if not terms:
        rows = connection.execute(
            "SELECT id, rank, message, outcome FROM exchanges WHERE rank >= ? AND rank < ? ORDER BY rank DESC LIMIT ?",
            (first, last, limit),
        )
        return [Kept(*row) for row in rows]
    found: list[Kept] = []
    days = connection.execute("SELECT min(rank), max(rank) FROM exchanges WHERE rank >= ? AND rank < ?", (first, last))
    oldest, newest = days.fetchone()
    if oldest is None:
        return found
    for day in range(newest // _DAY, oldest // _DAY - 1, -1):
        ordered = sorted(terms, key=lambda term: _how_many(connection, day, term))
        others = "".join(
            f" CROSS JOIN terms AS t{at} ON t{at}.day = t.day AND t{at}.term = ? AND t{at}.rank = t.rank"
            for at in range(len(ordered) - 1)
        )
        rows = connection.execute(
            f"SELECT e.id, e.rank, e.message, e.outcome FROM terms AS t{others}"  # noqa: S608 - numbers of ours
            " CROSS JOIN exchanges AS e ON e.rank = t.rank"
            " WHERE t.day = ? AND t.term = ? AND t.rank >= ? AND t.rank < ? ORDER BY t.rank DESC LIMIT ?",
            (*ordered[1:], day, ordered[0], first, last, limit - len(found)),
        )
        found += [Kept(*row) for row in rows]
        if len(found) >= limit:
            break
    return found


def _how_many(connection: sqlite3.Connection, day: int, term: int) -> int:
    """How many of this day have it, as far as it matters."""
    rows = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM terms WHERE day = ? AND term = ? LIMIT ?)", (day, term, _LOOKED_AT)
    )
    return int(rows.fetchone()[0])


def _read(connection: sqlite3.Connection, id: str) -> Kept | None:
    row = connection.execute("SELECT id, rank, message, outcome FROM exchanges WHERE id = ?", (id,)).fetchone()
    return Kept(*row) if row else None


def _file_bodies(connection: sqlite3.Connection, bodies: Sequence[Body]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO bodies (id, name, expires, content) VALUES (?, ?, ?, ?)",
        [(body.id, body.name, body.expires, body.content) for body in bodies],
    )


def _read_bodies(connection: sqlite3.Connection, id: str) -> list[Body]:
    rows = connection.execute("SELECT id, name, expires, content FROM bodies WHERE id = ? ORDER BY name", (id,))
    return [Body(*row) for row in rows]


def _expire(connection: sqlite3.Connection, now: int) -> int:
    """Up to EXPIRE_ROWS of each kind."""
    dropped = 0
    for table, row in (("exchanges", "rank"), ("bodies", "number")):
        dropped += connection.execute(
            f"DELETE FROM {table} WHERE {row} IN (SELECT {row} FROM {table} WHERE expires <= ? LIMIT ?)",  # noqa: S608 - ours
            (now, EXPIRE_ROWS),
        ).rowcount
    return dropped


def _expire_terms(connection: sqlite3.Connection) -> int:
    """Up to EXPIRE_ROWS of days of which no exchange is left; what is left of others finds nothing, and goes later."""
    (oldest,) = connection.execute("SELECT min(rank) FROM exchanges").fetchone()
    day = 1 << 62 if oldest is None else oldest // _DAY
    return connection.execute(
        "DELETE FROM terms WHERE (day, term, rank) IN (SELECT day, term, rank FROM terms WHERE day < ? LIMIT ?)",
        (day, EXPIRE_ROWS),
    ).rowcount
