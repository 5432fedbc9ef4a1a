"""Records that retention took before they were settled: every platform is marked, and only then is it committed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from routing.log.port import Assignment, Position, TopicPartition
from routing.worker.worker import Worker
from tests.sim.stories import committed, location, one, seen, session, store_away, tell
from tests.sim.world import EMSPS, World


@pytest.fixture(autouse=True)
def _says_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the engine does that loses records: whoever gets a partition is told."""
    whole = Worker.assigned

    async def assigned(self: Worker, assignments: Sequence[Assignment]) -> None:
        await whole(self, [replace(each, gap=each.tp in GAPS) for each in assignments])

    monkeypatch.setattr(Worker, "assigned", assigned)


GAPS: list[TopicPartition] = []


def lose(world: World) -> list[TopicPartition]:
    """Everything on the log of locations is gone."""
    lost = []
    for tp, partition in world.log._partitions.items():
        if tp.topic == "ocpi.locations" and partition.records:
            partition.base += len(partition.records)
            partition.records.clear()
            lost.append(tp)
    return lost


@pytest.mark.parametrize("away", [False, True])
def test_every_platform_is_marked_from_where_the_gap_begins(away: bool) -> None:
    async def story(world: World) -> None:
        process = await one(world)
        assert await location(world) == 1000
        await asyncio.sleep(2)
        assert committed(world, "ocpi.locations") == 1
        store_away(world)
        assert [await location(world, patch=True) for _ in range(2)] == [1000, 1000]
        world.kill(process)
        GAPS[:] = lose(world)
        if not away:
            world.storing.come_back()
        second = await one(world)
        (tp,) = GAPS
        assert await session(world) == 1000
        if away:
            await asyncio.sleep(10)
            assert committed(world, "ocpi.locations") == 1
            world.storing.come_back()
        await asyncio.sleep(5)
        marks = {mark.platform: mark.position for mark in world.storing.data.marks.values() if mark.tp == tp}
        assert marks == dict.fromkeys(world.directory.platforms, Position(1, 1))
        assert second.worker.marks.reaches("one", tp) == Position(1, 1)
        assert await location(world) == 1000
        await asyncio.sleep(5)
        assert seen(world, EMSPS[0], "locations") == [1, 5]
        assert world.uncommitted() == 0
        assert any("ALARM" in sentence and "ocpi.locations" in sentence for sentence in world.said)
        GAPS.clear()

    tell(story)
