"""While the store is away: what goes on, what waits, what is answered 4000; and that all of it recovers by itself."""

from __future__ import annotations

import asyncio

import pytest

from routing.event import Operation
from routing.log.port import TopicPartition
from routing.worker.intake import MOST_WAITING
from routing.worker.leaving import STEP
from tests.sim.stories import (
    STAMP,
    aside,
    cdr,
    committed,
    location,
    one,
    seen,
    session,
    store_away,
    tell,
)  # fmt: skip
from tests.sim.world import EMSPS, SETTINGS, World

HOW = [{"hangs": False, "noticed": True}, {"hangs": True, "noticed": False}, {"hangs": True, "noticed": True}]


# --- broadcasts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW)
def test_p1_broadcasts_are_accepted_wait_on_the_log_and_go_out_when_the_store_is_back(how: dict[str, bool]) -> None:
    async def story(world: World) -> None:
        await one(world)
        assert await location(world) == 1000
        await asyncio.sleep(1)
        store_away(world, **how)
        assert [await location(world, patch=True) for _ in range(3)] == [1000] * 3
        await asyncio.sleep(60)
        assert seen(world, EMSPS[0], "locations") == [1]
        assert committed(world, "ocpi.locations") == 1
        world.storing.come_back()
        await asyncio.sleep(10)
        assert world.recipients.all[EMSPS[0]].objects["locations", "L1"]["seq"] == 4
        assert world.recipients.all[EMSPS[2]].objects["locations", "L1"]["seq"] == 4
        assert world.uncommitted() == 0

    tell(story)


@pytest.mark.parametrize("how", HOW)
def test_nothing_is_read_into_memory_without_bound(how: dict[str, bool]) -> None:
    many = 4 * MOST_WAITING

    async def story(world: World) -> None:
        process = await one(world)
        store_away(world, **how)
        for n in range(many):
            assert await location(world, f"L{n}") == 1000
        await asyncio.sleep(30)
        backlog = sum(len(owned.backlog) for owned in process.worker._owned.values())
        assert 0 < backlog <= 2 * MOST_WAITING
        assert await session(world) == 1000
        world.storing.come_back()
        await asyncio.sleep(60)
        assert len(world.storing.data.states) == many + 1
        assert world.uncommitted() == 0

    tell(story)


def test_a_recipient_that_fails_meanwhile_is_tried_on_and_not_marked() -> None:
    async def story(world: World) -> None:
        await one(world)
        world.recipients.calm = False
        world.recipients.all[EMSPS[2]].mood = "refusing"
        assert await location(world) == 1000
        await asyncio.sleep(0.05)
        store_away(world)
        await asyncio.sleep(60)
        assert world.storing.data.marks == {}
        world.recipients.calm = True
        await asyncio.sleep(20)
        assert seen(world, EMSPS[2], "locations") == [1]
        world.storing.come_back()
        await asyncio.sleep(5)
        assert world.uncommitted() == 0

    tell(story)


# --- directed pushes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW)
def test_directed_pushes_of_sessions_go_on_beside_broadcasts_that_wait(how: dict[str, bool]) -> None:
    async def story(world: World) -> None:
        await one(world)
        store_away(world, **how)
        assert await location(world) == 1000
        for number in range(5):
            began = world.loop.now
            assert await session(world, patch=number > 0) == 1000
            assert world.loop.now - began < 1
            await asyncio.sleep(3)
        assert seen(world, EMSPS[0], "sessions") == [2, 3, 4, 5, 6]
        assert committed(world, "ocpi.sessions") == 0
        world.storing.come_back()
        await asyncio.sleep(10)
        state = next(state for key, state in world.storing.data.states.items() if key.module == "sessions")
        assert state.body is not None
        assert b'"kwh": 6' in state.body or b'"kwh":6' in state.body
        assert world.uncommitted() == 0

    tell(story)


