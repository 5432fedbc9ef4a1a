"""Handing batches to brokers that say no, say nothing, or are not there: what is sent again, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    OutOfOrderSequenceNumber,
    TopicAuthorizationFailedError,
)

from routing.log.kafka import producer as module
from routing.log.kafka.answers import Nobody
from routing.log.kafka.batch import Batch, Item, Lane
from routing.log.kafka.produce_request import Produced, ProduceRequest
from routing.log.kafka.producer import Producer
from routing.log.port import LogAway, LogError, PublishRefused, PublishUnknown, TopicPartition

Answer = Callable[[ProduceRequest], Any]


def no(error: type[KafkaError]) -> Answer:
    """The broker's answer to a request for partition 0."""
    return lambda _: [Produced(("t", 0), error.errno, -1, -1)]


def lost(_: ProduceRequest) -> Any:
    raise KafkaConnectionError


def unforeseen(_: ProduceRequest) -> Any:
    raise RuntimeError("broken for a test")


def taken(request: ProduceRequest) -> list[Produced]:
    return [Produced(("t", number), 0, 7, 1_000) for number in range(2)]


class _Wire:
    """`answers` are given in turn, then everything is taken. `leaders` by partition."""

    started = True

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.sent: list[bytes] = []
        self.leaders: dict[int, int] = {0: 1, 1: 1}
        self.refreshed = 0
        self.refresh_fails = 0
        self.identities = 0
        self.unknown: list[int] = []  # error codes, before an identity is given

    async def start(self) -> None:
        """It is started."""

    def any_node(self) -> int:
        return 1

    def leader(self, name: str, partition: int) -> int | None:
        return self.leaders.get(partition)

    async def refresh(self) -> None:
        self.refreshed += 1
        self.leaders.setdefault(0, 2)
        if self.refresh_fails:
            self.refresh_fails -= 1
            raise RuntimeError("broken for a test")

    async def ask(self, node: int, request: Any, **_: Any) -> Any:
        if not isinstance(request, ProduceRequest):
            if self.unknown:
                return SimpleNamespace(error_code=self.unknown.pop(0))
            self.identities += 1
            return SimpleNamespace(error_code=0, producer_id=self.identities, producer_epoch=0)
        self.sent.append(request.encode())
        return (self.answers.pop(0) if self.answers else taken)(request)


class _Told:
    def __init__(self) -> None:
        self.ended: asyncio.Queue[int | LogError] = asyncio.Queue()
        self.heard = asyncio.Event()

    def landed(self, batch: Batch, offset: int, append_time: int) -> None:
        self.ended.put_nowait(offset)

    def failed(self, batch: Batch, error: LogError) -> None:
        self.ended.put_nowait(error)

    def ready(self) -> None:
        self.heard.set()


class _Producing:
    def __init__(self, *, durable: bool = True) -> None:
        self.wire, self.told = _Wire(), _Told()
        self.producer = Producer(self.wire, self.told, durable=durable)  # type: ignore[arg-type]  # what it asks of one
        self.lanes = [Lane(TopicPartition("t", number), "t", 1, 2**20) for number in range(2)]

    async def send(self, number: int = 0) -> int | LogError:
        """Send one record, and return what became of it: an offset or an error."""
        lane = self.lanes[number]
        while not self.producer.ready(lane):
            self.told.heard.clear()
            await self.told.heard.wait()
        lane.waiting.append(Item(lane, b"key", [], b"value", 10, Nobody()))
        self.producer.send([self.producer.batch(lane)])
        return await asyncio.wait_for(self.told.ended.get(), 10)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF", 0.0)
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.0)


@pytest.fixture
async def producing() -> _Producing:
    producing = _Producing()
    await producing.producer.start()
    return producing


async def test_a_start_waits_for_brokers_that_have_just_begun_and_not_where_they_say_no() -> None:
    producing = _Producing()
    producing.wire.unknown = [CoordinatorLoadInProgressError.errno]
    await producing.producer.start()
    assert producing.wire.identities == 1
    producing = _Producing()
    producing.wire.unknown = [ClusterAuthorizationFailedError.errno]
    with pytest.raises(LogAway, match="does not let the hub publish"):
        await producing.producer.start()


