"""What tests on a real Kafka share: a log over topics of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.engines import Kafka
from tests.engines.kafka import Kafka as Broker
from tests.engines.plugin import Engines


@pytest.fixture
async def engine(kafka: str) -> AsyncIterator[Kafka]:
    """Over the broker that all tests share."""
    engine = Kafka(kafka)
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture(scope="module")
def one_victim(engines: Engines) -> Iterator[Broker]:
    broker = engines.own_kafka()
    yield broker
    broker.remove()


@pytest.fixture
def victim(one_victim: Broker) -> Iterator[Broker]:
    """A broker to be killed and paused, well when the test begins. Starting one for each test would take too long."""
    one_victim.start()
    yield one_victim
    one_victim.go_on()


@pytest.fixture
async def alone(victim: Broker) -> AsyncIterator[Kafka]:
    """Over that broker."""
    engine = Kafka(victim.address)
    await engine.open()
    yield engine
    await engine.close()
