"""Where one consumer stands in the embedded log.

Offsets run through all partitions of a topic, so one number, `main`, says how far all partitions that keep up have
been given. A partition that does not (newly assigned, paused) stands in `lag` with an offset of its own and is read
in a sweep of its own until it reaches `main`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from routing.log.embedded.file import Topic
from routing.log.embedded.reader import Reader
from routing.log.embedded.records import Batch
from routing.log.embedded.tail import Tail
from routing.log.port import Committed, Position, Record, TopicPartition

Source = Callable[[Topic, int, int, int], Awaitable[Sequence[Batch]]]
"""Batches of a topic from the one that holds an offset, those that begin before another, about so many bytes."""


_CHUNK: Final = 2**20
_MOST: Final = 512


class _Room:
    """What may still be given in this call."""

    __slots__ = ("bytes", "given", "records")

    def __init__(self, records: int, size: int) -> None:
        self.records = records
        self.bytes = size
        self.given: list[Record] = []

    @property
    def full(self) -> bool:
        return self.records <= 0 or self.bytes <= 0

    def sweep(self, topic: Topic, batches: Sequence[Batch], start: int, limit: int, wanted: Mapping[int, int]) -> int:
        """Give the records in [start, limit) of partitions that want them; the offset up to which all was given."""
        name, epoch, give = topic.name, topic.epoch, self.given.append
        for batch in batches:
            offset = batch.base - 1
            for entry in batch.entries:
                offset += 1
                if offset < start:
                    continue
                if offset >= limit:
                    return limit
                wants = wanted.get(entry.partition)
                if wants is None or wants > offset:
                    continue
                if self.full:
                    return offset
                position = Position(epoch, offset)
                give(Record(name, entry.partition, position, batch.append_time, entry.key, entry.headers, entry.value))
                self.records -= 1
                self.bytes -= len(entry.value) + len(entry.key)
        return min(limit, batches[-1].end) if batches else limit


class _TopicCursor:
    """One consumer in one topic."""

    __slots__ = ("active", "lag", "main", "paused", "topic")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.main = topic.end
        self.active: dict[int, int] = {}  # partitions that have been given everything below main; the value is 0
        self.lag: dict[int, int] = {}
        self.paused: set[int] = set()

    def seek(self, partition: int, offset: int) -> None:
        self.drop(partition)
        for other in self.active:
            self.lag[other] = self.main
        self.active.clear()
        self.main = self.topic.end
        self.lag[partition] = offset
        self._settle()

    def drop(self, partition: int) -> None:
        self.active.pop(partition, None)
        self.lag.pop(partition, None)
        self.paused.discard(partition)

    def pause(self, partition: int) -> None:
        if self.active.pop(partition, None) is not None:
            self.lag[partition] = self.main
        if partition in self.lag:
            self.paused.add(partition)

    def resume(self, partition: int) -> None:
        self.paused.discard(partition)
        self._settle()

    async def catch_up(self, source: Source, room: _Room) -> bool:
        """Give to those that lag; whether any of them got further."""
        start = min((at for partition, at in self.lag.items() if partition not in self.paused), default=self.main)
        if start >= self.main:
            return False
        limit = self.main
        batches = await source(self.topic, start, limit, room.bytes)
        wanted = {p: at for p, at in self.lag.items() if p not in self.paused and at >= start}
        reached = room.sweep(self.topic, batches, start, limit, wanted)
        for partition, at in wanted.items():
            self.lag[partition] = max(at, reached)
        self._settle()
        return bool(wanted) and reached > start

    async def keep_up(self, source: Source, room: _Room) -> bool:
        """Give to the others; whether they got further."""
        start, limit = self.main, self.topic.end
        if start >= limit or not self.active:
            return False
        batches = await source(self.topic, start, limit, room.bytes)
        self.main = room.sweep(self.topic, batches, start, limit, self.active)
        return self.main > start

    def _settle(self) -> None:
        """Whatever has reached `main` goes on with it."""
        for partition in [p for p, at in self.lag.items() if at >= self.main and p not in self.paused]:
            del self.lag[partition]
            self.active[partition] = 0


class EmbeddedCursors:
    """The cursors of one consumer, over the tail where it reaches and the disk where it does not.

    What was read from disk and not yet given is kept, at most a chunk and a batch for each topic, so that a reader of
    small portions does not read the same batch again and again.
    """

    def __init__(self, topics: Mapping[str, Topic], subscribed: Sequence[str], tail: Tail, reader: Reader) -> None:
        self._known = topics
        self._topics = {name: _TopicCursor(topics[name]) for name in subscribed}
        self._tail = tail
        self._reader = reader
        self._kept: dict[Topic, Sequence[Batch]] = {}
        self._turn = 0
        self._under_way: _Room | None = None

    @property
    def kept_bytes(self) -> int:
        return sum(batch.size for batches in self._kept.values() for batch in batches)

    def seek(self, tp: TopicPartition, committed: Committed | None) -> None:
        cursor = self._topics[tp.topic]
        same = committed is not None and committed.next.epoch == cursor.topic.epoch
        cursor.seek(tp.partition, committed.next.offset if committed is not None and same else 0)

    def drop(self, tp: TopicPartition) -> None:
        self._topics[tp.topic].drop(tp.partition)

    def pause(self, tp: TopicPartition) -> None:
        self._topics[tp.topic].pause(tp.partition)

    def resume(self, tp: TopicPartition) -> None:
        self._topics[tp.topic].resume(tp.partition)

    def position(self, tp: TopicPartition) -> Position | None:
        cursor = self._topics[tp.topic]
        if tp.partition not in cursor.lag and tp.partition not in cursor.active:
            return None
        at = cursor.lag.get(tp.partition, cursor.main)
        if self._under_way is not None:  # nobody has yet what was found so far
            at = min([at, *(record.position.offset for record in self._under_way.given if record.tp == tp)])
        return Position(cursor.topic.epoch, at)

    async def take(self, max_records: int, max_bytes: int) -> list[Record]:
        room = self._under_way = _Room(max_records, max_bytes)
        try:
            await self._fill(room)
        except Exception:
            if not room.given:
                raise
            # the cursors are past these already; whoever reads on meets the failure then, whatever it is
        finally:
            self._under_way = None
        return room.given

    async def _fill(self, room: _Room) -> None:
        cursors = list(self._topics.values())
        further = True
        while further and not room.given:  # a sweep may pass over nothing but records of other partitions
            further = False
            self._turn += 1
            for number in range(len(cursors)):
                cursor = cursors[(self._turn + number) % len(cursors)]
                # Neither goes first always: the one must not starve behind the other.
                steps = (cursor.catch_up, cursor.keep_up) if self._turn & 1 else (cursor.keep_up, cursor.catch_up)
                for step in steps:
                    if not room.full and await step(self._batches, room):
                        further = True

    async def fetch(self, tp: TopicPartition, start: Position, max_records: int) -> list[Record]:
        topic = self._known[tp.topic]
        room = _Room(max_records, 1 << 62)
        at = start.offset if start.epoch == topic.epoch else 0 if start.epoch < topic.epoch else topic.end
        while at < topic.end and not room.full:
            batches = await self._batches(topic, at, topic.end, _CHUNK)
            at = room.sweep(topic, batches, at, topic.end, {tp.partition: 0})
        return room.given

    async def _batches(self, topic: Topic, start: int, limit: int, max_bytes: int) -> Sequence[Batch]:
        batches = self._tail.read(topic, start, _MOST)
        if batches is not None:
            self._kept.pop(topic, None)
            return batches
        kept = self._kept.get(topic, ())
        if kept and kept[0].base <= start < kept[-1].end:
            return kept
        batches = await self._reader.read(topic, start, limit, min(max_bytes, _CHUNK))
        self._kept[topic] = batches
        return batches
