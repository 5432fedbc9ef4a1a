"""What an operator asks for one party is sent to it once more, whatever it got before; to nobody else, and in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors.values import PartyId
from routing.asked import Asked, Asking, read
from routing.event import Operation
from routing.policy import Outcome
from tests.sim.stories import STAMP, location, one, tell
from tests.sim.test_resync import AWAY, come_back, go_away, got, watched, without
from tests.sim.world import EMSPS, Process, World

SHARED = EMSPS[0]
"""Another party is on its platform."""


async def ask(
    world: World, process: Process, party: PartyId = AWAY, module: str = "locations", since: int | None = None
) -> Asked:
    asking = Asking(process.store, world.log, lambda: world.directory, world.clock.utc)
    counted = await asking.count(world.directory.hosted(party)[0].platform, party, module, since)
    await asking.ask(counted)
    return counted.asked


async def became(process: Process, party: PartyId = AWAY) -> Asked:
    (asked,) = await read(process.store, party)
    return asked


async def objects(world: World, count: int) -> None:
    for name in range(count):
        assert await location(world, f"L{name}") == 1000
    await asyncio.sleep(5)


def test_it_gets_everything_once_more_and_nobody_else_does() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        await objects(world, 10)
        before = {party: len(got(world, party=party)) for party in EMSPS}
        asked = await ask(world, process, SHARED)
        assert asked.objects == 10
        await asyncio.sleep(30)
        told = got(world, before[SHARED], SHARED)
        assert sorted(begun.object[1] for begun in told) == sorted(f"L{name}" for name in range(10))
        assert all(begun.method == "PUT" and begun.resync for begun in told)
        assert not [party for party in EMSPS[1:] if got(world, before[party], party)]
        assert world.storing.data.marks == {}
        ended = await became(process, SHARED)
        assert ended.over and ended.done(()) == 10 and ended.skipped == 0
        await ask(world, process, SHARED)
        await asyncio.sleep(30)
        assert len(got(world, before[SHARED], SHARED)) == 20, "asked for again, it is sent again"

    tell(story)


def test_what_changes_meanwhile_is_whole_there_too() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        await objects(world, 8)
        world.recipients.all[AWAY].objects.clear()  # as one that is newly allowed
        world.recipients.thinks = 1.0
        await ask(world, process)
        for _ in range(10):
            for name in range(8):
                assert await location(world, f"L{name}", patch=True) == 1000
            await asyncio.sleep(1)
        await asyncio.sleep(60)
        assert world.storing.data.marks == {}
        assert world.recipients.all[AWAY].objects == world.recipients.all[SHARED].objects

    tell(story)


def test_it_waits_for_a_party_that_is_away_and_each_object_goes_once() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        await objects(world, 20)
        go_away(world)
        before = len(got(world))
        await ask(world, process)
        await asyncio.sleep(60)
        assert (await became(process)).over is False
        come_back(world)
        await asyncio.sleep(40)
        told = [begun.object[1] for begun in got(world, before)]
        assert sorted(set(told)) == sorted(f"L{name}" for name in range(20))
        assert len(told) <= 22, "at most 1.1 requests for each object"
        assert (await became(process)).over

    tell(story)


@pytest.mark.parametrize("orderly", [True, False])
def test_who_owns_the_partition_next_goes_on(orderly: bool) -> None:
    async def story(world: World) -> None:
        process = await one(world)
        await objects(world, 40)
        before = len(got(world))
        world.recipients.thinks = 0.5
        await ask(world, process)
        while len([begun for begun in got(world, before) if begun.processed]) < 25:
            await asyncio.sleep(0.1)
        if orderly:
            await world.leave(process)
        else:
            world.kill(process)
        process = await world.start_process()
        await asyncio.sleep(60)
        told = got(world, before)
        assert {begun.object[1] for begun in told} == {f"L{name}" for name in range(40)}
        ended = await became(process)
        assert ended.over and ended.done(()) == 40

    tell(story)


def test_only_what_changed_since_a_moment_is_sent_where_no_more_is_asked_for() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        await objects(world, 6)
        await asyncio.sleep(60)
        moment = world.clock.utc()
        await asyncio.sleep(20)
        for name in (1, 4):
            assert await location(world, f"L{name}", patch=True) == 1000
        await asyncio.sleep(5)
        before = len(got(world))
        assert (await ask(world, process, since=moment)).objects == 2
        await asyncio.sleep(30)
        assert sorted(begun.object[1] for begun in got(world, before)) == ["L1", "L4"]

    tell(story)


def test_a_tariff_that_is_gone_is_deleted_there_too_and_a_location_that_is_gone_is_nothing_to_tell() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        body = {"id": "T1", "seq": world.next_seq(), **STAMP}
        assert await world.call("tariffs", Operation.PUT, "T1", body) == 1000
        assert await world.call("tariffs", Operation.DELETE, "T1", None) == 1000
        await asyncio.sleep(5)
        before = len(got(world))
        assert (await ask(world, process, module="tariffs")).objects == 1
        await asyncio.sleep(30)
        assert [begun.method for begun in got(world, before)] == ["DELETE"]

    tell(story)


@pytest.mark.parametrize("changes", [{"suspended": True}, {"removed": True}])
def test_of_a_party_that_is_not_to_have_it_any_more_it_ends_as_skipped(changes: dict[str, Any]) -> None:
    async def story(world: World) -> None:
        process = await one(world)
        told = watched(process)
        await objects(world, 6)
        go_away(world, party=SHARED)
        await ask(world, process, SHARED)
        await asyncio.sleep(8)
        without(world, SHARED, **changes)
        await location(world, "L9", to=EMSPS[1])  # of which the worker learns of the directory
        await asyncio.sleep(20)
        come_back(world, SHARED)
        before = len(got(world, party=SHARED))
        await asyncio.sleep(20)
        assert not got(world, before, SHARED)
        assert not [mark for mark in world.storing.data.marks.values() if mark.party is not None]
        ended = await became(process, SHARED)
        assert (ended.over, ended.skipped, ended.done(())) == (True, 6, 0)
        assert ("locations", Outcome.SKIPPED) in told

    tell(story)
