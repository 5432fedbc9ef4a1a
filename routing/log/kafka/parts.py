"""What was fetched of a partition and not yet given: whole batches, turned into records when asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from aiokafka.errors import CorruptRecordException
from aiokafka.record import MemoryRecords

from routing.log.kafka.fetch_request import next_offset, one_batch
from routing.log.kafka.packed import Named
from routing.log.port import Position, Record, TopicPartition


class Part:
    """One partition as a fetcher has it. `given` is the next offset to be given, `ahead` the next to be fetched."""

    __slots__ = ("ahead", "bytes", "chunks", "epoch", "given", "lost", "name", "node", "paused", "tp")

    def __init__(self, tp: TopicPartition, name: Named, epoch: int, offset: int) -> None:
        self.tp = tp
        self.name = name
        self.epoch = epoch
        self.given = self.ahead = offset
        self.paused = False
        self.lost = False
        """What comes next is gone from the log; nothing more is fetched."""
        self.node: tuple[int, str] | None = None
        """The broker that leads it, and its topic."""
        self.chunks: deque[tuple[int, Iterator[Record]]] = deque()
        self.bytes = 0

    @property
    def wanted(self) -> bool:
        return not (self.paused or self.lost)

    def add(self, records: bytes) -> bool:
        """What a broker gave from `ahead` on; whether there is anything in it."""
        behind = next_offset(records)
        if behind is None or behind <= self.ahead:
            return False
        self.chunks.append((len(records), read(self.tp, self.epoch, records, self.ahead)))
        self.bytes += len(records)
        self.ahead = behind
        return True

    def take(self, into: list[Record], max_records: int, max_bytes: int) -> int:
        """Move records until one of the bounds is reached; returns how many bytes are left of them."""
        while self.chunks:
            size, records = self.chunks[0]
            for record in records:
                into.append(record)
                self.given = record.position.offset + 1
                max_bytes -= len(record.value) + len(record.key)
                if max_bytes <= 0 or len(into) >= max_records:
                    return max_bytes
            self.chunks.popleft()
            self.bytes -= size
        self.given = self.ahead
        return max_bytes


def read(tp: TopicPartition, epoch: int, data: bytes, start: int) -> Iterator[Record]:
    """The records of these batches from an offset on. Raises nothing: what cannot be read of a batch is one record with
    the batch as its value, and no key and headers; who reads it sets it aside."""
    batches = MemoryRecords(data)
    while batches.has_next():
        batch = batches.next_batch()
        if batch.is_control_batch:
            continue
        offset = batch.base_offset
        try:
            if not batch.validate_crc():
                raise CorruptRecordException
            for record in batch:
                offset = record.offset + 1
                if record.offset >= start:
                    yield _record(tp, epoch, record)
        except Exception:  # noqa: BLE001 - it is others who wrote it: broken, compressed in an unknown way, no UTF-8
            if batch.next_offset > start:
                position = Position(epoch, max(offset, start))
                value = one_batch(data, batch.base_offset)
                yield Record(tp.topic, tp.partition, position, batch.max_timestamp, b"", (), value)


def _record(tp: TopicPartition, epoch: int, record: Any) -> Record:
    headers = record.headers
    return Record(
        tp.topic,
        tp.partition,
        Position(epoch, record.offset),
        record.timestamp,
        record.key or b"",
        tuple([(name, value or b"") for name, value in headers]) if headers else (),
        record.value or b"",
    )
