"""The store engines as the tests of the contract see them: a way to open handles on the same data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from routing.store.embedded import EmbeddedStore
from routing.store.memory import MemoryData, MemoryStore
from routing.store.mongo import MongoStore
from routing.store.port import Store
from tests.engines.databases import Databases

Making = Callable[[], Store]
"""Makes handles, not started, one after the other or side by side."""

ENGINES: Final = ("embedded", "memory", "mongo")

SEVERAL_PROCESSES: Final = ("memory", "mongo")
"""Those whose handles hear of one another; the embedded one serves one process, and so one handle."""


@contextmanager
def making(engine: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Making]:
    """An empty store of this engine. `folder` is the test's own."""
    if engine == "embedded":
        yield lambda: EmbeddedStore(folder)
    elif engine == "memory":
        data = MemoryData()
        yield lambda: MemoryStore(data)
    else:
        databases: Databases = request.getfixturevalue("databases")
        uri = databases.take()
        yield lambda: MongoStore(uri, timeout=10)
        databases.give_back(uri)
