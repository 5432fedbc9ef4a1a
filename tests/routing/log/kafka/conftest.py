"""What tests on a real Kafka share: a log over topics of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contract.engines import Kafka
from tests.engines.kafka import Kafka as Broker


@pytest.fixture
async def engine(kafka: str) -> AsyncIterator[Kafka]:
    """Over the broker that all tests share."""
    engine = Kafka(kafka)
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture
async def alone(own_kafka: Broker) -> AsyncIterator[Kafka]:
    """Over a broker of this test's own, to be killed and paused."""
    engine = Kafka(own_kafka.address)
    await engine.open()
    yield engine
    await engine.close()
