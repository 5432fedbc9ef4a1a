"""Short stories in virtual time, each told to prove one sentence; what a seed draws elsewhere is said here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from connectors.values import PartyId
from routing.event import Operation
from routing.log.faults import Faults
from routing.log.port import TopicPartition
from routing.store.port import SetAside
from routing.worker.worker import GROUP
from tests.sim.loop import VirtualLoop
from tests.sim.storing import Outage
from tests.sim.world import EMSPS, Process, World

FAR = 10_000.0
STAMP = {"last_updated": "2026-01-01T00:00:00Z"}


def tell(story: Callable[[World], Awaitable[None]]) -> World:
    """Run a story in a world without chance, and check that nothing broke on the way."""
    loop = VirtualLoop()

    async def run() -> World:
        world = World(loop, 1, faults=Faults())
        world.recipients.calm = True
        await story(world)
        for process in list(world.processes):
            world.kill(process)
        return world

    try:
        asyncio.set_event_loop(loop)
        world = loop.run_until_complete(run())
    finally:
        loop.wind_up()
    assert world.defects == []
    return world


def store_away(world: World, *, hangs: bool = False, noticed: bool = True) -> None:
    """From now on, until `world.storing.come_back()`."""
    now = world.loop.now
    world.storing.outage = Outage(now, FAR, hangs, now if noticed else FAR, FAR)


async def location(world: World, name: str = "L1", *, to: PartyId | None = None, patch: bool = False) -> int:
    """A location, whole or its name only; what its sender is told."""
    seq = world.next_seq()
    body: dict[str, Any] = {"name": f"n{seq}", "seq": seq, **STAMP}
    if not patch:
        body |= {"id": name, "evses": []}
    return await world.call("locations", Operation.PATCH if patch else Operation.PUT, name, body, to=to, seq=seq)


async def session(world: World, name: str = "S1", *, to: PartyId = EMSPS[0], patch: bool = False) -> int:
    seq = world.next_seq()
    body = {"id": name, "kwh": seq, "seq": seq, **STAMP}
    return await world.call("sessions", Operation.PATCH if patch else Operation.PUT, name, body, to=to, seq=seq)


async def cdr(world: World, name: str = "C1", *, to: PartyId = EMSPS[0]) -> int:
    return await world.call("cdrs", Operation.POST, name, {"id": name, "total": 1}, to=to)


def seen(world: World, party: PartyId, module: str) -> list[int]:
    """The seqs of the requests that a recipient saw, in order, of one module."""
    begun = [one for one in world.recipients.all[party].begun if one.module == module]
    return [max(one.seqs) for one in begun]


def committed(world: World, topic: str) -> int:
    """How many records of a topic are committed."""
    total = 0
    for partition in range(2):
        there = world.log._commits.get((GROUP, TopicPartition(topic, partition)))
        total += there.next.offset if there is not None else 0
    return total


def aside(world: World) -> list[SetAside]:
    return sorted(world.storing.data.aside.values(), key=lambda record: (record.tp, record.position))


async def one(world: World) -> Process:
    """The only process, its partitions assigned."""
    process = await world.start_process()
    await asyncio.sleep(0.1)
    return process
