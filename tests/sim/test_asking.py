"""What only the owner of an object knows is read from it, once; while it cannot be, what waits for it stays marked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from connectors.values import PartyId
from routing.policy import Outcome
from routing.worker.asking import ATTEMPTS
from tests.sim.stories import STAMP, location, one, tell
from tests.sim.test_resync import AWAY, come_back, go_away, got, until_marked, watched
from tests.sim.world import EMSPS, World

OTHERS = EMSPS[0]


def had(world: World, name: str = "L1") -> None:
    """The owner has this location, and never told anybody the whole of it."""
    world.owners.had["locations", name] = {"id": name, "city": "Leiden", "evses": [], "seq": 0, **STAMP}


def known(world: World, name: str = "L1") -> dict[str, Any]:
    state = next(one for key, one in world.storing.data.states.items() if (key.object_id, key.audience) == (name, None))
    assert state.body is not None
    found: dict[str, Any] = json.loads(state.body)
    return found


def holds(world: World, party: PartyId = AWAY, name: str = "L1") -> dict[str, Any]:
    return world.recipients.all[party].objects.get(("locations", name), {})


async def only_the_owner_knows(world: World) -> None:
    """A push of L1 to one alone may have reached it, or not; then it missed a broadcast of L1."""
    assert await location(world) == 1000
    await asyncio.sleep(2)
    go_away(world, "hanging")
    assert await location(world, to=AWAY, patch=True) == 4002
    go_away(world)
    assert await location(world, patch=True) == 1000
    await until_marked(world)
    await asyncio.sleep(2)


# --- updates of what the hub does not know ---------------------------------------------------------------------------


def test_an_update_of_what_is_not_known_goes_on_at_once_and_its_owner_is_asked_once() -> None:
    async def story(world: World) -> None:
        await one(world)
        had(world)
        world.owners.mood = "well"
        for _ in range(5):
            assert await location(world, patch=True) == 1000
            await asyncio.sleep(0.3)
        for party in EMSPS:
            assert {begun.method for begun in got(world, party=party)} == {"PATCH"}
        await asyncio.sleep(10)
        assert [name for name, _ in world.owners.asked] == ["L1"]
        assert known(world)["city"] == "Leiden"
        assert known(world)["seq"] == 5, "what came in meanwhile is laid over it"
        assert await location(world, patch=True) == 1000
        await asyncio.sleep(5)
        assert len(world.owners.asked) == 1

    tell(story)


def test_who_does_not_know_it_either_gets_the_whole_once_it_was_read() -> None:
    async def story(world: World) -> None:
        await one(world)
        had(world)
        world.owners.mood = "well"
        world.recipients.unknown = {AWAY}
        assert await location(world, patch=True) == 1000
        await asyncio.sleep(20)
        assert [begun.method for begun in got(world)] == ["PATCH", "PUT"]
        assert holds(world)["city"] == "Leiden"
        assert world.storing.data.marks == {}

    tell(story)


@pytest.mark.parametrize("mood", ["failing", "hanging", "blank"])
def test_an_owner_that_does_not_tell_is_not_asked_for_ever_and_what_is_known_goes(mood: str) -> None:
    async def story(world: World) -> None:
        await one(world)
        world.owners.mood = mood
        world.recipients.unknown = {AWAY}
        for _ in range(20):
            assert await location(world, patch=True) == 1000
            await asyncio.sleep(10)
        assert 0 < len(world.owners.asked) <= ATTEMPTS
        assert world.storing.data.marks == {}
        assert holds(world, OTHERS)["seq"] == 20

    tell(story)


# --- pushes that may have arrived ------------------------------------------------------------------------------------


def test_p2_who_may_have_had_a_push_of_its_own_gets_what_its_owner_says() -> None:
    async def story(world: World) -> None:
        await one(world)
        await only_the_owner_knows(world)
        come_back(world)
        await asyncio.sleep(30)
        assert world.storing.data.marks != {}, "nobody can be asked"
        before = len(got(world))
        world.owners.mood = "well"
        await asyncio.sleep(30)
        assert world.storing.data.marks == {}
        told = got(world, before)
        assert [begun.method for begun in told] == ["PUT"]
        assert holds(world)["seq"] == known(world)["seq"] == world.next_seq() - 1
        assert [name for name, _ in world.owners.asked] == ["L1"]

    tell(story)


def test_what_its_owner_confirms_is_sent_too() -> None:
    async def story(world: World) -> None:
        await one(world)
        await only_the_owner_knows(world)
        come_back(world)
        state = known(world)
        world.owners._has = lambda sought: dict(state)  # type: ignore[method-assign]  # the push came to nothing
        before = len(got(world))
        world.owners.mood = "well"
        await asyncio.sleep(30)
        assert world.storing.data.marks == {}
        assert [begun.method for begun in got(world, before)] == ["PUT"]
        assert holds(world)["seq"] == state["seq"]
        assert len(world.owners.asked) == 1

    tell(story)


@pytest.mark.parametrize("mood", ["away", "failing", "hanging"])
def test_while_the_owner_cannot_be_asked_the_mark_stays_and_it_is_asked_seldom(mood: str) -> None:
    async def story(world: World) -> None:
        await one(world)
        await only_the_owner_knows(world)
        come_back(world)
        world.owners.mood = mood
        before = len(got(world))
        await asyncio.sleep(240)
        assert world.storing.data.marks != {}
        assert not got(world, before)
        assert len(world.owners.asked) <= ATTEMPTS
        world.owners.mood = "well"
        await asyncio.sleep(400)
        assert world.storing.data.marks == {}
        assert [begun.method for begun in got(world, before)] == ["PUT"]

    tell(story)


def test_what_its_owner_has_no_more_is_gone_and_nothing_is_told_of_it() -> None:
    async def story(world: World) -> None:
        await one(world)
        await only_the_owner_knows(world)
        come_back(world)
        before = len(got(world))
        world.owners.mood = "gone"
        await asyncio.sleep(30)
        assert world.storing.data.marks == {}
        assert not got(world, before)
        assert any(state.deleted for state in world.storing.data.states.values())

    tell(story)


def test_what_its_owner_does_not_find_ends_unsent_and_is_counted() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        await only_the_owner_knows(world)
        told = watched(process)
        come_back(world)
        before = len(got(world))
        world.owners.mood = "blank"
        await asyncio.sleep(30)
        assert world.storing.data.marks == {}
        assert not got(world, before)
        assert ("locations", Outcome.NOT_SENT) in told
        assert len(world.owners.asked) == 1

    tell(story)


@pytest.mark.parametrize("orderly", [True, False])
def test_who_owns_the_partition_next_asks_again_where_the_answer_was_not_there_yet(orderly: bool) -> None:
    async def story(world: World) -> None:
        process = await one(world)
        await only_the_owner_knows(world)
        come_back(world)
        world.owners.mood = "hanging"
        while not world.owners.asked:
            await asyncio.sleep(0.1)
        if orderly:
            await world.leave(process)
        else:
            world.kill(process)
        world.owners.mood = "well"
        await world.start_process()
        await asyncio.sleep(60)
        assert world.storing.data.marks == {}
        assert holds(world)["seq"] == world.next_seq() - 1

    tell(story)


def test_p2_what_was_pushed_before_its_owner_told_more_is_not_sent_after_that_by_the_next_worker() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        had(world)
        world.owners.mood = "well"
        world.recipients.unknown = {AWAY}
        go_away(world, "hanging", OTHERS)  # so that nothing is committed
        assert await location(world, patch=True) == 1000
        await asyncio.sleep(10)
        assert [begun.method for begun in got(world)] == ["PATCH", "PUT"]
        world.kill(process)
        come_back(world, OTHERS)
        await world.start_process()
        await asyncio.sleep(30)
        for party in EMSPS:
            methods = [begun.method for begun in got(world, party=party)]
            assert "PATCH" not in methods[methods.index("PUT") :]
        assert holds(world) == known(world)
        assert world.storing.data.marks == {}

    tell(story)


def test_p3_an_owner_that_hangs_holds_up_nobody() -> None:
    async def story(world: World) -> None:
        await one(world)
        world.owners.mood = "hanging"
        for name in range(5):
            assert await location(world, f"L{name}", patch=True) == 1000
            await asyncio.sleep(0.2)
        for party in EMSPS:
            assert len(got(world, party=party)) == 5
        assert await location(world, "L1", to=OTHERS, patch=True) == 1000

    tell(story)


def test_p3_what_was_missed_waits_for_an_owner_that_hangs_until_it_is_seen_to_hang() -> None:
    async def story(world: World) -> None:
        await one(world)
        world.owners.mood = "hanging"
        go_away(world)
        for name in range(20):
            assert await location(world, f"L{name}", patch=True) == 1000
        await until_marked(world)
        come_back(world)
        await asyncio.sleep(30)
        assert world.storing.data.marks == {}
        assert {begun.object[1] for begun in got(world)} == {f"L{name}" for name in range(20)}

    tell(story)
