"""Publishing in rounds: a record that comes alone waits for nothing, of several the batches go together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from routing.log.kafka import publisher
from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.answers import One
from routing.log.kafka.publisher import Lane, Publisher
from routing.log.port import TopicPartition


class _Batch:
    def append(self, **record: Any) -> object:
        return record

    def close(self) -> None:
        """Nothing to do."""


class _Landed:
    offset, timestamp, timestamp_type = 0, 0, 0


class _Producer:
    """Takes every batch at once; `handed` are the partitions of those that it was given, `landing` answers them."""

    def __init__(self) -> None:
        self.handed: list[int] = []
        self.landing: list[asyncio.Future[_Landed]] = []

    def create_batch(self) -> _Batch:
        return _Batch()

    async def send_batch(self, batch: _Batch, topic: str, *, partition: int) -> asyncio.Future[_Landed]:
        self.handed.append(partition)
        self.landing.append(asyncio.get_running_loop().create_future())
        return self.landing[-1]

    def land(self) -> None:
        for future in self.landing:
            if not future.done():
                future.set_result(_Landed())


class _Publishing:
    def __init__(self) -> None:
        self.producer = _Producer()
        self.publisher = Publisher(KafkaAddress.parse("kafka://127.0.0.1:1"))
        self.publisher._loop = asyncio.get_running_loop()
        self.publisher._producer = self.producer
        self.publisher._open = True
        self.lanes = [Lane(TopicPartition("t", number), "t", 1, 2**20) for number in range(4)]

    def put(self, *partitions: int) -> None:
        for number in partitions:
            answer = One(asyncio.get_running_loop().create_future())
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
