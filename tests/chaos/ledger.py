"""What the hub leaves in its data folder: the events on the log, how many are not settled, the marks.

The log's file is read beside the hub, or beside what a kill left of it, and never written: a connection that may
write would do the recovery and the checkpoint that are the next hub's to do.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from routing import event as events
from routing.log.embedded.file import OFFSET_BITS
from routing.log.embedded.records import decode, partitions
from routing.log.port import Position, TopicPartition
from routing.store.embedded import EmbeddedStore
from routing.store.port import Mark
from routing.topics import EVENT_TOPICS
from routing.worker.worker import GROUP
from tests.judging import Stood

_OFFSET: Final = (1 << OFFSET_BITS) - 1


@dataclass(frozen=True, slots=True)
class _Batch:
    base: int
    append_time: int
    body: bytes


def unsettled(folder: Path) -> int:
    """Events on the log that stand at or after what the routing group has committed of their partition."""
    with closing(_open(folder)) as file:
        return sum(_unsettled(file, number, name) for number, name, _ in _topics(file))


def stood(folder: Path) -> list[Stood]:
    """Every event of the log. The request id of each is its seq."""
    found: list[Stood] = []
    with closing(_open(folder)) as file:
        for number, name, epoch in _topics(file):
            for batch in _batches(file, number, 0):
                for offset, entry in enumerate(decode(batch.body), batch.base):
                    event = events.decode(entry.headers, entry.value)
                    tp = TopicPartition(name, entry.partition)
                    late = batch.append_time > event.expires
                    found.append(Stood(event, int(event.request_id), tp, Position(epoch, offset), late))
    return found


async def marks(folder: Path) -> Sequence[Mark]:
    """The marks of a hub that has stopped."""
    store = EmbeddedStore(folder)
    await store.start()
    try:
        return await store.load_marks()
    finally:
        await store.close()


def marked(folder: Path) -> Counter[str]:
    """How many marks each platform has, beside a hub that runs."""
    with closing(_open(folder, "store.db")) as file:
        return Counter(dict(file.execute("SELECT platform, count(*) FROM marks GROUP BY platform").fetchall()))


def _open(folder: Path, name: str = "log.db") -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(folder / name))}?mode=ro", uri=True, isolation_level=None, timeout=10)


def _topics(file: sqlite3.Connection) -> list[tuple[int, str, int]]:
    rows = file.execute("SELECT number, name, epoch FROM topics").fetchall()
    return [(number, name, epoch) for number, name, epoch in rows if name in EVENT_TOPICS]


def _batches(file: sqlite3.Connection, number: int, start: int) -> Iterator[_Batch]:
    """The batches of a topic from the one that holds `start` on."""
    first, after, at = number << OFFSET_BITS, number + 1 << OFFSET_BITS, number << OFFSET_BITS | start
    rows = file.execute(
        "SELECT id, append_time, body FROM batches WHERE id >= ifnull((SELECT max(id) FROM batches"
        " WHERE id >= ? AND id <= ?), ?) AND id < ? ORDER BY id",
        (first, at, at, after),
    )
    for row_id, append_time, body in rows:
        yield _Batch(row_id & _OFFSET, append_time, body)


def _unsettled(file: sqlite3.Connection, number: int, name: str) -> int:
    rows = file.execute("SELECT part, next FROM commits WHERE consumers = ? AND topic = ?", (GROUP, name)).fetchall()
    (count,) = file.execute("SELECT value FROM settings WHERE name = 'partitions'").fetchone()
    settled: dict[int, int] = dict.fromkeys(range(count), 0) | dict(rows)
    return sum(
        offset >= settled[partition]
        for batch in _batches(file, number, min(settled.values()))
        for offset, partition in enumerate(partitions(batch.body), batch.base)
    )
