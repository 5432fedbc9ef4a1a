"""Outcome records say how an event ended for each recipient, and which body the hub composed (P6)."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from connectors.values import PartyId
from routing.event import Operation
from routing.log.port import TopicPartition
from routing.worker.outcomes import TYPE
from tests.sim.loop import VirtualLoop
from tests.sim.world import EMSPS, World


def written(world: World) -> list[dict[str, Any]]:
    """Every outcome record, in order of their events."""
    return sorted(of_type(world, TYPE), key=lambda one: int(one["offset"]))


def of_type(world: World, type: str) -> list[dict[str, Any]]:
    """Every record of this type among them."""
    return [
        orjson.loads(record.value)
        for partition in range(2)
        for record in world.log._partitions[TopicPartition("ocpi.outcomes", partition)].records
        if dict(record.headers)["ce_type"] == type.encode()
    ]


def outcomes(world: World) -> list[list[object]]:
    """Their rows: party, outcome, detail."""
    return [row[:3] for record in written(world) for row in record["results"]]


def told(party: PartyId, world: World) -> list[tuple[object, object]]:
    return [(outcome, detail) for name, outcome, detail in outcomes(world) if name == str(party)]


def test_p6_what_was_folded_is_marked_as_composed_and_what_was_not_is_not() -> None:
    loop = VirtualLoop()

    async def story() -> World:
        world = World(loop, 1)
        world.recipients.all[EMSPS[0]].mood = "busy"
        await world.start_process()
        stamp = {"last_updated": "2026-01-01T00:00:00Z"}
        await world.call("locations", Operation.PUT, "L1", {"id": "L1", "evses": [], **stamp})
        await asyncio.sleep(0.05)
        for name in ("a", "b"):  # both while the busy one rests
            await world.call("locations", Operation.PATCH, "L1", {"name": name, **stamp})
            await asyncio.sleep(0.05)
        world.recipients.all[EMSPS[0]].mood = "well"
        await asyncio.sleep(60)
        for process in list(world.processes):
            await world.leave(process)
        return world

    world = loop.run_until_complete(story())
    loop.close()
    busy, quick = told(EMSPS[0], world), told(EMSPS[2], world)
    assert busy[-2:] == [("superseded", ""), ("delivered", "composed")]
    assert ("delivered", "") in quick
    assert world.recipients.all[EMSPS[0]].objects["locations", "L1"]["name"] == "b"


def test_every_attempt_is_told_where_it_was_not_one_good_one() -> None:
    loop = VirtualLoop()

    async def story() -> World:
        world = World(loop, 1)
        world.recipients.all[EMSPS[0]].mood = "busy"
        await world.start_process()
        await world.call("locations", Operation.PUT, "L1", {"id": "L1", "last_updated": "2026-01-01T00:00:00Z"})
        await asyncio.sleep(0.05)
        world.recipients.all[EMSPS[0]].mood = "well"
        await asyncio.sleep(60)
        for process in list(world.processes):
            await world.leave(process)
        return world

    world = loop.run_until_complete(story())
    loop.close()
    (record,) = written(world)
    failed, taken = record["attempts"]
    assert {failed[0], taken[0]} == {str(EMSPS[0])}
    assert failed[1] < taken[1]
    assert failed[2:4] != taken[2:4]
    assert 1000 <= taken[3] < 2000
    assert record["accepted"] > 0
