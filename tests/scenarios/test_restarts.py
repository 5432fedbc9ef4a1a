"""Workers and whole fleets that are restarted or killed under load, on a real Kafka and a real MongoDB."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.sample import NoAnswer, SamplePlatform
from routing.log.port import TopicPartition
from tests.engines.plugin import Engines
from tests.scenarios import bodies
from tests.scenarios.backing import SESSION_SECONDS, OnEngines
from tests.scenarios.many import Guests, Many, Process
from tests.scenarios.parties import HUB, RECEIVER, SENDER, eventually, got, party_of
from tests.scenarios.streams import Stream, owners, streaming
from tests.scenarios.vault import Vault

PAUSE_SECONDS = 5.0
"""What a planned restart of a worker may stop its partitions for."""

START_SECONDS = 2.0
"""What a process may take to start; where a busy machine takes longer, that is not the hub's."""

STILL_SECONDS = 2.0
"""A partition that nothing happened to stands still no longer, on a busy machine."""


@pytest.fixture
def backing(engines: Engines) -> OnEngines:
    return OnEngines(engines.kafka(), engines.mongo())


@pytest.fixture
async def many(tmp_path: Path, vault: Vault, backing: OnEngines) -> AsyncIterator[Many]:
    hub = Many(tmp_path, vault, backing)
    yield hub
    await asyncio.to_thread(hub.close)


async def two_workers(many: Many, **settings: object) -> tuple[Process, Process, Process]:
    """An edge and two workers, each of which has a name of its own."""
    edge = many.add("edge", "edge")
    first, second = (many.add(name, "worker", member=name, **settings) for name in ("first", "second"))
    await many.start()
    return edge, first, second


def by_owner(streams: list[Stream], owned: dict[TopicPartition, str], name: str) -> tuple[list[Stream], list[Stream]]:
    """The streams in partitions of this worker, and the others."""
    its = [stream for stream in streams if owned[stream.tp] == name]
    return its, [stream for stream in streams if stream not in its]


async def test_a_planned_restart_stops_the_partitions_of_one_worker_shortly_and_no_others(
    many: Many, backing: OnEngines
) -> None:
    edge, first, _ = await two_workers(many, session_seconds=30)
    async with many.balancer(edge), Guests(many) as guests:
        cpo, emsp = await guests.pair()
        async with streaming(cpo, emsp) as streams:
            before = dict(await owners(backing))
            began = time.monotonic()
            first.signal(signal.SIGTERM)
            assert await first.ended() == 0
            starting = time.monotonic()
            first.begin()
            await first.ready()
            late = max(time.monotonic() - starting - START_SECONDS, 0.0)
            await asyncio.sleep(1)
        assert dict(await owners(backing)) == before
        its, others = by_owner(streams, before, "first")
        assert its and others
        assert max(stream.stood_still(began) for stream in its) < PAUSE_SECONDS + late
        assert max(stream.stood_still(began) for stream in others) < STILL_SECONDS
        for stream in its:
            assert len(stream.failed) <= 1, stream.failed  # the one that was in flight
        for stream in others:
            assert stream.failed == []


async def test_the_partitions_of_a_killed_worker_move_within_its_session_and_three_seconds(
    many: Many, backing: OnEngines
) -> None:
    edge, first, _ = await two_workers(many)
    async with many.balancer(edge), Guests(many) as guests:
        cpo, emsp = await guests.pair()
        async with streaming(cpo, emsp) as streams:
            before = dict(await owners(backing))
            killed = time.monotonic()
            first.signal(signal.SIGKILL)
            its, others = by_owner(streams, before, "first")
            assert its and others

            def all_go_on() -> bool:
                return all(stream.answers[-1].at > killed + SESSION_SECONDS for stream in its)

            await eventually(all_go_on, within=30)
            await asyncio.sleep(1)
        assert set((await owners(backing)).values()) == {"second"}
        assert max(stream.stood_still(killed) for stream in its) < SESSION_SECONDS + 3 + STILL_SECONDS
        assert max(stream.stood_still(killed) for stream in others) < STILL_SECONDS
        for stream in others:
            assert stream.failed == []


async def test_all_processes_are_replaced_under_load_and_no_call_fails_but_pushes_in_flight(many: Many) -> None:
    hub = many.add("hub", "serve", "--processes", "2", session_seconds=30)
    await many.start()
    async with many.balancer(hub), Guests(many) as guests:
        cpo, emsp = await guests.pair()
        watcher = await guests.emsp()
        locations = [bodies.location(party_of(cpo)) for _ in range(4)]
        last: dict[str, str] = {}
        wrong: list[object] = []
        relayed, over = 0, asyncio.Event()

        async def relay(platform: SamplePlatform, to: SamplePlatform, module: str) -> None:
            nonlocal relayed
            while not over.is_set():
                try:
                    answer = await platform.call("GET", module, SENDER, to=party_of(to))
                    if (answer.http_status, answer.status_code) != (200, 1000):
                        wrong.append(("relay", answer.http_status, answer.body))
                except NoAnswer as error:
                    wrong.append(("relay", error))
                relayed += 1
                await asyncio.sleep(0.03)

        async def broadcast(body: bodies.Json) -> None:
            for number in itertools.count():
                if over.is_set():
                    return
                named = body | {"name": f"state {number:06}"}
                try:
                    answer = await cpo.call(
                        "PUT", "locations", RECEIVER, *party_of(cpo), body["id"], to=HUB, body=named
                    )
                    if (answer.http_status, answer.status_code) != (200, 1000):
                        wrong.append(("broadcast", answer.http_status, answer.body))
                except NoAnswer as error:
                    wrong.append(("broadcast", error))
                last[body["id"]] = named["name"]
                await asyncio.sleep(0.03)

        working = [
            asyncio.create_task(work)
            for work in (relay(emsp, cpo, "tariffs"), relay(cpo, emsp, "tokens"), *map(broadcast, locations))
        ]
        async with streaming(cpo, emsp) as streams:
            hub.signal(signal.SIGHUP)
            await eventually(lambda: len(hub.events("all_replaced")) == 1, within=60)
            await asyncio.sleep(1)
        over.set()
        await asyncio.gather(*working)
        assert wrong == []
        assert relayed > 20
        assert len(hub.events("process_ready")) == 4
        for stream in streams:
            assert set(stream.failed) <= {4002, 4003} and len(stream.failed) <= 2, stream.failed

        def newest(platform: SamplePlatform) -> dict[str, str]:
            received = (one.json for one in got(platform, "locations") if one.json["id"] in last)
            return {one["id"]: one["name"] for one in received}

        for platform in (emsp, watcher):
            await eventually(lambda platform=platform: newest(platform) == last, within=30)  # type: ignore[misc]
            for body in locations:
                seen = [one.json["name"] for one in got(platform, "locations") if one.json["id"] == body["id"]]
                assert seen == sorted(seen)
