"""Policies that change while deliveries are under way: each next attempt goes by what holds then."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from connectors.values import PartyId
from routing.policies import Policy
from tests.sim.stories import location, tell
from tests.sim.world import EMSPS, World

BUSY = EMSPS[2]


def begun(world: World, party: PartyId = BUSY) -> list[float]:
    """When each request of a delivery to this party was begun; a resync's are its own affair."""
    return [one.at for one in world.recipients.all[party].begun if not one.resync]


def busy(world: World) -> None:
    world.recipients.calm = False
    world.recipients.all[BUSY].mood = "busy"


def test_a_policy_set_between_two_attempts_decides_how_many_more_there_are_and_when() -> None:
    async def story(world: World) -> None:
        await world.start_process()
        busy(world)
        await location(world)
        await asyncio.sleep(0.4)
        assert len(begun(world)) == 1
        world.policies_change(Policy.of(BUSY, "locations", attempts=6, backoff_seconds=0.05, backoff_most_seconds=0.1))
        await asyncio.sleep(10)
        at = begun(world)
        assert len(at) == 6
        # the first pause was begun by the default's; each after it is by the policy's
        assert all(later - earlier < 0.5 for earlier, later in pairwise(at[1:]))
        why = [mark.reason for mark in world.storing.data.marks.values()]
        assert why == ["it answered HTTP 503, OCPI 3000 (attempt 6 of 6: policy FR-CCC/locations)"]

    tell(story)


def test_a_policy_of_one_attempt_leaves_it_at_that_and_only_for_its_party() -> None:
    async def story(world: World) -> None:
        await world.start_process()
        world.policies_change(Policy.of(BUSY, attempts=1), Policy.of(attempts=3, backoff_seconds=0.05))
        busy(world)
        world.recipients.all[EMSPS[0]].mood = "busy"
        await location(world)
        await asyncio.sleep(3)
        assert (len(begun(world)), len(begun(world, EMSPS[0]))) == (1, 3)

    tell(story)


def test_the_seconds_of_an_attempt_are_the_policys() -> None:
    async def story(world: World) -> None:
        await world.start_process()
        world.policies_change(Policy.of(BUSY, attempts=1, attempt_seconds=2.0))
        world.recipients.calm = False
        world.recipients.all[BUSY].mood = "hanging"
        await location(world)
        await asyncio.sleep(3)
        assert [round(one.ended - one.at) for one in world.recipients.all[BUSY].begun if one.ended is not None] == [2]

    tell(story)
