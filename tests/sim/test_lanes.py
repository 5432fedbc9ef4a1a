"""A lane adapts to what its platform bears, learns it from the first push on, and keeps to a rate that is set."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

from connectors.values import PartyId
from routing.policies import Policy
from tests.sim.stories import location, tell
from tests.sim.world import EMSPS, World
from tests.witnesses import Begun

ONE = EMSPS[2]
"""Alone on its platform."""
BULK = 60


def widened(world: World) -> None:
    world.settings = replace(world.settings, broadcasts_at_once=8, waiting_most=10_000)
    world.recipients.thinks = 0.1


def sent(world: World, party: PartyId = ONE) -> list[Begun]:
    return [one for one in world.recipients.all[party].begun if not one.resync]


def at_once(begun: list[Begun]) -> list[int]:
    """How many were in flight when each was begun, itself included."""
    return [sum(other.at <= one.at < (other.ended or one.at + 1) for other in begun) for one in begun]


async def bulk(world: World, first: int = 0) -> None:
    for number in range(first, first + BULK):
        assert await location(world, f"L{number}") == 1000


def test_the_first_bulk_push_begins_slowly_and_grows_to_the_limit() -> None:
    async def story(world: World) -> None:
        widened(world)
        await world.start_process()
        await bulk(world)
        await asyncio.sleep(20)
        in_flight = at_once(sent(world))
        assert len(in_flight) == BULK
        assert max(in_flight[:3]) == 2
        assert max(in_flight) == 8

    tell(story)


def test_a_platform_that_bears_three_at_a_time_gets_its_bulk_and_few_more_requests() -> None:
    async def story(world: World) -> None:
        widened(world)
        world.policies_change(Policy.of(attempts=20, backoff_seconds=0.05))
        world.recipients.bears[ONE] = 3
        await world.start_process()
        await bulk(world)
        await asyncio.sleep(25)
        begun = sent(world)
        assert sum(one.processed for one in begun) == BULK
        assert len(begun) < 1.5 * BULK, "most were begun when they could be served"
        assert max(at_once(begun)) <= 5
        # the others never hear of it
        assert max(at_once(sent(world, EMSPS[0]) + sent(world, EMSPS[1]))) == 8

    tell(story)


def test_a_platform_that_hangs_is_asked_for_less_and_for_more_again_when_it_is_back() -> None:
    async def story(world: World) -> None:
        widened(world)
        process = await world.start_process()
        lanes, platform = process.worker, "two"
        await bulk(world)
        await asyncio.sleep(20)
        assert lanes.delivery.at_once(platform) == 8
        world.recipients.calm = False
        world.recipients.all[ONE].mood = "hanging"
        await bulk(world)
        await asyncio.sleep(25)
        assert lanes.delivery.at_once(platform) <= 4
        world.recipients.calm = True
        await asyncio.sleep(60)
        await bulk(world)
        await asyncio.sleep(20)
        assert lanes.delivery.at_once(platform) == 8

    tell(story)


def test_a_rate_holds_for_broadcasts_and_for_pushes_with_a_caller_and_the_others_are_as_fast_as_ever() -> None:
    async def story(world: World) -> None:
        widened(world)
        world.rate_changes("two", 4.0)
        await world.start_process()
        for number in range(12):
            await location(world, f"L{number}")
        began = world.loop.now
        assert await location(world, "L99", to=ONE) == 1000
        assert world.loop.now - began < 1.5, "who has a caller waiting goes first"
        await asyncio.sleep(10)
        begun = sorted(one.at for one in sent(world))
        assert len(begun) == 13
        assert all(later - earlier >= 0.2 for earlier, later in pairwise(begun))
        assert begun[-1] - begun[0] > 2.9
        others = [one.at for one in sent(world, EMSPS[0])]
        assert max(others) - min(others) < 2

    tell(story)


def test_a_pause_that_a_platform_asks_for_is_one_for_all_its_broadcasts() -> None:
    async def story(world: World) -> None:
        widened(world)
        world.policies_change(Policy.of(attempts=20))
        world.recipients.asks[ONE] = "5"
        world.recipients.calm = False
        world.recipients.all[ONE].mood = "busy"
        await world.start_process()
        for number in range(12):
            await location(world, f"L{number}")
        await asyncio.sleep(4)
        assert len(sent(world)) <= 2, "those that were in flight when it asked"
        world.recipients.calm = True
        await asyncio.sleep(4)
        assert len(sent(world)) == 12 + 2

    tell(story)
