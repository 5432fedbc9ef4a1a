"""What was read of one party's alone (sessions, CDRs): kept for it, sent to nobody, and never over what it is told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from connectors.values import Role
from routing import event as events
from routing.event import Event, Operation
from routing.log.port import Position, TopicPartition, partition_of
from routing.state import ObjectState, StateKey
from tests.sim.stories import STAMP, one, seen, session, tell
from tests.sim.test_outcomes import outcomes
from tests.sim.world import CPO, EMSPS, World

KEY = StateKey(CPO, "sessions", "S1", "", EMSPS[0])


def end_of(world: World) -> Position:
    """The end of the partition of the session now."""
    return world.log.end(TopicPartition("ocpi.sessions", partition_of(b"NL*TNM/sessions/S1", 2)))


async def read(world: World, kwh: int, *, since: Position) -> None:
    """Onto the log as the hub has it from the owner: the session of the first eMSP."""
    now = world.clock.utc()
    body = {"id": "S1", "kwh": kwh, **STAMP}
    event = Event(
        id=f"read-{kwh}", module="sessions", owner=CPO, object_id="S1", operation=Operation.PUT,
        path=("NL", "TNM", "S1"), query="", audience=None, sender=CPO, sender_role=Role.CPO, platform="cpo",
        accepted=now, expires=now + 60_000, request_id="0", correlation_id="0", revision=1,
        payload=json.dumps(body).encode(), last_updated=STAMP["last_updated"], read=since, kept_for=EMSPS[0],
    )  # fmt: skip
    await world.log.publish(event.topic, event.key, events.encode(event), event.payload, within=3.0)


def state(world: World) -> ObjectState:
    return world.storing.data.states[KEY]


def known(world: World) -> dict[str, Any]:
    body = state(world).body
    assert body is not None
    found: dict[str, Any] = json.loads(body)
    return found


def test_a_session_that_was_read_is_its_emsps_alone_and_sent_to_nobody() -> None:
    async def story(world: World) -> None:
        await one(world)
        await read(world, 7, since=end_of(world))
        await asyncio.sleep(3)
        assert list(world.storing.data.states) == [KEY] and known(world)["kwh"] == 7
        assert world.uncommitted() == 0 and not outcomes(world)
        assert not any(world.recipients.all[party].objects for party in EMSPS)
        assert await session(world, patch=True) == 1000
        await asyncio.sleep(3)
        assert known(world) == {"id": "S1", "kwh": 1, "seq": 1, **STAMP} and not state(world).parts

    tell(story)


@pytest.mark.parametrize("patch", [False, True])
def test_p2_what_an_emsp_is_being_told_while_it_is_read_stands(*, patch: bool) -> None:
    async def story(world: World) -> None:
        await one(world)
        assert await session(world) == 1000
        await asyncio.sleep(3)
        since = end_of(world)
        world.recipients.thinks = 2.0
        telling = asyncio.create_task(session(world, patch=patch))
        await asyncio.sleep(0.5)
        await read(world, 99, since=since)  # as its owner had it before, or with what is on its way in it already
        assert await telling == 1000
        await asyncio.sleep(3)
        assert (known(world)["kwh"], seen(world, EMSPS[0], "sessions")) == (2, [1, 2])
        since = end_of(world)
        assert await session(world, patch=patch) == 1000
        await asyncio.sleep(3)
        await read(world, 99, since=since)
        await asyncio.sleep(3)
        assert known(world)["kwh"] == 3 and world.uncommitted() == 0

    tell(story)


def test_what_nobody_knows_of_a_session_is_known_again_once_it_was_read() -> None:
    async def story(world: World) -> None:
        await one(world)
        assert await session(world) == 1000
        world.recipients.thinks = 60.0
        assert await session(world) == 4002
        await asyncio.sleep(20)
        assert state(world).unconfirmed
        await read(world, 1, since=end_of(world))
        await asyncio.sleep(3)
        assert not state(world).unconfirmed and known(world)["kwh"] == 1

    tell(story)


def test_a_kill_before_it_is_written_loses_nothing_of_a_session_that_was_read() -> None:
    async def story(world: World) -> None:
        killed = await one(world)
        await read(world, 7, since=end_of(world))
        world.kill(killed)
        await world.start_process()
        await asyncio.sleep(10)
        assert known(world)["kwh"] == 7 and world.uncommitted() == 0

    tell(story)
