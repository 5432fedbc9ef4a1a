"""One hub for all tests of a worker that may share it, one with short deadlines, and the parties of each test.

Every scenario runs twice: on the embedded engine, and on a real Kafka and MongoDB where these can be had. A test of
one of them alone says so: `@pytest.mark.parametrize("backing", ["embedded"], indirect=True)`.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
import uvloop

from tests.engines.databases import Databases
from tests.engines.plugin import Engines
from tests.scenarios.backing import Backing, OnEngines, OwnFolder
from tests.scenarios.hub import LOOPBACK, RunningHub
from tests.scenarios.outside import Guests, Outside, outside
from tests.scenarios.parties import Parties
from tests.scenarios.vault import Vault


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """The parties stand on the loop that the hub itself stands on; HTTP takes a sixth less there than on asyncio's."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="package")
def vault() -> Iterator[Vault]:
    """Every credential that is met by these tests."""
    found = Vault()
    with pytest.MonkeyPatch.context() as patch:
        found.watch(patch)
        yield found


@pytest.fixture(scope="package", params=["embedded", "engines"])
def backing(request: pytest.FixtureRequest, engines: Engines) -> Callable[[], Backing]:
    """Makes the log and store of one hub."""
    if request.param == "embedded":
        return OwnFolder
    kafka, mongo = engines.kafka(), engines.mongo()
    databases: Databases = request.getfixturevalue("databases")
    return lambda: OnEngines(kafka, mongo, databases)


@pytest.fixture(scope="package")
def hub(
    tmp_path_factory: pytest.TempPathFactory, vault: Vault, backing: Callable[[], Backing]
) -> Iterator[RunningHub | Outside]:
    """A hub as it comes, shared: whoever uses it brings parties of its own. Or the one from outside."""
    if (other := outside()) is not None:
        yield other
        return
    with RunningHub(tmp_path_factory.mktemp("hub"), vault, backing=backing()) as running:
        yield running


@pytest.fixture(scope="package")
def hasty_hub(
    tmp_path_factory: pytest.TempPathFactory, vault: Vault, backing: Callable[[], Backing]
) -> Iterator[RunningHub]:
    """A hub whose deadlines and limits are short, shared."""
    settings: dict[str, Any] = {
        "connect_seconds": 0.8, "authorize_seconds": 1.2, "get_seconds": 1.2, "list_seconds": 20,
        "command_seconds": 1.2, "directed_seconds": 2.2, "broadcast_seconds": 1.2, "handshake_seconds": 1.5,
        "max_body_bytes": 65_536, "max_answer_bytes": 1_048_576,
    }  # fmt: skip
    with RunningHub(tmp_path_factory.mktemp("hasty"), vault, backing=backing(), **settings) as running:
        yield running


class MakeHub(Protocol):
    """Makes a hub for one test, not started; its settings are HUB_ variables without the prefix."""

    def __call__(self, *, allow: str = LOOPBACK, **settings: object) -> RunningHub: ...


@pytest.fixture
def make_hub(tmp_path: Path, vault: Vault, backing: Callable[[], Backing]) -> Iterator[MakeHub]:
    """Hubs of this test alone; those that still run at its end are stopped."""
    with ExitStack() as stack:

        def make(*, allow: str = LOOPBACK, **settings: object) -> RunningHub:
            made = RunningHub(tmp_path / "hub", vault, allow=allow, backing=backing(), **settings)
            stack.push(made.__exit__)
            return made

        yield make


@pytest.fixture
async def parties(hub: RunningHub | Outside) -> AsyncIterator[Parties]:
    """The parties of this test, at the shared hub."""
    async with Guests(hub) if isinstance(hub, Outside) else Parties(hub) as made:
        yield made


@pytest.fixture
async def hasty(hasty_hub: RunningHub) -> AsyncIterator[Parties]:
    """The parties of this test, at the hub with short deadlines."""
    async with Parties(hasty_hub) as made:
        yield made
