"""What was read from an owner: nobody is sent it, and a broadcast that came in meanwhile is newer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from connectors.values import Role
from routing import event as events
from routing.event import Event, Operation
from routing.log.port import Position, TopicPartition, partition_of
from routing.state import ObjectState
from tests.sim.stories import STAMP, location, one, seen, tell
from tests.sim.test_outcomes import outcomes
from tests.sim.test_window import nobody_works
from tests.sim.world import CPO, EMSPS, World


def end_of(world: World, name: str) -> Position:
    """The end of the partition of this location now."""
    key = f"NL*TNM/locations/{name}".encode()
    return world.log.end(TopicPartition("ocpi.locations", partition_of(key, 2)))


async def read(world: World, name: str, n: str, *, since: Position, operation: Operation = Operation.PUT) -> None:
    """Onto the log as the hub has it from the owner: a location of this name, or that it is gone."""
    body = {"id": name, "name": n, "evses": [], **STAMP} if operation is Operation.PUT else None
    now = world.clock.utc()
    event = Event(
        id=f"read-{n}", module="locations", owner=CPO, object_id=name, operation=operation,
        path=("NL", "TNM", name), query="", audience=None, sender=CPO, sender_role=Role.CPO, platform="cpo",
        accepted=now, expires=now + 60_000, request_id="0", correlation_id="0", revision=1,
        payload=b"" if body is None else json.dumps(body).encode(), last_updated=STAMP["last_updated"], read=since,
    )  # fmt: skip
    await world.log.publish(event.topic, event.key, events.encode(event), event.payload, within=3.0)


def state_of(world: World, name: str) -> ObjectState | None:
    return next((one for key, one in world.storing.data.states.items() if key.object_id == name), None)


def known(world: World, name: str) -> dict[str, Any]:
    state = state_of(world, name)
    assert state is not None and state.body is not None
    found: dict[str, Any] = json.loads(state.body)
    return found


def test_what_was_read_is_known_and_nobody_is_sent_it() -> None:
    async def story(world: World) -> None:
        await one(world)
        await read(world, "L1", "read", since=end_of(world, "L1"))
        await asyncio.sleep(3)
        assert known(world, "L1")["name"] == "read"
        assert world.uncommitted() == 0
        assert not any(world.recipients.all[party].objects for party in EMSPS)
        assert not outcomes(world)

    tell(story)


@pytest.mark.parametrize("patch", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_p2_a_broadcast_that_races_a_reading_wins_whichever_is_on_the_log_first(*, patch: bool, late: bool) -> None:
    async def story(world: World) -> None:
        if late:
            await nobody_works(world)
        else:
            await one(world)
        assert await location(world) == 1000
        since = end_of(world, "L1")
        assert await location(world, patch=patch) == 1000  # while the owner answers
        newest = world.next_seq() - 1
        await read(world, "L1", "read", since=since)
        if late:
            await world.start_process()
        await asyncio.sleep(6)
        assert known(world, "L1")["name"] == f"n{newest}"
        assert world.uncommitted() == 0
        for party in (EMSPS[0], EMSPS[2]):
            assert max(seen(world, party, "locations")) == newest

    tell(story)


def test_a_patch_after_a_reading_is_laid_over_it() -> None:
    async def story(world: World) -> None:
        await one(world)
        await read(world, "L1", "read", since=end_of(world, "L1"))
        assert await location(world, patch=True) == 1000
        await asyncio.sleep(3)
        found = known(world, "L1")
        assert (found["id"], found["seq"]) == ("L1", 1)
        state = state_of(world, "L1")
        assert state is not None and not state.parts

    tell(story)


def test_a_kill_before_it_is_written_loses_nothing_of_what_was_read() -> None:
    async def story(world: World) -> None:
        killed = await one(world)
        assert await location(world, "L1") == 1000
        await asyncio.sleep(3)
        at = state_of(world, "L1")
        for n in range(5):
            await read(world, f"L{n}", "read", since=end_of(world, f"L{n}"))
        world.kill(killed)
        await world.start_process()
        await asyncio.sleep(10)
        assert [known(world, f"L{n}")["name"] for n in range(5)] == ["read"] * 5
        assert world.uncommitted() == 0
        there = state_of(world, "L1")
        assert at is not None and there is not None and there.position > at.position
        assert seen(world, EMSPS[0], "locations") == [1]

    tell(story)


def test_what_is_gone_from_the_list_is_a_tombstone_and_nobody_is_told() -> None:
    async def story(world: World) -> None:
        await one(world)
        for name in ("L1", "L2"):
            assert await location(world, name) == 1000
        await asyncio.sleep(3)
        since = end_of(world, "L1"), end_of(world, "L2")
        assert await location(world, "L2") == 1000
        for name, end in zip(("L1", "L2"), since, strict=True):
            await read(world, name, f"gone-{name}", since=end, operation=Operation.DELETE)
        await asyncio.sleep(3)
        gone, kept = state_of(world, "L1"), state_of(world, "L2")
        assert gone is not None and gone.deleted
        assert kept is not None and not kept.deleted
        assert sorted(seen(world, EMSPS[0], "locations")) == [1, 2, 3]

    tell(story)


def test_what_is_read_while_a_platform_is_resynced_is_among_what_it_gets() -> None:
    async def story(world: World) -> None:
        await one(world)
        away = world.recipients.all[EMSPS[2]]
        world.recipients.calm, away.mood = False, "refusing"
        for n in range(12):
            assert await location(world, f"L{n}") == 1000
        while not world.storing.data.marks:
            await asyncio.sleep(0.5)
        away.mood, world.recipients.thinks = "well", 2.0
        while not any(begun.resync for begun in away.begun):
            await asyncio.sleep(0.1)
        there = world.storing.data.marks.values()
        marked = {mark.tp.partition for mark in there if mark.platform == "two" and mark.upper is not None}
        names = [f"L{n}" for n in range(12) if partition_of(f"NL*TNM/locations/L{n}".encode(), 2) in marked]
        for name in names:
            await read(world, name, f"read-{name}", since=end_of(world, name))
        await asyncio.sleep(60)
        assert world.storing.data.marks == {}
        assert names
        assert {name: away.objects["locations", name]["name"] for name in names} == {
            name: f"read-{name}" for name in names
        }

    tell(story)
