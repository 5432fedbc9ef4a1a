"""Retention of the embedded log: what every known group has committed past and is old enough goes, oldest first."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from routing.log.embedded.file import OFFSET_BITS, Commits, Topic
from routing.log.embedded.records import partitions

CHUNK_BYTES: Final = 4 * 2**20

_OFFSET: Final = (1 << OFFSET_BITS) - 1


@dataclass(frozen=True, slots=True)
class Going:
    """Batches to be deleted: all of the topic that begin before the offset `end`. `more`: there may be further ones."""

    end: int
    records: int
    more: bool


def settled_by(topic: Topic, groups: Sequence[str], commits: Commits) -> list[dict[int, int]]:
    """For each group the next offset of each partition that it has committed."""
    return [
        {tp.partition: at.next.offset for tp, at in commits.get(group, {}).items() if tp.topic == topic.name}
        for group in groups
    ]


def plan(
    connection: sqlite3.Connection, topic: Topic, before: int, settled: Sequence[Mapping[int, int]]
) -> Going | None:
    """The next chunk that may go: appended before `before` (UTC ms), and settled by all.

    `settled` is what `settled_by` gave; a group has settled nothing of a partition that it never committed.
    """
    going: Going | None = None
    size = records = 0
    rows = connection.execute(
        "SELECT id, append_time, records, body FROM batches WHERE id >= ? AND id < ? ORDER BY id",
        (topic.id(0), topic.id(_OFFSET)),
    )
    try:
        for row_id, append_time, count, body in rows:
            if append_time >= before or not _settled(body, row_id & _OFFSET, settled):
                break
            size += len(body)
            records += count
            going = Going((row_id & _OFFSET) + count, records, size >= CHUNK_BYTES)
            if going.more:
                break
    finally:
        rows.close()
    return going


def delete(connection: sqlite3.Connection, topic: Topic, going: Going) -> None:
    """Delete a planned chunk; the topic's next offset stays, even with nothing left."""
    connection.execute("UPDATE topics SET next = ? WHERE number = ?", (topic.next, topic.number))
    connection.execute("DELETE FROM batches WHERE id >= ? AND id < ?", (topic.id(0), topic.id(going.end)))


def _settled(body: bytes, base: int, settled: Sequence[Mapping[int, int]]) -> bool:
    return all(
        groups.get(partition, 0) > offset
        for offset, partition in enumerate(partitions(body), base)
        for groups in settled
    )
