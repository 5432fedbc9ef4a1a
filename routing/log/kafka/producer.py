"""Handing batches to the brokers: each to the leader of its partition, again and again until it is there, once.

A broker recognises a batch that it has by who sent it and its number, and answers where it stands. So a batch whose
fate is not known is simply sent again, the same bytes, and what comes after it waits. A batch that was refused for good
ends its lane's identity: the next one of that lane comes under a new one, and nobody else notices.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, Protocol

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.transaction import InitProducerIdRequest

from routing.log.kafka.batch import NOBODY, Batch, Identity, Lane
from routing.log.kafka.options import words
from routing.log.kafka.packed import Named
from routing.log.kafka.produce_request import Produced, ProduceRequest
from routing.log.kafka.wire import BACKOFF, REQUEST_MS, KafkaError, Wire, failure
from routing.log.port import LogAway, LogError, PublishRefused, PublishUnknown

_REFUSES: Final = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTopicError, PolicyViolationError)
_FORBIDS: Final = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)
_LANE: Final = "publish"
_ACKS_ALL: Final = -1
_ACKS_LEADER: Final = 1
_AGAIN_SECONDS: Final = 0.5
_DUPLICATE: Final = 46
"""The broker's answer where it has the batch, and no longer knows where."""


class Handed(Protocol):
    """Who is told what became of batches."""

    def landed(self, batch: Batch, offset: int, append_time: int) -> None:
        """It is on the log; `offset` as in Produced."""

    def failed(self, batch: Batch, error: LogError) -> None: ...

    def ready(self) -> None:
        """Lanes that were not ready may be now."""


