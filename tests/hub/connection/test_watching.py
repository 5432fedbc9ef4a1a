"""What processes see of platforms becomes their status, and whoever is doubtful is asked, in a time of the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from multidict import CIMultiDict, CIMultiDictProxy

from connectors.client.client import Answer
from connectors.errors import NotConnected
from connectors.values import PartyId, Role
from hub.connection.living import LIVE_MS, SEEN, Living
from hub.connection.probing import Probing
from hub.connection.seen import Seen
from hub.connection.watching import STALE_MS, Watching
from hub.keys import Keys
from hub.registry import Registry
from routing.connection import decode
from routing.directory import Party, Platform, Status
from routing.store.memory import MemoryData, MemoryStore

ID = "p"
KEYS = Keys({"k": bytes(32)})


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.ms = 1_000_000_000

    def utc(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


class Peer:
    """The platform, which answers with `status`, or not at all."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status: int | None = 200

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, within: float,
        permit: Callable[[], bool] | None = None,
    ) -> Answer:  # fmt: skip
        self.asked.append(f"{method} {url} {headers['Authorization'].split()[0]}")
        if self.status is None:
            raise NotConnected("refused for a test", refused=True)
        return Answer(self.status, CIMultiDictProxy(CIMultiDict()), b"", 1.0)


class Process:
    """One process of several on the same store."""

    def __init__(self, name: str, data: MemoryData, clock: Clock, peer: Peer) -> None:
        self.store, self.clock = MemoryStore(data), clock
        self.registry = Registry(self.store, KEYS, hub=PartyId("NL", "HUB"), now=clock.utc, monotonic=clock.monotonic)
        self.seen = Seen(self.registry, clock)
        self.probing = Probing(peer, self.registry, self.seen, clock)
        self.watching = Watching(
            self.store, self.registry, self.seen, self.probing, clock, name=name, silent_seconds=300
        )

    async def start(self) -> Process:
        await self.store.start()
        await self.registry.start()
        return self

    async def stop(self) -> None:
        await self.probing.close()
        await self.registry.stop()

    @property
    def platform(self) -> Platform:
        return self.registry.directory.platforms[ID]


async def two(peer: Peer, clock: Clock) -> tuple[Process, Process]:
    data = MemoryData()
    first = await Process("one", data, clock, peer).start()
    await first.registry.save(
        Platform(
            ID, Status.CONNECTED, parties=(Party(PartyId("NL", "TNM"), Role.CPO),), version="2.2.1",
            versions_url="https://p.example/versions", presents=KEYS.encrypt(b"secret", ID.encode()),
        )
    )  # fmt: skip
    return first, await Process("two", data, clock, peer).start()


async def second(since: int, *processes: Process) -> None:
    """A second passes: everybody reports, the first one concludes, and what it asked comes back."""
    processes[0].clock.ms += 1000
    for process in processes:
        await process.watching.report()
    await processes[0].watching.conclude(since)
    for _ in range(20):
        await asyncio.sleep(0)
    for process in processes:
        await process.registry.refresh()


def statuses(*processes: Process) -> set[Status]:
    return {process.platform.status for process in processes}


async def test_one_failure_has_a_platform_asked_until_it_is_offline_or_answers() -> None:
    peer, clock = Peer(), Clock()
    one, other = await two(peer, clock)
    since = clock.ms - 1
    peer.status = None
    other.seen.failed(other.platform)
    for _ in range(9):
        await second(since, one, other)
    assert statuses(one) == {Status.CONNECTED}
    for _ in range(6):
        await second(since, one, other)
    assert statuses(one, other) == {Status.OFFLINE}
    asked = len(peer.asked)
    assert set(peer.asked) == {"GET https://p.example/versions Token"} and 2 <= asked <= 4, "every five seconds"
    peer.status = 404
    for _ in range(7):
        await second(since, one, other)
    assert statuses(one, other) == {Status.CONNECTED}
    asked = len(peer.asked)
    for _ in range(10):
        await second(since, one, other)
    assert len(peer.asked) == asked, "one that answers is left alone"
    await one.stop()
    await other.stop()


