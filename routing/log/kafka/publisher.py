"""Publishing: records wait here, are handed to the brokers batch by batch, and are answered for.

Of each partition one batch is under way at a time; what comes meanwhile is the next one. Where several come at a time
the batches of all partitions are handed over together, a few milliseconds apart. So an idle log costs no waiting, a
busy one makes large batches by itself, and of a record that still waits here it is certain that it is not on the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.answers import Answer
from routing.log.kafka.batch import Batch, Item, Lane
from routing.log.kafka.producer import Producer
from routing.log.kafka.wire import Wire
from routing.log.port import Headers, LogError, Position, Published, PublishRefused, PublishUnknown

GATHER: Final = 0.006
"""Seconds from one handing over to the next, while several records come in that time: they go together. A record that
comes alone waits for nothing. Without it a hub that is half as busy as it can be works on each record by itself, and
so do all who wait for it. Edge and worker together, on one core, at 600 directed pushes a second: 1,250 us a push, and
1,530 with half of it, where the longest waits are no shorter."""

_BATCH_OVERHEAD: Final = 100
_CLOSE_SECONDS: Final = 5.0
_STALLED: Final = 3.0


def _nothing(sent: int, appended: int, answered: int) -> None:
    del sent, appended, answered


class Publisher:
    """Publishes to one cluster, to the topics with these `names` as the cluster knows them; `durable` as in Producer.

    More than `most_records` or `most_bytes` under way is refused.
    """

    def __init__(
        self,
        address: KafkaAddress,
        names: Sequence[str],
        *,
        durable: bool = True,
        most_records: int = 20_000,
        most_bytes: int = 64 * 2**20,
    ) -> None:
        self._producer = Producer(Wire(address, names), self, durable=durable)
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._records = self._bytes = 0
        self._due: dict[Lane, None] = {}
        self._flying: dict[Lane, None] = {}
        self._ending = asyncio.Event()
        self._round: asyncio.Handle | None = None
        self._many = False
        self._rests_until = 0.0
        self._open = False
        self.appended: Callable[[int, int, int], None] = _nothing
        """Told of each batch when it was handed over, appended by the log's clock, and answered (UTC ms)."""

    @property
    def held_bytes(self) -> int:
        return self._bytes

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises LogAway or LogUnusable; then nothing is left behind."""
        try:
            await self._producer.start()
        except BaseException:
            await self._producer.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._open = True

    def begin(self) -> None:
        """Start without waiting: records wait until the cluster is reached."""
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._producer.start_soon()

    async def close(self) -> None:
        """Finish what was begun, for a few seconds; what still waits is refused, what is left then is unknown."""
        if not self._open:
            return
        self._open = False
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                while self._flying or (any(lane.waiting for lane in self._due) and self.trouble() is None):
                    self._ending.clear()
                    await self._ending.wait()
        except TimeoutError:
            pass
        for lane in self._due:
            for item in list(lane.waiting):
                self._withdraw(item, PublishRefused("the log was closed"))
        await self._producer.close()
        for lane in list(self._flying):
            if lane.flying is not None:
                self.failed(lane.flying, PublishUnknown("the log was closed"))

    def trouble(self) -> str | None:
        """A sentence if records cannot be taken now."""
        if self._producer.away is not None:
            return self._producer.away
        oldest = next(iter(self._flying), None)  # they are in the order in which they were handed over
        if oldest is not None and oldest.flying is not None:
            waits = time.monotonic() - oldest.flying.began
            if waits > _STALLED:
                return f"Kafka has not confirmed records for {waits:.0f} s"
        return None

    # --- records -----------------------------------------------------------------------------------------------------

    def put(self, lane: Lane, key: bytes, headers: Headers, value: bytes, answer: Answer) -> Item:
        """Let a record join those that wait. Raises PublishRefused."""
        if not self._open:
            raise PublishRefused("the log is closed")
        listed = list(headers)
        try:
            size = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, listed) + _BATCH_OVERHEAD
        except (TypeError, ValueError) as error:
            raise PublishRefused(f"a record for {lane.tp.topic} cannot be written: {error}") from None
        if size > lane.largest:
            raise PublishRefused(f"a record of {size} bytes is more than {lane.tp.topic} takes ({lane.largest})")
        if self._records >= self._most_records or self._bytes + size > self._most_bytes:
            raise PublishRefused("too much waits for Kafka")
        self._records += 1
        self._bytes += size
        item = Item(lane, key, listed, value, size, answer)
        lane.waiting.append(item)
        self._due[lane] = None
        self._begin_soon()
        return item

    def give_up(self, items: Sequence[Item]) -> None:
        """Their time is up: those not begun are withdrawn and refused, of the others nobody knows."""
        for item in items:
            if item.begun:
                item.answer.failed(PublishUnknown("Kafka did not answer in time"))
        for item in items:
            if not item.begun:
                self._withdraw(item, PublishRefused(self.trouble() or "Kafka did not take the record in time"))

    def _withdraw(self, item: Item, error: LogError) -> None:
        if item in item.lane.waiting:
            item.lane.waiting.remove(item)
            self._release(item)
            self._ending.set()
            item.answer.failed(error)

    def _release(self, item: Item) -> None:
        self._records -= 1
        self._bytes -= item.size

    # --- batches -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Hand over what waits for partitions of which nothing is under way."""
        self._round = None
        due, self._due = self._due, {}
        batches: list[Batch] = []
        taken = 0
        for lane in due:
            if not lane.waiting:
                continue
            if lane.flying is not None or not self._producer.ready(lane):
                self._due[lane] = None
                continue
            batch = lane.flying = self._producer.batch(lane)
            self._flying[lane] = None
            batches.append(batch)
            taken += len(batch.items)
            if lane.waiting:
                self._due[lane] = None
        if batches:
            self._many = taken > 1
            self._rests_until = self._loop.time() + GATHER
            self._producer.send(batches)

    def ready(self) -> None:
        """The producer's word that lanes which were not ready may be now."""
        if self._due:
            self._begin_soon()

    def landed(self, batch: Batch, offset: int, append_time: int) -> None:
        """The producer's word that a batch is on the log, from this offset on; -1: it is no longer known where."""
        self._idle(batch.lane)
        now = time.time_ns() // 1_000_000
        if append_time >= 0:
            self.appended(batch.began_ms, append_time, now)
        else:  # a topic that does not keep the append time: refused at the start of a hub
            append_time = now
        if offset < 0:
            self._end(batch.items, PublishUnknown("Kafka does not say where the record is"))
            return
        lane = batch.lane
        for item in batch.items:
            self._release(item)
            item.answer.landed(Published(lane.tp, Position(lane.epoch, offset), append_time))
            offset += 1

    def failed(self, batch: Batch, error: LogError) -> None:
        """The producer's word that it gave a batch up."""
        self._idle(batch.lane)
        self._end(batch.items, error)

    def _idle(self, lane: Lane) -> None:
        """Before those who wait are told: their next records find the partition idle."""
        lane.flying = None
        del self._flying[lane]
        if self._due:
            self._begin_soon()
        self._ending.set()

    def _end(self, items: Sequence[Item], error: LogError) -> None:
        for item in items:
            self._release(item)
            item.answer.failed(error)

    def _begin_soon(self) -> None:
        if self._round is None:
            wait = self._rests_until - self._loop.time() if self._many or self._flying else 0.0
            self._round = self._loop.call_later(wait, self._begin) if wait > 0 else self._loop.call_soon(self._begin)
