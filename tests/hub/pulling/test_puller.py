"""Who has its lists read, and when: by one process, each platform for itself, nobody who is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from connectors.errors import NotConnected
from connectors.values import Role
from hub.pulling import progress, puller
from hub.pulling.progress import Progress
from hub.pulling.puller import Puller
from routing import complete
from routing.directory import Directory, Party, Platform, Status
from routing.store.memory import MemoryData, MemoryStore
from routing.store.port import Lease
from tests.hub.edge.harness import CPO, EMSP, HUB, Clock, platform

ONE = platform("cpo", Party(CPO, Role.CPO), offers=("locations", "tariffs", "tokens"))
TWO = platform("emsp", Party(EMSP, Role.EMSP))


class Reading:
    """A reader that ends at once, or does what `does` says; `asked` is what for."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self.asked: list[tuple[str, str, Progress]] = []
        self.does: Callable[[str, str], None] = lambda id, module: None
        self.memory = True
        self._store = store
        self._clock = clock

    def remembers(self, platform: str, module: str, so_far: Progress) -> bool:
        return self.memory

    async def read(self, platform: str, module: str, so_far: Progress, lease: Lease) -> Progress:
        self.asked.append((platform, module, so_far))
        self.does(platform, module)
        ended = replace(
            so_far, covered=so_far.owners, ended=self._clock.utc(), whole=so_far.started, last=so_far.started
        )
        await progress.write(self._store, platform, module, ended, lease)
        return ended

    @property
    def lists(self) -> list[tuple[str, str]]:
        return [(id, module) for id, module, _ in self.asked]


class Listed(MemoryStore):
    """Keeps which of its small facts were listed."""

    def __init__(self, data: MemoryData) -> None:
        super().__init__(data)
        self.listed: list[str] = []

    async def list_meta(self, prefix: str) -> Mapping[str, bytes]:
        self.listed.append(prefix)
        return await super().list_meta(prefix)