async def test_a_call_from_an_offline_platform_brings_it_back_on_every_process_at_once() -> None:
    peer, clock = Peer(), Clock()
    one, other = await two(peer, clock)
    since = clock.ms - 1
    peer.status = None
    one.seen.failed(one.platform)
    for _ in range(15):
        await second(since, one, other)
    assert statuses(one, other) == {Status.OFFLINE}
    other.seen.alive(other.platform)
    for _ in range(20):
        await asyncio.sleep(0)
    assert statuses(other) == {Status.CONNECTED}
    await one.registry.refresh()
    assert statuses(one) == {Status.CONNECTED}
    await one.stop()
    await other.stop()


async def test_a_silent_platform_is_asked_and_a_suspended_one_is_not() -> None:
    peer, clock = Peer(), Clock()
    one, other = await two(peer, clock)
    since = clock.ms - 1
    clock.ms += 298_000
    await second(since, one, other)
    assert peer.asked == []
    await second(since, one, other)
    assert len(peer.asked) == 1
    await one.stop()
    await other.stop()


async def test_reports_of_processes_that_are_gone_are_removed_and_nothing_is_said_twice() -> None:
    peer, clock = Peer(), Clock()
    one, other = await two(peer, clock)
    other.seen.failed(other.platform)
    await second(clock.ms, one, other)
    first = (await one.store.list_meta(SEEN))[SEEN + "two"]
    clock.ms += 5_000
    await other.watching.report()
    assert (await one.store.list_meta(SEEN))[SEEN + "two"] == first, "there was nothing new to say"
    assert len(decode(first)[1][ID].failed) == 1
    clock.ms += STALE_MS
    await one.watching.conclude(clock.ms)
    assert set(await one.store.list_meta(SEEN)) <= {SEEN + "one"}
    await one.stop()
    await other.stop()


async def test_a_report_that_did_not_arrive_is_made_again() -> None:
    peer, clock = Peer(), Clock()
    one, other = await two(peer, clock)
    other.seen.failed(other.platform)
    other.store.away = "away for a test"
    await other.watching.report()
    other.store.away = None
    await other.watching.report()
    assert ID in decode((await one.store.list_meta(SEEN))[SEEN + "two"])[1]
    await one.stop()
    await other.stop()


async def test_callers_have_an_offline_platform_asked_once_a_second_at_most() -> None:
    peer, clock = Peer(), Clock()
    one, other = await two(peer, clock)
    one.probing.away(one.platform)
    assert peer.asked == [], "it is connected"
    away = await one.registry.change(ID, lambda platform: replace(platform, status=Status.OFFLINE))
    peer.status = 500
    for _ in range(5):
        one.probing.away(away)
        for _ in range(5):
            await asyncio.sleep(0)
    assert len(peer.asked) == 1
    clock.ms += 1000
    one.probing.away(away)
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(peer.asked) == 2
    await one.stop()
    await other.stop()


async def test_a_limit_is_divided_by_the_processes_that_send_and_not_by_those_that_ended_or_died() -> None:
    peer, clock = Peer(), Clock()
    processes = await two(peer, clock)
    living = [Living(each.store, clock, name) for each, name in zip(processes, ("one", "two"), strict=True)]

    async def counted() -> list[int]:
        for one in living:
            await one.look()
        return [one.count for one in living]

    assert await counted() == [1, 1]
    for each in processes:
        await each.watching.report()
    assert await counted() == [2, 2]
    for _ in range(12):
        clock.ms += 5_000
        for each in processes:
            await each.watching.report()
    assert await counted() == [2, 2], "whoever is there says so now and then"
    await processes[1].watching.end()
    assert await counted() == [1, 2]
    await processes[1].store.remove_meta(SEEN + "two")
    processes[1].seen.again()
    await Watching(
        processes[1].store, processes[1].registry, processes[1].seen, processes[1].probing, clock, name="two",
        silent_seconds=300,
    ).report()  # fmt: skip
    assert await counted() == [2, 2]
    clock.ms += LIVE_MS + 1
    await processes[0].watching.report()
    assert await counted() == [1, 2], "one that was killed says nothing any more"
    for each in processes:
        await each.stop()