@pytest.mark.parametrize("how", HOW)
def test_what_sessions_leave_behind_is_bounded_and_beyond_that_they_are_4000_and_not_sent(how: dict[str, bool]) -> None:
    async def story(world: World) -> None:
        await one(world)
        store_away(world, **how)
        told = [await session(world, f"S{n}") for n in range(SETTINGS.unwritten_most + 3)]
        assert told == [1000] * SETTINGS.unwritten_most + [4000] * 3
        assert len(seen(world, EMSPS[0], "sessions")) == SETTINGS.unwritten_most
        world.storing.come_back()
        await asyncio.sleep(6)
        assert await session(world, "S99") == 1000
        await asyncio.sleep(6)
        assert world.uncommitted() == 0

    tell(story)


@pytest.mark.parametrize("behind_a_broadcast", [False, True])
def test_directed_pushes_of_other_modules_are_4000_and_not_sent(behind_a_broadcast: bool) -> None:
    async def story(world: World) -> None:
        await one(world)
        store_away(world)
        if behind_a_broadcast:
            assert await location(world) == 1000
        began = world.loop.now
        assert await location(world, to=EMSPS[0]) == 4000
        assert world.loop.now - began < 2
        assert seen(world, EMSPS[0], "locations") == []
        world.storing.come_back()
        await asyncio.sleep(20)
        assert seen(world, EMSPS[0], "locations") == ([1] if behind_a_broadcast else [])
        assert world.uncommitted() == 0

    tell(story)


def test_one_that_waits_behind_a_broadcast_is_4000_although_nobody_knows_yet_why_the_store_fails() -> None:
    async def story(world: World) -> None:
        await one(world)
        store_away(world, noticed=False)
        assert await location(world) == 1000
        assert await location(world, to=EMSPS[0]) == 4000
        assert seen(world, EMSPS[0], "locations") == []

    tell(story)


def test_a_moments_failure_of_the_store_costs_no_directed_push() -> None:
    async def story(world: World) -> None:
        await one(world)
        store_away(world, noticed=False)
        assert await location(world) == 1000
        waiting = asyncio.create_task(location(world, to=EMSPS[0]))
        await asyncio.sleep(0.3)
        world.storing.come_back()
        assert await waiting == 1000

    tell(story)


# --- CDRs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [*HOW, {"hangs": False, "noticed": False}])
def test_p5_a_cdr_is_4000_and_not_attempted(how: dict[str, bool]) -> None:
    async def story(world: World) -> None:
        await one(world)
        store_away(world, **how)
        assert await cdr(world) == 4000
        world.storing.come_back()
        await asyncio.sleep(6)
        assert seen(world, EMSPS[0], "cdrs") == []
        assert world.uncommitted() == 0
        assert await cdr(world) == 1000

    tell(story)


@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_p5_a_cdr_that_was_answered_just_before_is_recorded_before_its_caller_hears_of_it(seconds: float) -> None:
    async def story(world: World) -> None:
        await one(world)
        world.recipients.thinks = 0.5
        waiting = asyncio.create_task(cdr(world))
        await asyncio.sleep(0.1)
        store_away(world, noticed=False)
        await asyncio.sleep(seconds)
        assert world.storing.data.cdrs == {}
        if seconds < 15:
            assert not waiting.done()
        world.storing.come_back()
        told = await waiting
        await asyncio.sleep(10)
        (record,) = world.storing.data.cdrs.values()
        assert (record.status_code, told) == (1000, 1000 if seconds < 15 else 4002)
        assert await cdr(world) == 1000
        assert seen(world, EMSPS[0], "cdrs") == [1]
        await asyncio.sleep(1)
        assert world.uncommitted() == 0

    tell(story)


def test_p3_cdrs_that_wait_to_be_recorded_take_no_slot_from_others() -> None:
    async def story(world: World) -> None:
        await one(world)
        waiting = [asyncio.create_task(cdr(world, f"C{n}")) for n in range(SETTINGS.directed_at_once)]
        while len(seen(world, EMSPS[0], "cdrs")) < SETTINGS.directed_at_once:
            await asyncio.sleep(0.001)
        store_away(world)
        await asyncio.sleep(2)
        assert await session(world) == 1000
        world.storing.come_back()
        assert set(await asyncio.gather(*waiting)) <= {1000, 4000}

    tell(story)


