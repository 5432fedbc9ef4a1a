"""CDRs in custody: taken once, attempted one at a time by the owner of their partition, never twice (P1, P5)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from connectors.values import PartyId
from routing import again, custody
from routing import event as events
from routing.custody import Held
from routing.deadletters import DeadLetter, Reason
from routing.directory import Directory, Status
from routing.event import Operation
from routing.log.faults import Faults
from routing.outbound import Answered
from routing.store.port import CdrKey, CdrRecord, StoreAway
from routing.worker.ports import Push
from tests.sim.loop import VirtualLoop
from tests.sim.stories import one, tell
from tests.sim.storing import SimulatedStore
from tests.sim.world import CPO, EMSPS, HUB, World

KEPT = EMSPS[2]
"""The only party of its platform, for which the hub takes CDRs."""


def change(world: World, *, status: Status = Status.CONNECTED, deduplicates: bool = False) -> None:
    """Custody is on for the platform of KEPT, which is so."""
    platforms = [
        replace(one, status=status, settings=replace(one.settings, custody=True, deduplicates=deduplicates))
        if one.id == "two" else one
        for one in world.directory.platforms.values()
    ]  # fmt: skip
    world.directory = Directory(platforms, hub=HUB, revision=world.directory.revision + 1)


def mood(world: World, mood: str) -> None:
    world.recipients.calm = False
    world.recipients.all[KEPT].mood = mood


async def post(world: World, id: str = "C1", party: PartyId = KEPT) -> int:
    body: dict[str, Any] = {"id": id, "seq": 1}
    return await world.call("cdrs", Operation.POST, id, body, to=party)


def record(world: World, id: str = "C1") -> CdrRecord:
    return world.storing.data.cdrs[CdrKey(CPO, id, KEPT)]


def held(world: World, id: str = "C1") -> Held:
    now = record(world, id).custody
    assert now is not None
    return now.held


def attempts(world: World, id: str = "C1") -> int:
    return sum(begun.object == ("cdrs", id) for begun in world.recipients.all[KEPT].begun)


def letters(world: World) -> list[DeadLetter]:
    return list(world.storing.data.letters.values())


async def redrive(world: World) -> None:
    (letter,) = letters(world)
    event = again.event_of(letter, id="again", now=world.clock.utc(), within=3000, revision=world.directory.revision)
    await world.log.publish(event.topic, event.key, events.encode(event), b"", within=3.0)


class Arrivals:
    """Counts the requests that may have arrived, by CDR: taken, or of which nobody knows."""

    def __init__(self, world: World) -> None:
        self.count: Counter[str] = Counter()
        self._world = world
        self._push = world.recipients.push

    async def push(self, push: Push, *, within: float, permit: Callable[[], bool]) -> Answered:
        id = str(json.loads(push.body)["id"])
        before = attempts(self._world, id)
        try:
            answered = await self._push(push, within=within, permit=permit)
        except BaseException:
            self.count[id] += attempts(self._world, id) > before
            raise
        self.count[id] += answered.status_code < 2000
        return answered


def told(story: Callable[[World], Awaitable[None]]) -> None:
    async def with_custody(world: World) -> None:
        change(world)
        await one(world)
        mood(world, "refusing")
        await story(world)
        assert world.recipients.all[KEPT].overlaps == []

    tell(with_custody)


def test_p5_what_could_not_be_sent_is_held_and_delivered_once_when_that_is_possible() -> None:
    async def story(world: World) -> None:
        assert [await post(world), await post(world)] == [1000, 1000]
        assert (attempts(world), held(world)) == (0, Held.WAITING)
        mood(world, "well")
        await asyncio.sleep(30)
        assert (attempts(world), held(world), record(world).status_code) == (1, Held.ENDED, 1000)
        assert await post(world) == 1000
        assert attempts(world) == 1
        await asyncio.sleep(2)
        assert world.uncommitted() == 0

    told(story)


def test_who_is_away_is_sent_nothing_and_is_begun_with_at_once_when_it_returns() -> None:
    async def story(world: World) -> None:
        change(world, status=Status.OFFLINE)
        for process in world.processes:
            await process.worker.intake._resolver.refresh()
        mood(world, "well")
        for n in range(20):
            assert await post(world, f"C{n}") == 1000
        await asyncio.sleep(400)
        assert world.recipients.all[KEPT].begun == []
        change(world)
        for process in world.processes:
            await process.worker.intake._resolver.refresh()
        await asyncio.sleep(20)
        assert [attempts(world, f"C{n}") for n in range(20)] == [1] * 20
        assert {record(world, f"C{n}").status_code for n in range(20)} == {1000}

    told(story)


@pytest.mark.parametrize("deduplicates", [False, True])
def test_p5_an_attempt_without_an_outcome_is_parked_or_repeated_where_that_is_safe(deduplicates: bool) -> None:
    async def story(world: World) -> None:
        change(world, deduplicates=deduplicates)
        for process in world.processes:
            await process.worker.intake._resolver.refresh()
        assert await post(world) == 1000
        mood(world, "hanging")
        await asyncio.sleep(40)
        begun = attempts(world)
        mood(world, "well")
        await asyncio.sleep(600)
        if deduplicates:
            assert (record(world).status_code, letters(world)) == (1000, [])
            assert attempts(world) == begun + 1
        else:
            assert (held(world), attempts(world)) == (Held.PARKED, 1)
            assert [letter.reason for letter in letters(world)] == [Reason.UNKNOWN]

    told(story)


def test_p5_parked_it_goes_again_when_its_sender_posts_it_or_an_operator_says_so_and_not_twice() -> None:
    async def story(world: World) -> None:
        for id in ("C1", "C2"):
            assert await post(world, id) == 1000
        mood(world, "hanging")
        await asyncio.sleep(60)
        mood(world, "well")
        assert (held(world, "C1"), held(world, "C2")) == (Held.PARKED, Held.PARKED)
        assert await post(world, "C1") == 1000
        assert (attempts(world, "C1"), record(world, "C1").status_code) == (2, 1000)
        world.storing.data.letters.pop(next(one.id for one in letters(world) if one.object_id == "C1"))
        kept = letters(world)[0]
        await redrive(world)
        await asyncio.sleep(20)
        assert (attempts(world, "C2"), record(world, "C2").status_code, letters(world)) == (2, 1000, [])
        world.storing.data.letters[kept.id] = kept  # said twice: the letter was dropped in between
        await redrive(world)
        await asyncio.sleep(20)
        assert (attempts(world, "C2"), letters(world)) == (2, [])
        assert world.uncommitted() == 0

    told(story)


def test_p5_killed_in_the_middle_of_an_attempt_it_is_parked_by_the_next_owner() -> None:
    async def story(world: World) -> None:
        assert await post(world) == 1000
        mood(world, "hanging")
        while not attempts(world):
            await asyncio.sleep(0.1)
        world.kill(world.processes[0])
        await world.start_process()
        mood(world, "well")
        await asyncio.sleep(600)
        assert (held(world), attempts(world), len(letters(world))) == (Held.PARKED, 1, 1)

    told(story)


def test_when_its_time_has_run_out_it_is_a_dead_letter_and_goes_again_if_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custody, "KEPT_MS", 3_600_000)

    async def story(world: World) -> None:
        assert await post(world) == 1000
        mood(world, "busy")
        await asyncio.sleep(3600 + 700)
        assert held(world) is Held.GIVEN_UP
        assert [letter.reason for letter in letters(world)] == [Reason.CUSTODY]
        assert 5 <= attempts(world) <= 8
        mood(world, "well")
        before = attempts(world)
        await asyncio.sleep(900)
        assert attempts(world) == before
        await redrive(world)
        await asyncio.sleep(20)
        assert (record(world).status_code, attempts(world), letters(world)) == (1000, before + 1, [])

    told(story)


def test_without_the_setting_nothing_is_taken() -> None:
    async def story(world: World) -> None:
        await one(world)
        world.recipients.calm = False
        world.recipients.all[EMSPS[0]].mood = "refusing"
        assert await post(world, party=EMSPS[0]) == 4003
        assert world.storing.data.cdrs == {}

    tell(story)


def test_p5_what_was_taken_late_is_not_sent_beside_a_repetition_of_which_nobody_knows() -> None:
    """The write that takes it lands long after its sender was told that nobody knows, and posted it again."""

    async def story(world: World) -> None:
        store = world.processes[0].store
        landing: list[asyncio.Task[None]] = []
        write = store.write_cdr

        async def late(record: CdrRecord) -> None:
            async def land() -> None:
                await asyncio.sleep(60)
                await write(record)

            landing.append(asyncio.create_task(land()))
            raise StoreAway("no answer in this simulation")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SimulatedStore, "write_cdr", lambda self, record: late(record))
            assert await post(world) == 4002
        mood(world, "hanging")
        await asyncio.sleep(10)
        assert (await post(world), attempts(world)) == (4002, 1)
        mood(world, "well")
        await asyncio.gather(*landing)
        await asyncio.sleep(600)
        assert attempts(world) == 1
        assert (await post(world), attempts(world)) == (1000, 2)

    told(story)


def test_p5_parked_and_posted_again_without_an_outcome_it_is_the_same_letter_and_goes_when_told() -> None:
    async def story(world: World) -> None:
        assert await post(world) == 1000
        mood(world, "hanging")
        await asyncio.sleep(60)
        (first,) = letters(world)
        assert (await post(world), attempts(world)) == (4002, 2)
        await asyncio.sleep(5)
        (letter,) = letters(world)
        assert (letter.id, letter.reason, held(world)) == (first.id, Reason.UNKNOWN, Held.PARKED)
        assert letter.version > first.version
        assert len(letter.attempts) == 3
        mood(world, "well")
        await asyncio.sleep(600)
        assert attempts(world) == 2
        await redrive(world)
        await asyncio.sleep(20)
        assert (record(world).status_code, attempts(world), letters(world)) == (1000, 3, [])

    told(story)


@pytest.mark.parametrize("seed", range(16))
def test_p1_p5_hold_whatever_is_killed_and_whoever_believes_to_own_it(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moods change, workers join, are killed and cut off, the store goes away: each CDR that was taken ends with its
    recipient's answer or as a dead letter, and no two attempts of one ever overlap."""
    loop, random = VirtualLoop(), Random(seed)

    async def run() -> World:
        world = World(loop, seed, faults=Faults())
        change(world)
        await world.start_process()
        mood(world, "refusing")
        arrivals = Arrivals(world)
        monkeypatch.setattr(world.recipients, "push", arrivals.push)
        ids = [f"C{n}" for n in range(6)]
        posts = Counter(ids)
        taken = {id for id in ids if await post(world, id) == 1000}
        for _ in range(25):
            mood(world, random.choice(("well", "refusing", "busy", "hanging", "resetting", "lossy", "slow")))
            await asyncio.sleep(random.choice((0.3, 2.0, 9.0, 15.0)))
            done = random.random()
            if done < 0.2:
                world.kill(random.choice(world.processes))
            elif done < 0.4:
                await world.start_process()
            elif done < 0.5:
                process = random.choice(world.processes)
                world.log.away(process.name)
                await asyncio.sleep(random.choice((0.3, 1.0)))
                world.log.expire(process.name)
                world.log.back(process.name)
            elif done < 0.6:
                world.storing.go_away(random.choice((0.5, 3.0, 8.0)))
            elif done < 0.7 and (id := random.choice(ids)):
                posts[id] += 1
                if await post(world, id) == 1000:
                    taken.add(id)
            if not world.processes:
                await world.start_process()
        world.storing.come_back()
        mood(world, "well")
        await asyncio.sleep(3000)
        for id in taken:
            stands = record(world, id)
            parked = any(one.object_id == id for one in letters(world))
            assert (stands.status_code is not None and 1000 <= stands.status_code < 2000) or parked, (id, stands)
        assert arrivals.count <= posts, "it was sent again though it may have arrived, and nobody asked for it"
        for process in list(world.processes):
            world.kill(process)
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return world

    try:
        asyncio.set_event_loop(loop)
        world = loop.run_until_complete(run())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    assert world.defects == []
    assert [one for one in world.recipients.all[KEPT].overlaps if "cdrs" in one] == []