class Producer:
    """Sends to one cluster. With `durable` all replicas that are in sync have what landed, and nothing lands twice;
    else the leader's word is enough, and a batch is given up after REQUEST_MS."""

    def __init__(self, wire: Wire, told: Handed, *, durable: bool) -> None:
        self._wire = wire
        self._told = told
        self._durable = durable
        self._acks = _ACKS_ALL if durable else _ACKS_LEADER
        self._identity: Identity | None = None if durable else NOBODY
        self._again: list[Batch] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._mending = False
        self._leaderless = False
        self.away: str | None = None
        """Why nothing can be handed over, if so."""

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Reach the cluster. Raises LogAway or LogUnusable."""
        until = time.monotonic() + REQUEST_MS / 1000
        while True:
            try:
                await self._reach()
                return
            except KafkaError as error:
                if not error.retriable or time.monotonic() > until:
                    raise LogAway(_why(error)) from None
            await asyncio.sleep(BACKOFF)  # one that has just begun does not know yet who sends

    def start_soon(self) -> None:
        """Start without waiting: no lane is ready until the cluster is reached."""
        self._mend_soon()

    async def close(self) -> None:
        """Give up what is under way, without a word about it."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._wire.close()

    # --- batches -----------------------------------------------------------------------------------------------------

    def ready(self, lane: Lane) -> bool:
        """Whether a batch of it can be made and sent now. If not, `told.ready` will say when to ask again."""
        led = self._wire.started and self._wire.leader(*lane.named) is not None
        if led and lane.identity is None:
            lane.identity, lane.sequence = self._identity, 0
        if led and lane.identity is not None:
            return True
        self._leaderless = self._leaderless or not led
        self._mend_soon()
        return False

    def batch(self, lane: Lane) -> Batch:
        """What waits in a lane that is ready, packed."""
        assert lane.identity is not None  # noqa: S101  # it is ready
        return Batch(lane, lane.identity)

    def send(self, batches: Iterable[Batch]) -> None:
        """Each to the broker that leads its partition, all that go to one broker in one request."""
        by_leader: dict[int, dict[Named, Batch]] = {}
        for batch in batches:
            leader = self._wire.leader(*batch.lane.named)
            if leader is None:
                self._later(batch)
            else:
                by_leader.setdefault(leader, {})[batch.lane.named] = batch
        for leader, theirs in by_leader.items():
            self._begin(self._ask(leader, theirs))

    async def _ask(self, leader: int, batches: dict[Named, Batch]) -> None:
        for batch in batches.values():
            batch.asked += 1
        request = ProduceRequest(self._acks, REQUEST_MS, {named: batch.data for named, batch in batches.items()})
        try:
            answer: list[Produced] = await self._wire.ask(leader, request, lane=_LANE, timeout=REQUEST_MS / 1000)
        except KafkaError as error:
            for batch in batches.values():
                self._refused(batch, error)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            for batch in batches.values():
                self._end(batch, PublishUnknown(f"publishing failed: {type(error).__name__}: {error}"))
            return
        for one in answer:
            answered = batches.pop(one.name, None)
            if answered is None:
                continue
            refusal = None if one.error == _DUPLICATE else failure(one.error)
            if refusal is None:
                answered.taken()
                self._told.landed(answered, one.offset, one.append_time)
            else:
                self._refused(answered, refusal)
        for batch in batches.values():
            self._refused(batch, RequestTimedOutError())

    def _refused(self, batch: Batch, error: KafkaError) -> None:
        """Try again what may come right; `error` says of everything else what became of it."""
        worth_it = self._durable or time.monotonic() - batch.began < REQUEST_MS / 1000
        if error.retriable and worth_it:
            self._later(batch)
        else:
            self._end(batch, _meaning(error, batch))

    def _end(self, batch: Batch, error: LogError) -> None:
        lane = batch.lane
        if lane.identity is self._identity and self._durable:
            self._identity = None
        lane.identity = None
        self._told.failed(batch, error)

    def _later(self, batch: Batch) -> None:
        self._again.append(batch)
        if len(self._again) == 1:
            self._begin(self._try_again())

    async def _try_again(self) -> None:
        """After a moment, and having asked who leads what."""
        await asyncio.sleep(BACKOFF)
        with suppress(Exception):  # whatever it is, the batches are not forgotten for it
            await self._wire.refresh()
        again, self._again = self._again, []
        self.send(again)

    # --- the cluster -------------------------------------------------------------------------------------------------

    def _mend_soon(self) -> None:
        if not self._mending:
            self._mending = True
            self._begin(self._mend())

    async def _mend(self) -> None:
        """See to what a lane that is not ready lacks. Who asks for one again and finds it lacking begins this anew."""
        while True:
            try:
                await self._reach()
                if self._leaderless:
                    self._leaderless = False
                    await asyncio.sleep(BACKOFF)
                    await self._wire.refresh()
            except LogError as error:
                self.away = str(error)
            except KafkaError as error:
                self.away = _why(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                self.away = f"reaching Kafka failed: {type(error).__name__}: {error}"
            else:
                break
            await asyncio.sleep(_AGAIN_SECONDS)
        self.away = None
        self._mending = False
        self._told.ready()

    async def _reach(self) -> None:
        """Know the brokers, and be known to them. Raises LogAway, LogUnusable, KafkaError."""
        await self._wire.start()
        if self._identity is None:
            node = self._wire.any_node()
            answer = await self._wire.ask(
                node or 0, InitProducerIdRequest(None, REQUEST_MS), lane=_LANE, timeout=REQUEST_MS / 1000
            )
            error = failure(answer.error_code)
            if error is not None:
                raise error
            self._identity = Identity(answer.producer_id, answer.producer_epoch)

    def _begin(self, run: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(run)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _why(error: KafkaError) -> str:
    """Why nothing can be handed over: the cluster is not there, or it says no."""
    return f"Kafka {'takes no records yet' if error.retriable else 'does not let the hub publish'}: {words(error)}"


def _meaning(error: KafkaError, batch: Batch) -> LogError:
    """What the end of a batch says about its records. A broker that was asked once forbids what it has not taken."""
    text = f"{batch.lane.tp.topic} does not take the record: {words(error)}"
    if isinstance(error, _REFUSES) or (batch.asked == 1 and isinstance(error, _FORBIDS)):
        return PublishRefused(text)
    return PublishUnknown(text)
