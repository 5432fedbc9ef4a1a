"""Records on their way to one partition: those that wait in its lane, and the batch of them that is under way."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from routing.log.kafka.answers import Answer
from routing.log.kafka.packed import Named
from routing.log.port import TopicPartition

BATCH_BYTES: Final = 256 * 1024
"""Where a batch ends, unless its first record is larger."""

_MAGIC: Final = 2
_MOST_SEQUENCE: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Identity:
    """The numbers under which a broker knows who sends, so that it takes each batch once."""

    producer_id: int
    epoch: int


NOBODY: Final = Identity(-1, -1)
"""Who does not want to be known: what is sent twice may be there twice."""


class Lane:
    """One partition of a topic as records go to it. `name` is the topic as the cluster knows it; `largest` in bytes.

    At most one batch of it is under way, `flying`. Its next one has the number `sequence` of `identity`.
    """

    __slots__ = ("epoch", "flying", "identity", "largest", "named", "sequence", "tp", "waiting")

    def __init__(self, tp: TopicPartition, name: str, epoch: int, largest: int) -> None:
        self.tp = tp
        self.named: Named = (name, tp.partition)
        self.epoch = epoch
        self.largest = largest
        self.waiting: deque[Item] = deque()
        self.flying: Batch | None = None
        self.identity: Identity | None = None
        self.sequence = 0


class Item:
    """One record under way. `begun`: it was handed over, and nothing withdraws it any more."""

    __slots__ = ("answer", "begun", "headers", "key", "lane", "size", "value")

    def __init__(
        self, lane: Lane, key: bytes, headers: list[tuple[str, bytes]], value: bytes, size: int, answer: Answer
    ) -> None:
        self.lane = lane
        self.key = key
        self.headers = headers
        self.value = value
        self.size = size
        self.answer = answer
        self.begun = False


class Batch:
    """The records that were first in a lane, packed: the same bytes however often they are sent.

    `began` (monotonic) and `began_ms` (UTC) are when it was handed over, `asked` how often a broker was asked to take
    it.
    """

    __slots__ = ("asked", "began", "began_ms", "data", "items", "lane")

    def __init__(self, lane: Lane, identity: Identity) -> None:
        sequence = lane.sequence if identity is not NOBODY else -1
        builder = DefaultRecordBatchBuilder(
            _MAGIC, 0, 0, identity.producer_id, identity.epoch, sequence, batch_size=BATCH_BYTES
        )
        self.lane = lane
        self.items: list[Item] = []
        waiting = lane.waiting
        while waiting:
            item = waiting[0]
            if builder.append(len(self.items), None, item.key, item.value, item.headers) is None:
                break
            item.begun = True
            self.items.append(waiting.popleft())
        self.data: bytearray = builder.build()
        self.began, self.began_ms = time.monotonic(), time.time_ns() // 1_000_000
        self.asked = 0

    def taken(self) -> None:
        """It is on the log: the next one has the number after it. They begin at 0 again behind the largest."""
        self.lane.sequence = (self.lane.sequence + len(self.items)) & _MOST_SEQUENCE
