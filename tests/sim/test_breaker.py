"""Recipients that hang, flap and are slow: what that costs callers, the others, and themselves when they are back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

from routing.breaker import MISSES, OPEN_SECONDS
from routing.policies import Policy
from tests.sim.stories import location, seen, session, tell
from tests.sim.world import CALLER_WAIT, EMSPS, World

ONE, PLATFORM = EMSPS[2], "two"
"""Alone on its platform."""
OTHER = EMSPS[0]
AT_ONCE = 0.5
"""Seconds of virtual time; a request to one that is well takes less."""


def becomes(world: World, mood: str) -> None:
    world.recipients.calm = False
    world.recipients.all[ONE].mood = mood


async def told(world: World, names: list[str]) -> tuple[set[int], float]:
    """What the senders of these sessions were told, and how long the last of them waited."""
    began = world.loop.now
    codes = await asyncio.gather(*(session(world, name, to=ONE) for name in names))
    return set(codes), world.loop.now - began


def test_one_that_hangs_costs_a_few_callers_a_timeout_and_the_others_a_4003_at_once_until_it_shows_itself() -> None:
    async def story(world: World) -> None:
        process = await world.start_process()
        becomes(world, "hanging")
        assert (await told(world, [f"A{number}" for number in range(MISSES)]))[0] == {4002}
        codes, seconds = await told(world, [f"B{number}" for number in range(20)])
        assert codes == {4003}
        assert seconds < AT_ONCE
        assert len(seen(world, ONE, "sessions")) == MISSES, "it saw none of the others"
        becomes(world, "well")
        world.calls_in(PLATFORM, process)
        codes, seconds = await told(world, [f"C{number}" for number in range(20)])
        assert codes == {1000}
        assert seconds < AT_ONCE

    tell(story)


def test_what_hung_when_it_came_back_keeps_nobody_from_it() -> None:
    """Those end one by one for as long as a caller waits; each says that it was not answered in time."""

    async def story(world: World) -> None:
        first, _ = await world.start_process(), await world.start_process()
        await asyncio.sleep(1)
        becomes(world, "hanging")
        waiting = []
        for number in range(80):
            waiting.append(asyncio.create_task(session(world, f"A{number}", to=ONE)))
            await asyncio.sleep(0.25)
        becomes(world, "well")
        world.calls_in(PLATFORM, first)
        for number in range(8):
            await told(world, [f"C{number}"])
            await asyncio.sleep(OPEN_SECONDS / 8)
        for second in range(int(CALLER_WAIT)):
            codes, _ = await told(world, [f"B{second}-{number}" for number in range(6)])
            assert codes == {1000}, f"{second} s later"
            await asyncio.sleep(1)
        assert {task.result() for task in waiting} == {4002, 4003}

    tell(story)


def test_marks_are_worked_off_as_soon_as_it_shows_itself() -> None:
    async def story(world: World) -> None:
        process = await world.start_process()
        world.policies_change(Policy.of(ONE, attempts=1, attempt_seconds=1.0))
        becomes(world, "hanging")
        for number in range(8):
            await location(world, f"L{number}")
            await asyncio.sleep(0.5)
        await asyncio.sleep(60)  # a resync that meets it hanging pauses longer and longer
        assert world.storing.data.marks
        becomes(world, "well")
        world.calls_in(PLATFORM, process)
        await asyncio.sleep(2.0)
        held = world.recipients.all[ONE].objects
        assert {name for module, name in held if module == "locations"} == {f"L{number}" for number in range(8)}

    tell(story)


def test_one_that_flaps_every_second_ends_with_the_newest_state_and_the_others_notice_nothing() -> None:
    async def story(world: World) -> None:
        await world.start_process()
        becomes(world, "flapping")
        updates, objects, waits = 240, 12, []
        for number in range(updates):
            began = world.loop.now
            assert await location(world, f"L{number % objects}") == 1000
            await asyncio.sleep(0.25)
            waits.append(world.loop.now - began)
        assert max(waits) < 1
        others = [one for one in world.recipients.all[OTHER].begun if one.module == "locations"]
        assert len(others) == updates, "none waited long enough to be folded"
        assert max(later.at - earlier.at for earlier, later in pairwise(others)) < 1
        begun = [one for one in world.recipients.all[ONE].begun if one.module == "locations"]
        assert len(begun) < updates, "it is not asked again and again"
        becomes(world, "well")
        await asyncio.sleep(30)
        assert world.recipients.all[ONE].objects == world.recipients.all[OTHER].objects
        assert not world.storing.data.marks

    tell(story)


def test_one_that_is_too_slow_gets_the_newest_state_of_each_object_and_the_others_notice_nothing() -> None:
    async def story(world: World) -> None:
        await world.start_process()
        world.recipients.slow[ONE] = 9.0
        updates, objects = 400, 20
        for number in range(updates):
            assert await location(world, f"L{number % objects}") == 1000
            await asyncio.sleep(0.25)
        others = [one for one in world.recipients.all[OTHER].begun if one.module == "locations"]
        assert len(others) == updates
        assert all(one.ended is not None and one.ended - one.at < 1 for one in others)
        begun = [one for one in world.recipients.all[ONE].begun if one.module == "locations"]
        assert 8 < len(begun) < updates / 4, "what it can take, and no more"
        await asyncio.sleep(240)
        assert world.recipients.all[ONE].objects == world.recipients.all[OTHER].objects
        assert not world.storing.data.marks
        assert all(one.processed for one in begun), "it was slow, and never cut off"

    tell(story)


def test_a_rate_that_is_set_and_taken_back_while_a_bulk_waits_holds_for_what_is_begun_from_then_on() -> None:
    async def story(world: World) -> None:
        world.settings = replace(world.settings, waiting_most=1000)
        await world.start_process()
        world.recipients.slow[ONE] = 0.05
        world.rate_changes(PLATFORM, 2.0)
        for number in range(6):
            await location(world, f"L{number}")
        await asyncio.sleep(1.0)
        some = len(seen(world, ONE, "locations"))
        assert 2 <= some <= 4
        world.rate_changes(PLATFORM, 1.0)
        await asyncio.sleep(2.0)
        assert some + 1 <= len(seen(world, ONE, "locations")) <= some + 3
        world.rate_changes(PLATFORM, None)
        await asyncio.sleep(1.2)
        assert len(seen(world, ONE, "locations")) == 6

    tell(story)
