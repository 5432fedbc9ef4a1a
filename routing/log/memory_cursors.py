"""What the in-memory log holds of a partition, and where a consumer stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Final

from routing.log.port import Committed, Position, Record, TopicPartition

EPOCH: Final = 1


class MemoryPartition:
    """One partition's records: those before `base` were trimmed."""

    __slots__ = ("base", "records", "tp")

    def __init__(self, tp: TopicPartition) -> None:
        self.tp = tp
        self.base = 0
        self.records: list[Record] = []

    @property
    def end(self) -> int:
        return self.base + len(self.records)

    def since(self, offset: int) -> int:
        """The index of the first record from `offset` on."""
        return max(offset - self.base, 0)


class MemoryCursors:
    """An offset for each partition held; partitions take turns at being first.

    `ready` are those that may have something, so that a read costs nothing for the others.
    """

    def __init__(self, partitions: Mapping[TopicPartition, MemoryPartition]) -> None:
        self._partitions = partitions
        self._at: dict[TopicPartition, int] = {}
        self._paused: dict[TopicPartition, None] = {}
        self._ready: dict[TopicPartition, None] = {}

    def news(self, tp: TopicPartition) -> bool:
        """A record came in; whether that is something to this consumer."""
        if tp not in self._at or tp in self._paused:
            return False
        self._ready[tp] = None
        return True

    def seek(self, tp: TopicPartition, committed: Committed | None) -> None:
        self._paused.pop(tp, None)
        self._at[tp] = 0 if committed is None else committed.next.offset
        self._ready[tp] = None

    def drop(self, tp: TopicPartition) -> None:
        for held in (self._at, self._paused, self._ready):
            held.pop(tp, None)

    def pause(self, tp: TopicPartition) -> None:
        if tp in self._at:
            self._paused[tp] = None
            self._ready.pop(tp, None)

    def resume(self, tp: TopicPartition) -> None:
        if tp in self._paused:
            del self._paused[tp]
            self._ready[tp] = None

    def position(self, tp: TopicPartition) -> Position | None:
        return Position(EPOCH, self._at[tp]) if tp in self._at else None

    async def take(self, max_records: int, max_bytes: int) -> list[Record]:
        taken: list[Record] = []
        for tp in list(self._ready):
            partition = self._partitions[tp]
            del self._ready[tp]
            for record in islice(partition.records, partition.since(self._at[tp]), None):
                if len(taken) >= max_records or max_bytes <= 0:
                    self._ready[tp] = None  # behind the others
                    return taken
                taken.append(record)
                max_bytes -= len(record.value) + len(record.key)
                self._at[tp] = record.position.offset + 1
        return taken

    async def fetch(self, tp: TopicPartition, start: Position, max_records: int) -> list[Record]:
        partition = self._partitions[tp]
        first = partition.since(start.offset) if start.epoch <= EPOCH else partition.end
        return partition.records[first : first + max_records]
