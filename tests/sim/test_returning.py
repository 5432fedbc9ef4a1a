"""P4, seeded: whoever was away gets at most eleven requests for ten objects that changed, and all of them."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.sim.stories import location, one, tell
from tests.sim.test_resync import go_away, got
from tests.sim.world import EMSPS, World

SEEDS = 20
THINKS = 0.1
"""Seconds that the one who returned takes for each request."""
_UNTOLD = 100 + 4 / THINKS
"""What a killed process may have sent since it wrote how far it came: a batch, and four at a time for a second."""


@pytest.mark.parametrize("seed", range(SEEDS))
def test_p4_whoever_returns_gets_at_most_eleven_requests_for_ten_objects(seed: int) -> None:
    random = Random(seed)
    parties = random.choice((EMSPS[:2], EMSPS[2:]))  # all of a platform

    async def story(world: World) -> None:
        process = await one(world)
        if random.random() < 0.5:
            await world.start_process()
        for party in parties:
            go_away(world, random.choice(("refusing", "hanging", "busy")), party)
        changed = await _updates(world, random)
        while world.uncommitted():
            await asyncio.sleep(0.5)  # until all that they missed is given up to marks
        await asyncio.sleep(random.uniform(0, 90))
        world.recipients.thinks = THINKS
        world.recipients.calm = True
        before = {party: len(got(world, party=party)) for party in parties}
        again = 0.0
        if seed % 2:
            few = random.randrange(len(changed))
            while all(len(got(world, before[party], party)) < few for party in parties):
                await asyncio.sleep(THINKS)
            again = min(_UNTOLD, max(len(got(world, before[party], party)) for party in parties))
            world.kill(process)
            await world.start_process()
        await asyncio.sleep(120)
        assert world.storing.data.marks == {}
        there = next(party for party in EMSPS if party not in parties)
        for party in parties:
            told = got(world, before[party], party)
            assert len(told) <= 1.1 * len(changed) + again, f"{party}: {len(told)} for {len(changed)} objects"
            assert world.recipients.all[party].objects == world.recipients.all[there].objects

    tell(story)


async def _updates(world: World, random: Random) -> set[str]:
    """Objects of which somebody is away, each updated a few times; their names."""
    names = [f"L{number}" for number in range(random.randrange(10, 250))]
    for name in names:
        assert await location(world, name) == 1000
        if random.random() < 0.3:
            await asyncio.sleep(0.1)
    for _ in range(random.randrange(2 * len(names))):
        assert await location(world, random.choice(names), patch=random.random() < 0.8) == 1000
        if random.random() < 0.3:
            await asyncio.sleep(0.2)
    return set(names)
