"""Publishing: records wait here, are handed to aiokafka's producer batch by batch, and are answered for.

Of each partition one batch is under way at a time; what comes meanwhile is the next one. Where several come at a time
the batches of all partitions are handed over together, a few milliseconds apart. So an idle log costs no waiting, a
busy one makes large batches by itself, and of a record that still waits here it is certain that it is not on the log.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaConnectionError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.answers import Answer
from routing.log.kafka.options import client_options, why_away, words
from routing.log.kafka.wire import BACKOFF, BACKOFF_MS, REQUEST_MS, KafkaError, fail_quietly, shut
from routing.log.port import (
    Headers,
    LogAway,
    LogError,
    Position,
    Published,
    PublishRefused,
    PublishUnknown,
    TopicPartition,
)

BATCH_BYTES: Final = 256 * 1024
GATHER: Final = 0.006
"""Seconds from one handing over to the next, while several records come in that time: they go together. A record that
comes alone waits for nothing. Without it a hub that is half as busy as it can be works on each record by itself, and
so do all who wait for it. Edge and worker together, on one core, in two runs each: at 600 directed pushes a second
1,300 us a push against 1,600, p99 28 and 36 ms against 41 and 64; at 900 a second 980 us against 1,060, p99 in the
noise."""

_BATCH_OVERHEAD: Final = 100
_REFUSES: Final = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTopicError, PolicyViolationError)
_FORBIDS: Final = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)
_AGAIN_SECONDS: Final = 0.5
_CLOSE_SECONDS: Final = 5.0
_STALLED: Final = 3.0
_APPEND_TIME: Final = 1  # of the two types of timestamp that Kafka has


def _nothing(sent: int, appended: int, answered: int) -> None:
    del sent, appended, answered


class Lane:
    """One partition of a topic as records go to it. `name` is the topic as the cluster knows it; `largest` in bytes."""

    __slots__ = ("epoch", "flying", "largest", "name", "tp", "waiting")

    def __init__(self, tp: TopicPartition, name: str, epoch: int, largest: int) -> None:
        self.tp = tp
        self.name = name
        self.epoch = epoch
        self.largest = largest
        self.waiting: deque[Item] = deque()
        self.flying = False


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


class Publisher:
    """Publishes to one cluster. With `durable` an answer means all replicas that are in sync, and no retry of the
    client's own appends a record twice; else the leader's word is enough.

    More than `most_records` or `most_bytes` under way is refused.
    """

    def __init__(
        self, address: KafkaAddress, *, durable: bool = True, most_records: int = 20_000, most_bytes: int = 64 * 2**20
    ) -> None:
        self._address = address
        self._options: dict[str, Any] = {
            **client_options(address),
            "client_id": "ocpi-hub",
            "request_timeout_ms": REQUEST_MS,
            "retry_backoff_ms": BACKOFF_MS,
            "max_batch_size": BATCH_BYTES,
            "acks": "all" if durable else 1,
            "enable_idempotence": durable,
        }
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._records = self._bytes = 0
        self._due: dict[Lane, None] = {}
        self._flying: dict[Lane, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._round: asyncio.Handle | None = None
        self._many = False
        self._rests_until = 0.0
        self._producer: AIOKafkaProducer | None = None
        self._open = False
        self._away: str | None = None
        self.appended: Callable[[int, int, int], None] = _nothing
        """Told of each batch when it was handed over, appended by the log's clock, and answered (UTC ms)."""

    @property
    def held_bytes(self) -> int:
        return self._bytes

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises LogAway or LogUnusable; then nothing is left behind."""
        self._loop = asyncio.get_running_loop()
        self._producer = await self._make()
        self._open = True

    def begin(self) -> None:
        """Start without waiting: records wait until the cluster is reached."""
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._background(self._make_anew())

    async def close(self) -> None:
        """Finish what was begun, for a few seconds; what still waits is refused, what is left then is unknown."""
        if not self._open:
            return
        self._open = False
        until = time.monotonic() + _CLOSE_SECONDS
        while (self._flying or self._due) and self._producer is not None and (left := until - time.monotonic()) > 0:
            if self._flying:
                await asyncio.wait(list(self._tasks), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
        for lane in self._due:
            for item in list(lane.waiting):
                self._withdraw(item, PublishRefused("the log was closed"))
        producer, self._producer = self._producer, None
        if producer is not None:
            await shut(producer, within=max(until - time.monotonic(), BACKOFF))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def trouble(self) -> str | None:
        """A sentence if records cannot be taken now."""
        if self._away is not None:
            return self._away
        oldest = min(self._flying.values(), default=None)
        if oldest is not None and time.monotonic() - oldest > _STALLED:
            return f"Kafka has not confirmed records for {time.monotonic() - oldest:.0f} s"
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
            item.answer.failed(error)

    def _release(self, item: Item) -> None:
        self._records -= 1
        self._bytes -= item.size

    # --- batches -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Hand over what waits for partitions of which nothing is under way."""
        self._round = None
        producer = self._producer
        if producer is None:
            return  # a new one is being made, and begins with this
        due, self._due = self._due, {}
        taken = 0
        for lane in due:
            if lane.flying:
                self._due[lane] = None
            elif lane.waiting:
                batch = producer.create_batch()
                items = self._fill(batch, lane)
                taken += len(items)
                if lane.waiting:
                    self._due[lane] = None
                lane.flying = True
                self._flying[lane] = time.monotonic()
                self._background(self._send(producer, lane, batch, items))
        if taken:
            self._many = taken > 1
            self._rests_until = self._loop.time() + GATHER

    @staticmethod
    def _fill(batch: Any, lane: Lane) -> list[Item]:
        items: list[Item] = []
        waiting = lane.waiting
        while waiting:
            item = waiting[0]
            if batch.append(timestamp=None, key=item.key, value=item.value, headers=item.headers) is None:
                break
            item.begun = True
            items.append(item)
            waiting.popleft()
        batch.close()
        return items

    async def _send(self, producer: AIOKafkaProducer, lane: Lane, batch: Any, items: Sequence[Item]) -> None:
        began, sent = time.monotonic(), time.time_ns() // 1_000_000
        handed_over = False
        error: Exception | None = None
        try:
            landing = await producer.send_batch(batch, lane.name, partition=lane.tp.partition)
            handed_over = True
            landed = await landing
        except asyncio.CancelledError:
            self._end(items, PublishUnknown("the log was closed"))
            raise
        except Exception as failed:  # noqa: BLE001 - whatever it is, those who wait are told
            error = failed
        finally:  # before those who wait are told: their next records find the partition idle
            lane.flying = False
            del self._flying[lane]
            if self._due:
                self._begin_soon()
        if error is None:
            if landed.timestamp_type == _APPEND_TIME:
                self.appended(sent, landed.timestamp, time.time_ns() // 1_000_000)
            self._landed(lane, items, landed)
        else:
            first = time.monotonic() - began < BACKOFF
            self._end(items, _meaning(error, lane, certain=not handed_over, first=first))
            self._renew(producer)

    def _landed(self, lane: Lane, items: Sequence[Item], landed: Any) -> None:
        if landed.offset < 0:  # it is there, but where is no longer known to the broker
            self._end(items, PublishUnknown("Kafka does not say where the record is"))
            return
        offset, at = landed.offset, landed.timestamp
        if at is None or at < 0:  # a topic that does not keep the append time: refused at the start of a hub
            at = time.time_ns() // 1_000_000
        for item in items:
            self._release(item)
            item.answer.landed(Published(lane.tp, Position(lane.epoch, offset), at))
            offset += 1

    def _end(self, items: Sequence[Item], error: LogError) -> None:
        for item in items:
            self._release(item)
            item.answer.failed(error)

    def _begin_soon(self) -> None:
        if self._round is None:
            wait = self._rests_until - self._loop.time() if self._many or self._flying else 0.0
            self._round = self._loop.call_later(wait, self._begin) if wait > 0 else self._loop.call_soon(self._begin)

    # --- the producer ------------------------------------------------------------------------------------------------

    async def _make(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(**self._options)
        try:
            async with asyncio.timeout(REQUEST_MS / 1000):
                await producer.start()
            fail_quietly(producer)
        except (TimeoutError, KafkaError) as error:
            await shut(producer, within=BACKOFF)
            if isinstance(error, KafkaConnectionError | TimeoutError):
                raise await why_away(self._address, within_ms=REQUEST_MS) from None
            raise LogAway(f"Kafka does not let the hub publish: {words(error)}") from None
        except BaseException:
            await shut(producer, within=BACKOFF)
            raise
        return producer

    def _renew(self, old: AIOKafkaProducer) -> None:
        """After a batch that failed the numbers by which brokers recognise batches no longer fit: a new producer."""
        if self._producer is not old:
            return
        self._producer = None
        self._background(self._make_anew())
        self._background(shut(old, within=_CLOSE_SECONDS))

    def _background(self, run: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(run)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make_anew(self) -> None:
        while self._open:
            try:
                self._producer = await self._make()
            except LogError as error:
                self._away = str(error)
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                self._away = None
                self._begin_soon()
                return


def _meaning(error: Exception, lane: Lane, *, certain: bool, first: bool) -> LogError:
    """What a failed batch says about its records. `certain`: it was never handed over; `first`: never tried again."""
    text = f"{lane.tp.topic} does not take the record: {words(error)}"
    if certain or isinstance(error, _REFUSES) or (first and isinstance(error, _FORBIDS)):
        return PublishRefused(text)
    return PublishUnknown(text)
