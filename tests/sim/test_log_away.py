"""While the log is away from a worker it begins nothing; that is nobody's slowness."""

from __future__ import annotations

import asyncio

import pytest

from tests.sim.stories import location, one, seen, tell
from tests.sim.world import EMSPS, SETTINGS, World


@pytest.mark.parametrize("seconds", [5.0, SETTINGS.unsettled_most + 5.0])
def test_what_waits_goes_out_when_the_log_is_back_and_nobody_is_marked_for_it(seconds: float) -> None:
    async def story(world: World) -> None:
        process = await one(world)
        world.recipients.thinks = 3.0
        for n in range(2):
            assert await location(world, f"L{n}") == 1000
        await asyncio.sleep(1)  # two at a time are in flight to each, the others wait
        world.log.away(process.name)
        await asyncio.sleep(seconds)
        before = {party: len(seen(world, party, "locations")) for party in EMSPS}
        world.log.back(process.name)
        await asyncio.sleep(20)
        assert world.storing.data.marks == {}
        for party in EMSPS:
            assert set(seen(world, party, "locations")[before[party] :]) == {1, 2}
        assert world.uncommitted() == 0

    tell(story)


def test_who_is_too_slow_once_it_is_back_is_marked_as_ever() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        world.recipients.calm = False
        world.recipients.all[EMSPS[2]].mood = "hanging"
        for n in range(2):
            assert await location(world, f"L{n}") == 1000
        world.log.away(process.name)
        await asyncio.sleep(SETTINGS.unsettled_most + 5)
        assert world.storing.data.marks == {}
        world.log.back(process.name)
        await asyncio.sleep(SETTINGS.unsettled_most + 15)
        assert world.storing.data.marks
        assert world.uncommitted() == 0

    tell(story)
