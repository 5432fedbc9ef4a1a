"""Two operators edit one party at the same moment, over HTTP, on every engine: one is told of the newer revision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.client import Client
from connectors.values import Role
from hub.onboarding.desk import Desk, Identity
from hub.onboarding.handshake import Handshake
from hub.operator.app import operator_app
from hub.operator.readiness import readiness
from hub.registry import Registry
from routing.clock import SystemClock
from routing.directory import Party, Platform, Status
from routing.log.memory import MemoryLog
from routing.store.port import Store
from tests.contract.stores import ENGINES, SEVERAL_PROCESSES, making
from tests.hub.onboarding.hubside import HUB, LOOPBACK, TNM, made_keys

KEY = "operator-key-for-tests"
SETTINGS = "/api/platforms/p1/settings"

Call = Callable[..., Awaitable[tuple[int, Any]]]


class Operator:
    """An operator port of a process of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.registry = Registry(store, made_keys(), hub=HUB)
        self.session = ClientSession(headers={"Authorization": f"Bearer {KEY}"})

    async def start(self, stack: AsyncExitStack) -> None:
        stack.push_async_callback(self.session.close)
        await self.store.start()
        stack.push_async_callback(self.store.close)
        await self.registry.start()
        stack.push_async_callback(self.registry.stop)
        handshake = Handshake(Client(LOOPBACK), within=1.0, allow_networks=LOOPBACK)
        desk = Desk(self.registry, made_keys(), handshake, Identity(HUB, "Test", "http://127.0.0.1/versions", 1, 1))
        log = MemoryLog((), clock=SystemClock().utc)
        server = TestServer(
            operator_app(desk, self.store, log, SecretStr(KEY), ready=lambda: readiness(()), metrics=lambda: b"")
        )
        await server.start_server()
        stack.push_async_callback(server.close)
        self._base = f"http://127.0.0.1:{server.port}"

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.request(method, self._base + path, json=body) as response:
            return response.status, await response.json()


@pytest.fixture(params=ENGINES)
async def operators(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Operator, Operator]]:
    """Two, of two processes where the engine serves more than one."""
    async with AsyncExitStack() as stack:
        make = stack.enter_context(making(request.param, tmp_path, request))
        one = other = Operator(make())
        await one.start(stack)
        platform = Platform("p1", status=Status.CONNECTED, parties=(Party(TNM, Role.CPO),), version="2.2.1")
        await one.registry.save(platform)
        if request.param in SEVERAL_PROCESSES:
            other = Operator(make())
            await other.start(stack)
        yield one, other


@pytest.mark.parametrize(
    "edits",
    [
        (("PATCH", SETTINGS, {"form": "raw"}), ("PATCH", SETTINGS, {"form": "base64"})),
        (("PATCH", SETTINGS, {"form": "raw"}), ("POST", "/api/parties/NL/TNM/suspend")),
        (("POST", "/api/parties/NL/TNM/suspend"), ("POST", "/api/parties/NL/TNM/remove")),
    ],
    ids=["settings", "settings and suspend", "suspend and remove"],
)
async def test_of_two_simultaneous_edits_one_is_200_and_one_409(
    operators: tuple[Operator, Operator],
    edits: tuple[tuple[Any, ...], tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = operators
    if one is other:
        _hold_until_both_came(one.store, monkeypatch)
    else:
        barrier, saves = asyncio.Barrier(2), count(1)

        async def both_decided() -> None:
            if next(saves) <= 2:
                await barrier.wait()

        for store in (one.store, other.store):
            monkeypatch.setattr(store, "save_platform", _after(both_decided, store.save_platform))
    results = await asyncio.gather(one.call(*edits[0]), other.call(*edits[1]))
    assert sorted(status for status, _ in results) == [200, 409], results
    monkeypatch.undo()
    (refused,) = [content for status, content in results if status == 409]
    (current,) = (await one.store.load_platforms())[1]
    assert refused["revision"] == current.revision == 2
    assert "at revision 2 now" in refused["error"]
    lost = edits[[status for status, _ in results].index(409)]
    if "suspend and remove" not in str(edits):
        status, _ = await other.call(*lost)
        assert status in (200, 404), "said again it is made, unless the party is gone"


async def test_an_edit_of_a_revision_is_refused_once_there_is_a_newer_one(
    operators: tuple[Operator, Operator],
) -> None:
    one, other = operators
    status, first = await one.call("PATCH", SETTINGS, {"form": "raw", "revision": 1})
    assert (status, first["revision"]) == (200, 2)
    status, refused = await other.call("PATCH", SETTINGS, {"validate": "refuse", "revision": 1})
    assert (status, refused["revision"]) == (409, 2)
    status, second = await other.call("PATCH", SETTINGS, {"validate": "refuse", "revision": 2})
    assert (status, second["form"], second["validate"], second["revision"]) == (200, "raw", "refuse", 3)


async def test_what_the_hub_changes_by_itself_meanwhile_is_no_other_edit(
    operators: tuple[Operator, Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = operators
    stored = one.registry.directory.platforms["p1"]
    save = one.store.save_platform

    async def offline() -> None:
        monkeypatch.undo()
        await save(replace(stored, status=Status.OFFLINE))

    monkeypatch.setattr(one.store, "save_platform", _after(offline, save))
    status, _ = await one.call("POST", "/api/parties/NL/TNM/suspend")
    (current,) = (await one.store.load_platforms())[1]
    assert (status, current.status, current.parties[0].suspended) == (200, Status.OFFLINE, True)


def _hold_until_both_came(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator port reads the directory for each request that comes."""
    came, loads, load = asyncio.Event(), count(1), store.load_platforms

    async def loading() -> tuple[int, Sequence[Platform]]:
        if next(loads) == 2:
            came.set()
        return await load()

    monkeypatch.setattr(store, "load_platforms", loading)
    monkeypatch.setattr(store, "save_platform", _after(came.wait, store.save_platform))


def _after(first: Callable[[], Awaitable[object]], save: Callable[[Platform], Awaitable[Platform]]) -> Any:
    async def saving(platform: Platform) -> Platform:
        await first()
        return await save(platform)

    return saving
