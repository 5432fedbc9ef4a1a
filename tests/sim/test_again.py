"""Sending again what the hub gave up on: the newest state, once, in its order (P2), and the letter goes with it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from connectors.values import PartyId
from routing import again
from routing import event as events
from routing.deadletters import DeadLetter, Reason
from routing.directory import Directory, Status
from tests.sim.stories import aside, location, one, tell
from tests.sim.world import CPO, EMSPS, HUB, World
from tests.witnesses import Begun

LACKS = EMSPS[2]


def give_up(world: World, party: PartyId = LACKS, version: int = 1) -> DeadLetter:
    """A letter of the location L1 for this party."""
    letter = DeadLetter(
        id="a", at=1, reason=Reason.RESYNC, detail="", module="locations", method="PUT", path=("NL", "TNM", "L1"),
        owner=CPO, object_id="L1", variant="", sender=CPO, recipient=party,
        platform=world.directory.hosted(party)[0].platform.id, correlation_id="c", version=version,
    )  # fmt: skip
    world.storing.data.letters[letter.id] = letter
    return letter


async def redrive(world: World, letter: DeadLetter) -> None:
    event = again.event_of(letter, id="again", now=world.clock.utc(), within=3000, revision=world.directory.revision)
    await world.log.publish(event.topic, event.key, events.encode(event), b"", within=3.0)


def got(world: World, since: int = 0) -> list[Begun]:
    return world.recipients.all[LACKS].begun[since:]


def test_the_newest_state_goes_to_the_one_that_lacks_it_and_the_letter_is_gone() -> None:
    async def story(world: World) -> None:
        world.recipients.calm = False
        world.recipients.all[LACKS].mood = "refusing"
        await one(world)
        await location(world)
        await asyncio.sleep(40)
        world.storing.data.marks.clear()  # as if the hub had given up on it
        for process in world.processes:
            await process.worker.marks.refresh([])
            process.worker.marks._marks.clear()
        await location(world, patch=True, to=EMSPS[0])
        world.recipients.all[LACKS].mood = "well"
        before = {party: len(world.recipients.all[party].begun) for party in EMSPS}
        letter = give_up(world)
        await redrive(world, letter)
        await asyncio.sleep(5)
        assert [(begun.method, begun.object) for begun in got(world, before[LACKS])] == [("PUT", ("locations", "L1"))]
        assert {party: len(world.recipients.all[party].begun) for party in EMSPS} == before | {LACKS: 1}
        assert world.storing.data.letters == {}
        assert world.uncommitted() == 0

    tell(story)


def test_a_letter_that_was_dropped_or_is_another_one_now_sends_nothing() -> None:
    async def story(world: World) -> None:
        await one(world)
        await location(world)
        await asyncio.sleep(2)
        before = len(got(world))
        letter = give_up(world)
        give_up(world, version=2)
        await redrive(world, letter)
        await asyncio.sleep(5)
        assert len(got(world)) == before
        assert world.storing.data.letters["a"].version == 2
        world.storing.data.letters.clear()
        await redrive(world, letter)
        await asyncio.sleep(5)
        assert len(got(world)) == before
        assert world.uncommitted() == 0

    tell(story)


def test_what_is_not_taken_again_stays_a_letter_that_can_be_sent_once_more() -> None:
    async def story(world: World) -> None:
        await one(world)
        await location(world)
        await asyncio.sleep(2)
        world.recipients.calm = False
        world.recipients.all[LACKS].mood = "busy"
        await redrive(world, give_up(world))
        await asyncio.sleep(40)
        kept = world.storing.data.letters["a"]
        assert (kept.version, kept.redriven) == (2, None)
        assert world.uncommitted() == 0

    tell(story)


def test_to_a_platform_that_is_away_nothing_is_sent_and_the_letter_stays() -> None:
    async def story(world: World) -> None:
        await one(world)
        await location(world)
        await asyncio.sleep(2)
        before = len(got(world))
        platforms = [
            replace(platform, status=Status.OFFLINE) if platform.id == "two" else platform
            for platform in world.directory.platforms.values()
        ]
        world.directory = Directory(platforms, hub=HUB, revision=world.directory.revision + 1)
        await redrive(world, give_up(world))
        await asyncio.sleep(5)
        assert (len(got(world)), world.storing.data.letters["a"].version) == (before, 2)
        assert world.uncommitted() == 0

    tell(story)


def test_one_that_breaks_its_handling_is_set_aside_and_stops_nobody() -> None:
    async def story(world: World) -> None:
        process = await one(world)
        await location(world)
        letter = give_up(world)

        async def breaks(id: str) -> DeadLetter | None:
            raise ValueError(id)

        process.store.letters.read = breaks  # type: ignore[method-assign]
        await redrive(world, letter)
        await location(world, patch=True)
        await asyncio.sleep(5)
        (record,) = aside(world)
        assert "ValueError" in record.reason
        assert world.uncommitted() == 0
        assert world.storing.data.letters == {"a": letter}

    tell(story)
