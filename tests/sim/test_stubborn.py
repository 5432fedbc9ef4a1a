"""An object that a recipient does not take while it takes others is a dead letter, and goes again when told (P1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from multidict import CIMultiDict

from connectors.errors import NotConnected
from routing import again
from routing import event as events
from routing.deadletters import DeadLetter, Reason
from routing.outbound import Answered
from routing.worker.ports import Push
from tests.sim.stories import location, one, seen, tell
from tests.sim.world import EMSPS, World

STUBBORN = EMSPS[2]
"""The only party of its platform."""


class Spoiled:
    """STUBBORN answers one object with errors, and any other one as ever."""

    def __init__(self, world: World, patch: pytest.MonkeyPatch) -> None:
        self.on = True
        self.refused = 0
        self._push = world.recipients.push
        patch.setattr(world.recipients, "push", self.push)

    async def push(self, push: Push, *, within: float, permit: Callable[[], bool]) -> Answered:
        if not self.on or push.to.party.id != STUBBORN or push.path[2:3] != ("L1",):
            return await self._push(push, within=within, permit=permit)
        await asyncio.sleep(0.01)
        if not permit():
            raise NotConnected("not permitted")
        self.refused += 1
        return Answered(500, 3000, CIMultiDict(), b'{"status_code":3000}', 1.0)


def letters(world: World) -> list[DeadLetter]:
    return list(world.storing.data.letters.values())


def told(patch: pytest.MonkeyPatch, story: Callable[[World, Spoiled], Awaitable[None]]) -> None:
    async def spoiled(world: World) -> None:
        world.settings = replace(world.settings, resync_rounds=3)
        await one(world)
        await story(world, Spoiled(world, patch))

    tell(spoiled)


async def others(world: World, seconds: int) -> None:
    for _ in range(seconds):
        assert await location(world, "L2") == 1000
        await asyncio.sleep(1)


def test_p1_it_is_kept_as_a_dead_letter_its_mark_ends_and_it_goes_again_when_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(world: World, spoiled: Spoiled) -> None:
        assert await location(world, "L1") == 1000
        await others(world, 90)
        (letter,) = letters(world)
        assert (letter.reason, letter.object_id, letter.recipient) == (Reason.RESYNC, "L1", STUBBORN)
        assert {(one.http_status, one.status_code) for one in letter.attempts} == {(500, 3000)}
        assert world.storing.data.marks == {}
        refused = spoiled.refused
        await others(world, 30)
        assert spoiled.refused == refused, "nothing more is sent of it by itself"
        spoiled.on = False
        event = again.event_of(letter, id="again", now=world.clock.utc(), within=3000, revision=1)
        await world.log.publish(event.topic, event.key, events.encode(event), b"", within=3.0)
        await asyncio.sleep(5)
        assert (letters(world), len(seen(world, STUBBORN, "locations"))) == ([], 121)
        assert world.recipients.all[STUBBORN].objects["locations", "L1"]["id"] == "L1"
        await asyncio.sleep(2)
        assert world.uncommitted() == 0

    told(monkeypatch, story)


def test_while_its_platform_takes_nothing_else_it_is_tried_on_and_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World, spoiled: Spoiled) -> None:
        assert await location(world, "L1") == 1000
        await asyncio.sleep(600)
        assert letters(world) == []
        assert len(world.storing.data.marks) == 1
        assert spoiled.refused > 30
        spoiled.on = False
        await asyncio.sleep(30)
        assert (letters(world), world.storing.data.marks) == ([], {})
        assert seen(world, STUBBORN, "locations") == [1]

    told(monkeypatch, story)