class Side:
    def __init__(self, *platforms: Platform) -> None:
        self.store, self.clock = Listed(MemoryData()), Clock()
        self.platforms = {one.id: one for one in platforms}
        self.reader = Reading(self.store, self.clock)

    @property
    def directory(self) -> Directory:
        return Directory(self.platforms.values(), hub=HUB)

    def set(self, platform: Platform) -> None:
        self.platforms[platform.id] = platform

    async def known(self) -> dict[tuple[str, str], Progress]:
        return await progress.read(self.store)

    @asynccontextmanager
    async def running(self, *, first: bool = True, daily: bool = False) -> AsyncIterator[None]:
        reader: Any = self.reader
        await self.store.start()
        made = Puller(self.store, self, reader, self.clock, name="test", first=first, daily=daily)
        task = asyncio.create_task(made.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def settled(self) -> None:
        """Until what is due was done: some looks went by in which nothing was."""
        quiet, before = 0, None
        async with asyncio.timeout(30):
            while quiet < 5:
                looks = self.store.listed.count("pull-asked/")
                while self.store.listed.count("pull-asked/") == looks:
                    await asyncio.sleep(puller._LOOK_SECONDS)
                now = len(self.reader.asked), dict(self.store.data.meta)
                quiet, before = quiet + 1 if now == before else 0, now


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(puller, "_LOOK_SECONDS", 0.005)


async def test_whoever_registers_has_what_it_owns_read_once() -> None:
    side = Side(ONE)
    async with side.running():
        await side.settled()
        assert side.reader.lists == [("cpo", "locations"), ("cpo", "tariffs")]
        side.set(TWO)
        await side.settled()
        assert side.reader.lists[2:] == [("emsp", "tokens")]
    assert all(one.ended is not None for one in (await side.known()).values())


async def test_where_it_is_not_wanted_only_what_was_asked_for_is_read() -> None:
    side = Side(ONE, TWO)
    async with side.running(first=False):
        await side.settled()
        assert not side.reader.lists
        await progress.ask(side.store, "cpo", "tariffs", side.clock.utc())
        await side.settled()
        assert side.reader.lists == [("cpo", "tariffs")]


@pytest.mark.parametrize(
    "away",
    [{"status": Status.OFFLINE}, {"status": Status.SUSPENDED}, {"version": ""}, {"removed": True}, {"endpoints": ()}],
)
async def test_nobody_who_is_away_or_has_no_lists_is_asked(away: dict[str, Any]) -> None:
    side = Side(replace(ONE, **away))
    async with side.running():
        await side.settled()
        assert not side.reader.lists
        side.set(ONE)
        await side.settled()
        assert len(side.reader.lists) == 2


async def test_p3_one_that_fails_or_hangs_or_breaks_the_hub_keeps_no_other_waiting() -> None:
    side = Side(ONE, TWO)

    def fail(id: str, module: str) -> None:
        if module == "locations":
            raise NotConnected("refused")
        if module == "tariffs":
            raise ZeroDivisionError

    side.reader.does = fail
    async with side.running():
        await side.settled()
        assert set(side.reader.lists) == {("cpo", "locations"), ("cpo", "tariffs"), ("emsp", "tokens")}
        known = await side.known()
        assert (known["cpo", "locations"].failures, known["cpo", "locations"].reason) == (1, "refused")
        assert known["cpo", "tariffs"].reason == "the hub failed at this: ZeroDivisionError"
        assert known["emsp", "tokens"].ended is not None
        side.reader.does = lambda id, module: None
        side.clock.ahead += progress.BACKOFF_MS[0]
        await side.settled()
        assert (await side.known())["cpo", "locations"].ended is not None


async def test_a_second_reading_that_another_process_began_is_begun_anew() -> None:
    side = Side(ONE)
    half = Progress(started=5, owners=(str(CPO),), pages=1, next="https://cpo.example/x", moved=side.clock.utc())
    for so_far, memory, anew in ((half, False, False), (replace(half, whole=1), False, True)):
        side.reader.asked.clear()
        side.reader.memory = memory
        await side.store.start()
        for module in ("locations", "tariffs"):
            await progress.write(side.store, "cpo", module, so_far)
        async with side.running():
            await side.settled()
        begun = side.reader.asked[0][2]
        assert (begun.pages == 0) is anew and (begun.started > 5) is anew


async def test_who_is_not_registered_any_more_is_complete_no_longer_and_is_read_anew_later() -> None:
    side = Side(ONE)
    async with side.running():
        await side.settled()
        await complete.pulled(side.store, CPO, "locations", 1)
        side.set(replace(ONE, version=""))
        await side.settled()
        assert not await side.known() and not (await complete.complete(side.store, "locations")).owners
        side.set(ONE)
        await side.settled()
        assert len(side.reader.lists) == 4


async def test_what_was_read_so_far_is_asked_for_only_where_it_may_have_changed() -> None:
    side = Side(ONE)
    async with side.running():
        await side.settled()
        side.store.listed.clear()
        await side.settled()
        assert side.store.listed and set(side.store.listed) == {"pull-asked/"}
        side.clock.ahead += 2
        await progress.ask(side.store, "cpo", "tariffs", side.clock.utc())
        await side.settled()
        assert side.reader.lists[2:] == [("cpo", "tariffs")]
        assert side.store.listed.count("pull/") == 1
        side.set(replace(ONE, version=""))
        await side.settled()
        side.set(ONE)
        await side.settled()
        assert len(side.reader.lists) == 5


async def test_once_a_day_what_changed_is_read_where_that_is_set() -> None:
    side = Side(TWO)
    async with side.running(daily=True):
        await side.settled()
        side.clock.ahead += progress.DAY_MS + 1
        await side.settled()
        (_, _, first), (_, _, second) = side.reader.asked
        assert (first.since, second.since) == (None, first.started - progress.OVERLAP_MS)
