"""Publishing in rounds: a record that comes alone waits for nothing, of several the batches go together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from routing.log.kafka import publisher
from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.answers import Nobody
from routing.log.kafka.batch import NOBODY, Batch, Lane
from routing.log.kafka.publisher import Publisher
from routing.log.port import TopicPartition


class _Producer:
    """Takes every batch at once; `handed` are the partitions of those that it was given, `land` answers them."""

    away = None
    leads = True

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.handed: list[int] = []
        self._under_way: list[Batch] = []

    def ready(self, lane: Lane) -> bool:
        return self.leads

    async def close(self) -> None:
        """Nothing to do."""

    def batch(self, lane: Lane) -> Batch:
        return Batch(lane, NOBODY)

    def send(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            self.handed.append(batch.lane.tp.partition)
            self._under_way.append(batch)

    def land(self) -> None:
        under_way, self._under_way = self._under_way, []
        for batch in under_way:
            self._publisher.landed(batch, 0, 0)


class _Publishing:
    def __init__(self) -> None:
        self.publisher = Publisher(KafkaAddress.parse("kafka://127.0.0.1:1"), ["t"])
        self.producer = _Producer(self.publisher)
        self.publisher._loop = asyncio.get_running_loop()
        self.publisher._producer = self.producer  # type: ignore[assignment]  # what it asks of one
        self.publisher._open = True
        self.lanes = [Lane(TopicPartition("t", number), "t", 1, 2**20) for number in range(4)]

    def put(self, *partitions: int) -> None:
        for number in partitions:
            answer = Nobody()
            self.publisher.put(self.lanes[number], b"key", (), b"value", answer)

    async def turns(self) -> list[int]:
        """What was handed over after some turns of the event loop, without any time."""
        for _ in range(5):
            await asyncio.sleep(0)
        return self.producer.handed


@pytest.fixture
async def publishing(monkeypatch: pytest.MonkeyPatch) -> _Publishing:
    monkeypatch.setattr(publisher, "GATHER", 0.3)  # some turns of the event loop are shorter on any machine
    return _Publishing()


async def test_a_record_that_comes_alone_waits_for_nothing(publishing: _Publishing) -> None:
    for number in range(3):
        publishing.put(number)
        assert await publishing.turns() == list(range(number + 1))
        publishing.producer.land()
        await publishing.turns()


async def test_where_several_come_the_next_ones_wait_for_one_another(publishing: _Publishing) -> None:
    publishing.put(0, 1)
    assert await publishing.turns() == [0, 1]
    publishing.producer.land()
    publishing.put(2)
    assert await publishing.turns() == [0, 1]
    publishing.put(3)
    while len(publishing.producer.handed) < 3:
        await asyncio.sleep(0.001)
    assert publishing.producer.handed == [0, 1, 2, 3], "both were handed over in one round"


async def test_a_partition_that_is_busy_gives_its_next_batch_when_it_is_idle(publishing: _Publishing) -> None:
    publishing.put(0)
    await publishing.turns()
    publishing.put(0, 0)
    assert await publishing.turns() == [0]
    publishing.producer.land()
    while len(publishing.producer.handed) < 2:
        await asyncio.sleep(0.001)
    assert publishing.producer.handed == [0, 0], "what came meanwhile is one batch"


async def test_closing_waits_for_no_record_whose_time_is_up_meanwhile(publishing: _Publishing) -> None:
    """Its partition has no leader, so nothing of it can be handed over."""
    publishing.producer.leads = False
    publishing.put(0)
    await publishing.turns()
    closing = asyncio.create_task(publishing.publisher.close())
    await publishing.turns()
    assert not closing.done()
    publishing.publisher.give_up(list(publishing.lanes[0].waiting))
    await asyncio.wait_for(closing, 1)
    assert publishing.publisher.held_bytes == 0