# --- partitions that change hands ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW)
def test_leaving_ends_within_its_time_and_commits_nothing_that_is_not_written(how: dict[str, bool]) -> None:
    async def story(world: World) -> None:
        process = await one(world)
        assert await session(world) == 1000
        await asyncio.sleep(1)
        store_away(world, **how)
        assert await session(world, patch=True) == 1000
        assert await location(world) == 1000
        await asyncio.sleep(1)
        began = world.loop.now
        await process.worker.stop(settle=1.0)
        assert world.loop.now - began < 1.0 + 4 * STEP
        assert committed(world, "ocpi.sessions") == 1
        assert committed(world, "ocpi.locations") == 0
        world.processes.remove(process)
        world.storing.come_back()
        await one(world)
        await asyncio.sleep(10)
        assert seen(world, EMSPS[0], "locations") == [3]
        state = next(state for key, state in world.storing.data.states.items() if key.module == "sessions")
        assert state.unconfirmed  # the new owner knows that it may have been sent, and no more
        assert seen(world, EMSPS[0], "sessions") == [1, 2]
        assert world.uncommitted() == 0

    tell(story)


@pytest.mark.parametrize("how", HOW)
def test_a_new_owner_serves_sessions_at_once_though_it_can_read_no_mark(how: dict[str, bool]) -> None:
    async def story(world: World) -> None:
        first = await one(world)
        assert await session(world) == 1000
        store_away(world, **how)
        assert await session(world, patch=True) == 1000
        assert await location(world) == 1000
        world.kill(first)
        await one(world)
        began = world.loop.now
        assert await session(world, patch=True) == 1000
        assert world.loop.now - began < 1
        assert seen(world, EMSPS[0], "sessions") == [1, 2, 4]
        assert seen(world, EMSPS[0], "locations") == []
        world.storing.come_back()
        await asyncio.sleep(10)
        assert seen(world, EMSPS[0], "locations") == [3]
        assert world.uncommitted() == 0

    tell(story)


def test_an_event_of_a_newer_directory_waits_for_it_and_is_no_poison() -> None:
    async def story(world: World) -> None:
        await one(world)
        world.directory_changes()
        assert await session(world) == 1000
        store_away(world)
        world.directory_changes()
        assert await location(world) == 1000
        assert await session(world) == 4000
        assert await session(world, "S2", patch=True) == 4000
        await asyncio.sleep(5)
        assert seen(world, EMSPS[0], "sessions") == [1]
        world.storing.come_back()
        await asyncio.sleep(5)
        assert await session(world) == 1000
        assert seen(world, EMSPS[2], "locations") == [2]
        assert aside(world) == []
        await asyncio.sleep(2)
        assert world.uncommitted() == 0

    tell(story)


def test_a_long_outage_takes_no_memory_for_what_is_answered_4000() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        store_away(world)
        assert await session(world, "S0") == 1000
        for n in range(3000):
            await world.call("sessions", Operation.PUT, f"S{n}", {"id": f"S{n}", "kwh": 1, **STAMP}, to=EMSPS[0])
        await asyncio.sleep(1)
        entries = sum(len(owned.tracker.entries) for owned in process.worker._owned.values())
        assert entries < 3000
        world.storing.come_back()
        await asyncio.sleep(10)
        assert world.uncommitted() == 0

    tell(story)


def test_the_partitions_of_others_are_not_paused() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        store_away(world)
        await location(world)
        await asyncio.sleep(2)
        paused = {tp for tp, owned in process.worker._owned.items() if owned.paused}
        assert {tp.topic for tp in paused} == {"ocpi.locations"}
        assert len(paused) == 1
        world.storing.come_back()
        await asyncio.sleep(2)
        assert not any(owned.paused for owned in process.worker._owned.values())
        assert TopicPartition("ocpi.sessions", 0) in process.worker._owned

    tell(story)
