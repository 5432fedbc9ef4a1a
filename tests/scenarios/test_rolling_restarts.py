"""All processes of a hub replaced one after the other under load, and one killed: on a real Kafka and MongoDB."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines.plugin import Engines
from tests.scenarios.backing import OnEngines
from tests.scenarios.load import Load
from tests.scenarios.many import Guests, Many, Process
from tests.scenarios.parties import eventually
from tests.scenarios.streams import Stream, streaming
from tests.scenarios.vault import Vault


@pytest.fixture
def backing(engines: Engines) -> OnEngines:
    return OnEngines(engines.kafka(), engines.mongo())


@pytest.fixture
async def many(tmp_path: Path, vault: Vault, backing: OnEngines) -> AsyncIterator[Many]:
    hub = Many(tmp_path, vault, backing)
    yield hub
    await asyncio.to_thread(hub.close)


def only_what_was_in_flight_failed(streams: list[Stream], *, stops: int) -> None:
    """Each worker that stops may cost a stream the push that it had begun."""
    for stream in streams:
        assert set(stream.failed) <= {4002, 4003} and len(stream.failed) <= stops, stream.failed
        stream.check_order()


async def test_all_under_a_supervisor_are_replaced_and_no_call_fails_but_pushes_in_flight(many: Many) -> None:
    hub = many.add("hub", "serve", "--processes", "2", session_seconds=30)
    await many.start()
    async with many.balancer(hub), Guests(many) as guests, Guests(many, turns=False) as keeping:
        cpo, emsp = await guests.pair()
        keeper = await keeping.emsp()
        load = Load(cpo, emsp, keeper)
        async with load.running(), streaming(cpo, emsp) as streams:
            hub.signal(signal.SIGHUP)
            await eventually(lambda: len(hub.events("all_replaced")) == 1, within=60)
            await asyncio.sleep(1)
        assert load.wrong == [] and load.answered > 100
        assert len(hub.events("process_ready")) == 4
        only_what_was_in_flight_failed(streams, stops=2)
        for platform in (emsp, keeper):
            await load.arrived(platform)


async def test_edges_and_workers_are_restarted_in_turn_and_no_call_fails_but_pushes_in_flight(many: Many) -> None:
    edges = [many.add(f"edge-{number}", "edge") for number in range(2)]
    workers = [many.add(name, "worker", member=name, session_seconds=30) for name in ("first", "second")]
    await many.start()
    async with many.balancer(*edges), Guests(many) as guests, Guests(many, turns=False) as keeping:
        cpo, emsp = await guests.pair()
        keeper = await keeping.emsp()
        load = Load(cpo, emsp, keeper)
        async with load.running(), streaming(cpo, emsp) as streams:
            for process in (*workers, *edges):
                process.signal(signal.SIGTERM)
                assert await process.ended() == 0
                process.begin()
                await process.ready()
            await asyncio.sleep(1)
        assert load.wrong == [] and load.answered > 100
        only_what_was_in_flight_failed(streams, stops=2)
        for platform in (emsp, keeper):
            await load.arrived(platform)


async def test_all_calls_are_counted_though_one_of_three_processes_is_killed_under_load(many: Many) -> None:
    hub = many.add("hub", "serve", "--processes", "3")
    await many.start()
    async with many.balancer(hub), Guests(many) as guests:
        cpo, emsp = await guests.pair()
        before = calls(hub)
        load = Load(cpo, emsp)
        async with load.running():
            await eventually(lambda: load.answered > 50, within=30)
            os.kill(hub.events("process_ready")[0]["pid"], signal.SIGKILL)
            await eventually(lambda: len(hub.events("process_ready")) == 4, within=60)
            more = load.answered + 50
            await eventually(lambda: load.answered > more, within=30)
        assert len(load.wrong) == load.cut <= 6, load.wrong  # one a caller: what the killed one had in flight
        for _ in range(6):  # whichever process is asked
            assert load.answered <= calls(hub) - before <= load.answered + load.cut
        assert hub.metric("ocpi_hub_process_restarts_total") == 1


def calls(hub: Process) -> float:
    return hub.metric("ocpi_hub_calls_total")
