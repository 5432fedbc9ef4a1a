"""Partitions that come and go: in order, within a bound, unnoticed by the others; and who may not begin, does not."""

from __future__ import annotations

import asyncio

import pytest

from routing.log.port import LogAway, TopicPartition, partition_of
from routing.worker.leaving import STEP
from routing.worker.worker import GROUP
from tests.sim.recipients import Recipients
from tests.sim.stories import cdr, committed, location, one, seen, session, tell
from tests.sim.world import EMSPS, Process, World


def names(module: str, partition: int) -> list[str]:
    """Ids of objects whose events stand in this partition."""
    every = [f"X{n}" for n in range(40)]
    return [name for name in every if partition_of(f"NL*TNM/{module}/{name}".encode(), 2) == partition]


async def bounce(world: World, tps: list[TopicPartition]) -> None:
    """These are given up and dealt anew; the others stay with their owners."""
    group = world.log._groups[GROUP]
    group._bounced = dict.fromkeys(tps)
    group._deal()
    await asyncio.sleep(2)


@pytest.mark.parametrize("slow", [0.0, 2.0])
def test_partitions_that_stay_go_on_while_others_are_given_up(slow: float) -> None:
    tps = [TopicPartition(topic, 0) for topic in ("ocpi.sessions", "ocpi.locations")]

    async def story(world: World) -> None:
        await one(world)
        going, staying = names("sessions", 0), names("sessions", 1)
        assert await session(world, going[0]) == 1000
        assert await session(world, staying[0]) == 1000
        assert await location(world, names("locations", 1)[0]) == 1000
        world.recipients.thinks = slow
        held = asyncio.create_task(session(world, going[1]))
        await asyncio.sleep(0.05)
        world.recipients.thinks = 0.0
        bouncing = asyncio.create_task(bounce(world, tps))
        began = world.loop.now
        told = [await session(world, name, patch=True) for name in staying]
        assert told == [1000] * len(staying)
        if not slow:
            assert world.loop.now - began < 1
        await bouncing
        assert await held == 1000
        assert await session(world, going[0], patch=True) == 1000
        await asyncio.sleep(2)
        assert world.uncommitted() == 0

    tell(story)


@pytest.mark.parametrize("settle", [0.5, 2.5])
def test_leaving_ends_within_its_time_whatever_is_in_flight_and_even_without_a_log(
    settle: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        process = await one(world)
        world.recipients.thinks = 14.0
        calls = [asyncio.create_task(session(world, f"S{n}")) for n in range(5)]
        await asyncio.sleep(0.5)

        async def never(*args: object, **more: object) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(process.worker._consumer, "commit", never)
        monkeypatch.setattr(world.log, "publish_all", lambda *_, **__: world.loop.create_future())
        began = world.loop.now
        await process.worker.stop(settle=settle)
        assert settle <= world.loop.now - began <= settle + 4 * STEP
        world.processes.remove(process)
        await one(world)
        assert await asyncio.gather(*calls) == [4002] * 5
        monkeypatch.undo()
        await asyncio.sleep(5)

    tell(story)


def test_what_is_cut_off_is_4002_at_once_and_begun_by_no_other() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        world.recipients.thinks = 14.0
        waiting = asyncio.create_task(session(world))
        await asyncio.sleep(0.5)
        began = world.loop.now
        await process.worker.stop(settle=1.0)
        assert await waiting == 4002
        assert world.loop.now - began < 1 + STEP
        assert committed(world, "ocpi.sessions") == 1
        world.processes.remove(process)
        await one(world)
        await asyncio.sleep(2)
        assert seen(world, EMSPS[0], "sessions") == [1]

    tell(story)


def test_what_is_cut_off_before_its_first_step_is_not_lost() -> None:
    """A task that is cancelled before it ran never comes to its own end."""

    async def story(world: World) -> None:
        process = await one(world)
        begin = process.worker.delivery._begin

        def begin_and_cut(*args: object) -> None:
            begin(*args)  # type: ignore[arg-type]
            world.log.away(process.name)
            process.worker.delivery.cut_off()

        process.worker.delivery._turns._begin = begin_and_cut
        assert await session(world) == 4002
        world.log.back(process.name)
        assert await location(world) == 1000
        await asyncio.sleep(0.05)
        process.worker.delivery._turns._begin = begin
        world.log.back(process.name)
        process.worker.delivery.go_on()
        assert await session(world) == 1000
        await asyncio.sleep(2)
        assert seen(world, EMSPS[0], "locations") == [2]
        assert world.uncommitted() == 0

    tell(story)


@pytest.mark.parametrize("what", ["broadcast", "directed", "cdr", "catch-up"])
def test_p1_nothing_is_begun_once_the_process_may_have_been_replaced(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins asks when its connection is at hand, not when its turn came."""
    connect = Recipients.push

    async def push(self: Recipients, push: object, **more: object) -> object:
        world.log.away(process.name)  # while it connects
        return await connect(self, push, **more)  # type: ignore[arg-type]

    world: World
    process: Process

    async def story(told: World) -> None:
        nonlocal world, process
        world, process = told, await one(told)
        if what == "catch-up":
            world.recipients.calm = False
            world.recipients.all[EMSPS[0]].mood = "refusing"
            assert await location(world) == 1000
            await asyncio.sleep(10)
            world.recipients.calm = True
        before = [seen(world, party, "locations") for party in EMSPS]
        monkeypatch.setattr(Recipients, "push", push)
        if what == "broadcast":
            assert await location(world) == 1000
            await asyncio.sleep(3)
        elif what == "cdr":
            assert await cdr(world) == 4003
        elif what == "catch-up":
            assert await location(world, to=EMSPS[0], patch=True) == 4003
        else:
            assert await session(world) == 4003
        monkeypatch.undo()
        assert [seen(world, party, "locations") for party in EMSPS] == before
        assert seen(world, EMSPS[0], "sessions") == seen(world, EMSPS[0], "cdrs") == []

    tell(story)


def test_a_log_that_takes_no_commits_ends_no_start_and_no_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        process = await world.start_process()

        async def away(commits: object) -> None:
            del commits
            raise LogAway("away")

        monkeypatch.setattr(process.worker._consumer, "commit", away)
        await asyncio.sleep(5)
        began = world.loop.now
        await process.worker.stop(settle=1.0)
        assert world.loop.now - began < 3
        world.processes.remove(process)

    tell(story)