async def test_a_cluster_that_is_not_there_is_not_said_to_refuse(
    producing: _Producing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.01)
    producing.wire.answers = [no(MessageSizeTooLargeError)]
    await producing.send()
    producing.wire.unknown = [CoordinatorNotAvailableError.errno]
    assert not producing.producer.ready(producing.lanes[0])
    await asyncio.sleep(0)
    assert str(producing.producer.away).startswith("Kafka takes no records yet: ")
    assert await producing.send() == 7
    assert producing.producer.away is None


@pytest.mark.parametrize(
    "trouble", [lost, no(NotLeaderForPartitionError), lambda _: []], ids=["lost", "moved", "silent"]
)
async def test_p1_what_may_be_there_or_come_there_is_sent_again_the_same_bytes(
    producing: _Producing, trouble: Answer
) -> None:
    producing.wire.answers = [trouble, trouble]
    assert await producing.send() == 7
    assert len(producing.wire.sent) == 3
    assert len(set(producing.wire.sent)) == 1
    assert producing.wire.refreshed == 2
    assert producing.wire.identities == 1
    assert producing.lanes[0].sequence == 1


async def test_a_no_is_certain_where_the_broker_says_why_and_the_next_batch_has_another_identity(
    producing: _Producing,
) -> None:
    await producing.send(1)
    producing.wire.answers = [no(MessageSizeTooLargeError)]
    assert isinstance(await producing.send(), PublishRefused)
    assert await producing.send() == 7
    assert await producing.send(1) == 7
    assert producing.wire.identities == 2
    identities = [lane.identity for lane in producing.lanes]
    assert [one.producer_id for one in identities if one is not None] == [2, 1]
    assert [lane.sequence for lane in producing.lanes] == [1, 2]


@pytest.mark.parametrize(
    ("answers", "certain"),
    [
        ([no(TopicAuthorizationFailedError)], True),
        ([lost, no(TopicAuthorizationFailedError)], False),
        ([no(OutOfOrderSequenceNumber)], False),
        ([unforeseen], False),
    ],
    ids=["forbidden", "forbidden when asked again", "out of order", "unforeseen"],
)
async def test_p1_a_no_is_certain_only_where_nothing_of_it_can_be_there(
    producing: _Producing, answers: list[Answer], *, certain: bool
) -> None:
    producing.wire.answers = answers
    assert isinstance(await producing.send(), PublishRefused if certain else PublishUnknown)
    assert await producing.send() == 7, "the next one is not held up by it"
    assert producing.wire.identities == 2


async def test_a_batch_that_the_broker_has_and_no_longer_knows_where_is_not_sent_again(producing: _Producing) -> None:
    producing.wire.answers = [lambda _: [Produced(("t", 0), 46, -1, -1)]]
    assert await producing.send() == -1
    assert len(producing.wire.sent) == 1
    assert producing.lanes[0].sequence == 1


async def test_a_partition_without_a_leader_waits_for_one_and_holds_up_no_other(producing: _Producing) -> None:
    del producing.wire.leaders[0]
    assert not producing.producer.ready(producing.lanes[0])
    assert await producing.send(1) == 7
    assert await producing.send(0) == 7
    assert producing.wire.refreshed == 1


async def test_what_goes_wrong_while_the_cluster_is_asked_loses_no_batch(producing: _Producing) -> None:
    producing.wire.answers = [lost]
    producing.wire.refresh_fails = 1
    assert await producing.send() == 7
    del producing.wire.leaders[0]
    producing.wire.refresh_fails = 2
    assert await producing.send() == 7
    assert producing.producer.away is None


async def test_what_is_not_durable_is_given_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    producing = _Producing(durable=False)
    producing.wire.answers = [lost]
    assert await producing.send() == 7
    monkeypatch.setattr(module, "REQUEST_MS", -1)
    producing.wire.answers = [lost]
    assert isinstance(await producing.send(), PublishUnknown)
    assert producing.wire.identities == 0
