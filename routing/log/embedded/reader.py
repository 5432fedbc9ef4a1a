"""Reads batches from disk, in a thread of its own with a connection of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from routing.log.embedded.file import OFFSET_BITS, Topic
from routing.log.embedded.records import Batch, decode
from routing.log.port import LogAway

T = TypeVar("T")
_OFFSET: Final = (1 << OFFSET_BITS) - 1

_FROM = """
SELECT id, append_time, body FROM batches
WHERE id >= ifnull((SELECT max(id) FROM batches WHERE id >= ? AND id <= ?), ?) AND id < ? ORDER BY id
"""


class Reader:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, "log-reader")

    async def run(self, what: Callable[[sqlite3.Connection], T]) -> T:
        """Run it in the thread. Raises LogAway when the file cannot be read."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, what, self._connection)
        except sqlite3.Error as error:
            raise LogAway(f"the log cannot be read: {error}") from error

    async def read(self, topic: Topic, start: int, limit: int, max_bytes: int) -> Sequence[Batch]:
        """Batches from the one that holds `start` on, those that begin before `limit`; at least one if there is."""
        return await self.run(lambda connection: _read(connection, topic, start, limit, max_bytes))

    def close(self) -> None:
        self._thread.shutdown()
        self._connection.close()


def _read(connection: sqlite3.Connection, topic: Topic, start: int, limit: int, max_bytes: int) -> list[Batch]:
    batches: list[Batch] = []
    size = 0
    rows = connection.execute(_FROM, (topic.id(0), topic.id(start), topic.id(start), topic.id(limit)))
    try:
        for row_id, append_time, body in rows:
            batch = Batch(row_id & _OFFSET, append_time, decode(body), len(body))
            if batch.end <= start:
                continue  # it is damaged, and all that is left of it was read
            batches.append(batch)
            size += len(body)
            if size >= max_bytes:
                break
    finally:
        rows.close()  # an open statement would keep the write-ahead log from beginning anew
    return batches


def since(connection: sqlite3.Connection, topic: Topic, moment: int) -> int | None:
    """The offset of the first batch appended at `moment` (UTC ms) or later; None where there is none.

    Append times grow with the offsets, and there is no index of them: it is halved until it is found.
    """
    low, high = 0, _OFFSET
    found: int | None = None
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            "SELECT id, append_time FROM batches WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
            (topic.id(middle), topic.id(high)),
        ).fetchone()
        if row is None:
            high = middle
        elif row[1] >= moment:
            found = row[0] & _OFFSET
            high = middle
        else:
            low = (row[0] & _OFFSET) + 1
    return found
