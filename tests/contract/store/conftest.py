"""What routing/store/port.py says, on every engine: the stores that it is told with. An engine joins in stores.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from routing.store.port import Store
from tests.contract.store.stored import Harness
from tests.contract.stores import ENGINES, Making, making


@pytest.fixture(params=ENGINES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Making]:
    """How to open handles on the same data."""
    with making(request.param, tmp_path, request) as make:
        yield make


@pytest.fixture
async def harness(make: Making) -> AsyncIterator[Harness]:
    harness = Harness(make)
    await harness.store.start()
    yield harness
    await harness.close()


@pytest.fixture
def store(harness: Harness) -> Store:
    return harness.store
