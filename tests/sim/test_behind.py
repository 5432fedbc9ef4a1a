"""How far a worker is behind: by the log's own times, and by how long the oldest event is under way."""

from __future__ import annotations

import asyncio

from routing.event import Operation, encode
from tests.routing.events import event
from tests.sim.loop import VirtualLoop
from tests.sim.world import EMSPS, World


def test_a_worker_that_reads_what_waited_tells_for_how_long_it_did() -> None:
    loop = VirtualLoop()

    async def story() -> tuple[float, float]:
        world = World(loop, 1)
        one = event("PUT", {"id": "L1"}, expires=world.clock.utc() + 3000)
        await world.log.publish(one.topic, one.key, encode(one), one.payload, within=3.0)
        await asyncio.sleep(20)
        worker = (await world.start_process()).worker
        seen = 0.0
        for _ in range(200):
            seen = max(seen, worker.behind)
            await asyncio.sleep(0.01)
        await asyncio.sleep(5)
        now = worker.behind
        await world.leave(world.processes[0])
        return seen, now

    seen, now = loop.run_until_complete(story())
    loop.close()
    assert 20 <= seen < 25
    assert now == 0.0


def test_the_oldest_event_under_way_counts_until_it_is_settled() -> None:
    loop = VirtualLoop()

    async def story() -> tuple[float, float]:
        world = World(loop, 1)
        worker = (await world.start_process()).worker
        world.recipients.all[EMSPS[0]].mood = "hanging"
        body = {"id": "L1", "evses": [], "last_updated": "2026-01-01T00:00:00Z"}
        await world.call("locations", Operation.PUT, "L1", body)
        await asyncio.sleep(5)
        waiting = worker.unsettled()
        await asyncio.sleep(60)
        after = worker.unsettled()
        await world.leave(world.processes[0])
        return waiting, after

    waiting, after = loop.run_until_complete(story())
    loop.close()
    assert 4 < waiting <= 5
    assert after == 0.0
