"""A worker that is restarted or killed under load, on a real Kafka and a real MongoDB."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from routing.log.port import TopicPartition
from tests.engines.plugin import Engines
from tests.scenarios.backing import SESSION_SECONDS, OnEngines
from tests.scenarios.many import Guests, Many, Process
from tests.scenarios.parties import eventually
from tests.scenarios.streams import Stream, everywhere, owners, streaming
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
            its, _ = by_owner(everywhere(cpo, emsp), before, "first")
            waiting = [asyncio.create_task(stream.push()) for stream in its]
            assert dict(await owners(backing)) == before  # they wait for it, and nobody else is stopped to share anew
            starting = time.monotonic()
            first.begin()
            await first.ready()
            late = max(time.monotonic() - starting - START_SECONDS, 0.0)
            await asyncio.sleep(1)
        assert dict(await owners(backing)) == before
        # what was begun while nobody had its partition was in nobody's flight: it waited
        assert [await push for push in waiting] == [1000] * len(its)
        its, others = by_owner(streams, before, "first")
        assert its and others
        assert max(stream.stood_still(began) for stream in its) < PAUSE_SECONDS + late
        assert max(stream.stood_still(began) for stream in others) < STILL_SECONDS
        for stream in its:
            assert len(stream.failed) <= 1, stream.failed  # the one that was in flight
        for stream in streams:
            stream.check_order()
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
        assert max(stream.stood_still(killed) for stream in its) < SESSION_SECONDS + 3
        assert max(stream.stood_still(killed) for stream in others) < STILL_SECONDS
        for stream in others:
            assert stream.failed == []
        for stream in streams:
            stream.check_order()
