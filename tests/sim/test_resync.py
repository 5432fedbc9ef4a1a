"""Resync: who was away or too slow gets the newest state of each object that it missed, once (P1, P2, P4)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from connectors.values import PartyId
from routing.directory import Directory, Platform, Status
from routing.event import Operation
from routing.policy import Outcome
from routing.resync import PREFIX
from routing.worker.resynced import TYPE
from tests.sim.stories import STAMP, location, one, seen, store_away, tell
from tests.sim.test_outcomes import of_type, written
from tests.sim.world import EMSPS, HUB, Process, World
from tests.witnesses import Begun

AWAY = EMSPS[2]
"""The only party of its platform."""


def go_away(world: World, mood: str = "refusing", party: PartyId = AWAY) -> None:
    world.recipients.calm = False
    world.recipients.all[party].mood = mood


def come_back(world: World, party: PartyId = AWAY) -> None:
    world.recipients.all[party].mood = "well"


def got(world: World, since: int = 0, party: PartyId = AWAY) -> list[Begun]:
    return world.recipients.all[party].begun[since:]


def change(world: World, **changes: object) -> None:
    """The platform that is away is another one now."""
    platforms = [
        replace(platform, **changes) if platform.id == "two" else platform  # type: ignore[arg-type]
        for platform in world.directory.platforms.values()
    ]
    world.directory = Directory(platforms, hub=HUB, revision=world.directory.revision + 1)


async def until_marked(world: World) -> None:
    while not world.storing.data.marks:
        await asyncio.sleep(0.5)


async def updates(world: World, objects: int, each: int) -> None:
    for name in range(objects):
        assert await location(world, f"L{name}") == 1000
    for _ in range(each):
        for name in range(objects):
            assert await location(world, f"L{name}", patch=True) == 1000
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("mood", ["refusing", "hanging", "busy"])
def test_p4_a_platform_that_returns_gets_each_object_once_and_whole(mood: str) -> None:
    async def story(world: World) -> None:
        await one(world)
        go_away(world, mood)
        await updates(world, 6, 10)
        await asyncio.sleep(60)
        before = len(got(world))
        come_back(world)
        await asyncio.sleep(40)
        assert world.storing.data.marks == {}
        told = got(world, before)
        assert sorted(begun.object for begun in told) == [("locations", f"L{name}") for name in range(6)]
        assert {begun.method for begun in told} == {"PUT"}
        for party in EMSPS:
            assert world.recipients.all[party].objects == world.recipients.all[EMSPS[0]].objects

    tell(story)


def test_the_newest_goes_first() -> None:
    async def story(world: World) -> None:
        await one(world)
        go_away(world)
        await updates(world, 6, 0)
        for name in (3, 1):
            await location(world, f"L{name}", patch=True)
        await asyncio.sleep(30)
        come_back(world)
        world.recipients.thinks = 1.0
        await asyncio.sleep(40)
        told = [begun.object[1] for begun in got(world) if begun.resync]
        assert len(told) == 6
        assert told.index("L3") < 4  # each partition has its own order, and four are under way at a time

    tell(story)


def test_a_tariff_deleted_while_a_platform_was_away_is_deleted_there_too() -> None:
    async def story(world: World) -> None:
        await one(world)
        assert await world.call("tariffs", Operation.PUT, "T1", {"id": "T1", "seq": world.next_seq(), **STAMP}) == 1000
        await asyncio.sleep(2)
        go_away(world)
        assert await world.call("tariffs", Operation.DELETE, "T1", None) == 1000
        await until_marked(world)
        come_back(world)
        await asyncio.sleep(20)
        assert [begun.method for begun in got(world)] == ["PUT", "DELETE"]
        assert got(world)[-1].resync == f"{PREFIX}tariffs-{got_partition(world)}-1"

    tell(story)


def got_partition(world: World) -> int:
    return next(tp.partition for tp in world._tps() if tp.topic == "ocpi.tariffs" and world.log._partitions[tp].records)


def test_p2_what_comes_meanwhile_is_not_taken_back() -> None:
    async def story(world: World) -> None:
        await one(world)
        go_away(world)
        await updates(world, 4, 2)
        await until_marked(world)
        come_back(world)
        world.recipients.thinks = 2.0
        for _ in range(10):
            for name in range(4):
                assert await location(world, f"L{name}", patch=True) == 1000
            await asyncio.sleep(0.7)
        await asyncio.sleep(40)
        newest: dict[str, int] = {}
        for begun in got(world):
            assert max(begun.seqs) >= newest.get(begun.object[1], 0), begun
            newest[begun.object[1]] = max(begun.seqs)
        assert world.recipients.all[AWAY].objects == world.recipients.all[EMSPS[0]].objects
        assert world.storing.data.marks == {}

    tell(story)


@pytest.mark.parametrize("orderly", [True, False])
def test_who_owns_the_partition_next_goes_on_where_the_former_owner_was(orderly: bool) -> None:
    async def story(world: World) -> None:
        process = await one(world)
        go_away(world)
        await updates(world, 40, 0)
        await asyncio.sleep(40)
        come_back(world)
        world.recipients.thinks = 0.5
        before = len(got(world))
        while len([begun for begun in got(world, before) if begun.processed]) < 25:
            await asyncio.sleep(0.1)
        if orderly:
            await world.leave(process)
        else:
            world.kill(process)
        await world.start_process()
        await asyncio.sleep(60)
        assert world.storing.data.marks == {}
        told = got(world, before)
        assert {begun.object[1] for begun in told} == {f"L{name}" for name in range(40)}
        # how far it came is told once a second
        assert len(told) <= 40 + 2 * 4 * 2 + 40

    tell(story)


def test_a_part_that_waits_when_its_mark_might_end_goes_out_whole_by_the_next_owner_too() -> None:
    """A resync leaves the object out, as its newest state is that part: the mark stays until it has gone."""

    async def story(world: World) -> None:
        first = await one(world)
        go_away(world, "busy")
        assert await location(world, "L0") == 1000
        await until_marked(world)
        await asyncio.sleep(1)
        assert await location(world, "L0", patch=True) == 1000
        world.kill(first)
        second = await world.start_process()
        for _ in range(20):
            if not world.storing.data.marks:
                break
            await asyncio.sleep(0.05)
        world.kill(second)
        come_back(world)
        await world.start_process()
        await asyncio.sleep(60)
        assert world.recipients.all[AWAY].objects == world.recipients.all[EMSPS[0]].objects
        assert world.storing.data.marks == {}

    tell(story)


def watched(process: Process) -> list[tuple[str, Outcome]]:
    """What is counted of resyncs from now on."""
    told: list[tuple[str, Outcome]] = []
    process.worker.resync._around.observer.resynced = lambda module, outcome: told.append((module, outcome))  # type: ignore[method-assign]
    return told


NO_RESYNC = replace(Platform("x").settings, resync=False)


@pytest.mark.parametrize("changes", [{"removed": True}, {"status": Status.SUSPENDED}, {"settings": NO_RESYNC}])
def test_what_a_platform_missed_that_is_not_to_get_it_any_more_is_skipped(changes: dict[str, object]) -> None:
    async def story(world: World) -> None:
        process = await one(world)
        told = watched(process)
        go_away(world)
        await updates(world, 2, 1)
        await until_marked(world)
        change(world, **changes)
        await location(world, "L9", to=EMSPS[0])  # of which the worker learns of the directory
        await asyncio.sleep(5)  # what was under way is given up
        come_back(world)
        before = len(got(world))
        await asyncio.sleep(20)
        assert world.storing.data.marks == {}
        assert not got(world, before)
        assert set(told) == {("locations", Outcome.SKIPPED)}

    tell(story)


def without(world: World, party: PartyId, **changes: Any) -> None:
    """This party of its platform is suspended or removed, as the directory has it now."""
    platforms = [
        replace(each, parties=tuple(replace(one, **changes) if one.id == party else one for one in each.parties))
        for each in world.directory.platforms.values()
    ]
    world.directory = Directory(platforms, hub=HUB, revision=world.directory.revision + 1)


@pytest.mark.parametrize("changes", [{"suspended": True}, {"removed": True}])
def test_what_a_platform_missed_none_of_whose_parties_is_to_get_it_is_skipped(changes: dict[str, Any]) -> None:
    async def story(world: World) -> None:
        process = await one(world)
        told = watched(process)
        go_away(world)
        await updates(world, 2, 1)
        await until_marked(world)
        without(world, AWAY, **changes)
        await location(world, "L9", to=EMSPS[0])  # of which the worker learns of the directory
        await asyncio.sleep(5)
        come_back(world)
        before = len(got(world))
        await asyncio.sleep(20)
        assert world.storing.data.marks == {}
        assert not got(world, before)
        assert set(told) == {("locations", Outcome.SKIPPED)}

    tell(story)


def test_what_one_party_of_a_platform_is_not_to_get_is_skipped_and_the_other_gets_its_own() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        told = watched(process)
        gone, stays = EMSPS[:2]
        go_away(world, party=gone)
        world.recipients.all[stays].mood = "refusing"
        await updates(world, 3, 1)
        await until_marked(world)
        without(world, gone, suspended=True)
        await location(world, "L9", to=AWAY)  # of which the worker learns of the directory
        await asyncio.sleep(5)
        before = {party: len(got(world, party=party)) for party in EMSPS}
        come_back(world, gone)
        come_back(world, stays)
        await asyncio.sleep(40)
        assert world.storing.data.marks == {}
        assert not got(world, before[gone], gone)
        assert {begun.object[1] for begun in got(world, before[stays], stays)} == {f"L{name}" for name in range(3)}
        assert told.count(("locations", Outcome.SKIPPED)) >= 1
        assert told.count(("locations", Outcome.DELIVERED)) == 3

    tell(story)


def test_p3_a_platform_that_is_resynced_slowly_holds_up_nobody() -> None:
    async def story(world: World) -> None:
        await one(world)
        go_away(world)
        await updates(world, 10, 1)
        await until_marked(world)
        go_away(world, "slow")
        began = world.loop.now
        for name in range(10):
            assert await location(world, f"L{name}", to=EMSPS[0], patch=True) == 1000
        assert world.loop.now - began < 5
        assert await location(world, "L0", patch=True) == 1000
        await asyncio.sleep(5)
        assert max(seen(world, EMSPS[1], "locations")) == world.next_seq() - 1

    tell(story)


def test_while_the_store_is_away_nothing_is_worked_off_and_nothing_is_forgotten() -> None:
    async def story(world: World) -> None:
        await one(world)
        go_away(world)
        await updates(world, 5, 1)
        await asyncio.sleep(30)
        marks = dict(world.storing.data.marks)
        store_away(world)
        come_back(world)
        before = len(got(world))
        await asyncio.sleep(30)
        assert len(got(world)) - before <= SETTLED_AT_ONCE
        assert world.storing.data.marks.keys() == marks.keys()
        world.storing.come_back()
        await asyncio.sleep(40)
        assert world.storing.data.marks == {}
        assert world.recipients.all[AWAY].objects == world.recipients.all[EMSPS[0]].objects

    tell(story)


SETTLED_AT_ONCE = 8
"""What may have been read of the store when it went."""


def test_who_does_not_know_the_object_of_an_update_gets_it_whole_once() -> None:
    async def story(world: World) -> None:
        await one(world)
        assert await location(world) == 1000
        await asyncio.sleep(2)
        world.recipients.all[AWAY].objects.clear()
        world.recipients.unknown = {AWAY}
        assert await location(world, patch=True) == 1000
        await asyncio.sleep(5)
        assert [begun.method for begun in got(world)] == ["PUT", "PATCH", "PUT"]
        assert world.recipients.all[AWAY].objects == world.recipients.all[EMSPS[0]].objects

    tell(story)


def test_who_refused_an_update_of_its_own_of_what_it_does_not_know_gets_the_object_whole_all_the_same() -> None:
    async def story(world: World) -> None:
        await one(world)
        assert await location(world) == 1000
        await asyncio.sleep(2)
        world.recipients.all[AWAY].objects.clear()
        world.recipients.unknown = {AWAY}
        assert await location(world, to=AWAY, patch=True) == 2003
        assert await location(world, patch=True) == 1000
        await asyncio.sleep(5)
        assert [begun.method for begun in got(world)] == ["PUT", "PATCH", "PATCH", "PUT"]
        assert world.recipients.all[AWAY].objects == world.recipients.all[EMSPS[0]].objects

    tell(story)


def test_p13_what_it_sends_is_an_exchange_of_its_own_that_names_what_it_stands_for() -> None:
    async def story(world: World) -> None:
        await one(world)
        go_away(world)
        await updates(world, 4, 2)
        await asyncio.sleep(60)
        come_back(world)
        before = len(got(world))
        await asyncio.sleep(40)
        told = [record for record in of_type(world, TYPE) if record["results"][0][0] == str(AWAY)]
        sent = got(world, before)
        assert sorted(one["object"] for one in told if one["results"][0][1] == "delivered") == [
            f"L{name}" for name in range(4)
        ]
        assert {begun.resync for begun in sent} <= {one["correlation"] for one in told}
        states = {key.object_id: state for key, state in world.storing.data.states.items()}
        for record in told:
            (party, outcome, _, _) = record["results"][0]
            assert (party, record["method"], record["asked"]) == (str(AWAY), "PUT", False)
            assert record["attempts"] and (outcome == "marked") == all(row[2] == 0 for row in record["attempts"])
            if outcome == "delivered":
                assert (record["epoch"], record["offset"]) == states[record["object"]].position
            pushed = {
                row["offset"] for row in written(world)
                if row["topic"] == record["topic"] and row["partition"] == record["partition"]
                if (str(AWAY), "marked") in [tuple(result[:2]) for result in row["results"]]
            }  # fmt: skip
            assert record["since"][1] <= min(pushed)

    tell(story)
