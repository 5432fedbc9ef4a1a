"""What lay on the log while no worker ran is folded once an object, and let in once it was read whole."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

import pytest

from connectors.values import PartyId
from routing.event import Operation
from routing.log.port import Record, TopicPartition
from routing.state import ObjectState
from tests.sim.stories import STAMP, aside, location, one, seen, session, store_away, tell
from tests.sim.storing import SimulatedStore
from tests.sim.test_outcomes import outcomes
from tests.sim.world import EMSPS, SETTINGS, World

RECEIVERS = (EMSPS[0], EMSPS[2])
"""Who gets broadcasts of locations in these stories, whatever else happens."""


async def nobody_works(world: World) -> None:
    """An edge whose worker has left in order."""
    process = await one(world)
    assert await location(world, "L0") == 1000
    await asyncio.sleep(2)
    await process.worker.stop()
    world.log.kill = partial(_kill, world.log.kill, process.name)  # type: ignore[method-assign]


def _kill(whole: Callable[[str], None], left: str, name: str) -> None:
    if name != left:  # it is no member any more
        whole(name)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each object's state for everybody was written."""
    whole, counted = SimulatedStore.write_states, Counter[str]()

    async def write_states(self: SimulatedStore, states: Sequence[ObjectState]) -> None:
        counted.update(state.key.object_id for state in states if state.key.audience is None)
        await whole(self, states)

    monkeypatch.setattr(SimulatedStore, "write_states", write_states)
    return counted


def test_one_state_is_written_and_one_request_is_sent_for_many_events_of_an_object(written: Counter[str]) -> None:
    async def story(world: World) -> None:
        await nobody_works(world)
        for n in range(2400):
            assert await location(world, f"L{1 + n % 2}") == 1000
        await world.start_process()
        await asyncio.sleep(10)
        assert (written["L1"], written["L2"]) == (1, 1)
        assert world.uncommitted() == 0
        for party in RECEIVERS:
            assert sorted(seen(world, party, "locations")) == [1, 2400, 2401]
            ends = Counter(outcome for name, outcome, _ in outcomes(world) if name == str(party))
            assert ends == {"delivered": 3, "superseded": 2398}

    tell(story)


def test_parts_are_laid_over_what_stands_in_the_store() -> None:
    async def story(world: World) -> None:
        await nobody_works(world)
        for n in range(9):
            assert await location(world, "L0", patch=True) == 1000, n
        await world.start_process()
        await asyncio.sleep(10)
        state = next(state for key, state in world.storing.data.states.items() if key.object_id == "L0")
        assert state.body is not None and b'"n10"' in state.body
        for party in RECEIVERS:
            assert world.recipients.all[party].objects["locations", "L0"]["seq"] == 10
        assert world.uncommitted() == 0

    tell(story)


def test_p2_a_directed_push_keeps_its_place_among_the_broadcasts_of_its_object() -> None:
    async def story(world: World) -> None:
        await nobody_works(world)
        for _ in range(3):
            assert await location(world) == 1000
        pushed = asyncio.create_task(location(world, to=EMSPS[0]))
        await asyncio.sleep(0.2)
        for _ in range(3):
            assert await location(world) == 1000
        await world.start_process()
        assert await pushed == 1000
        await asyncio.sleep(10)
        assert seen(world, EMSPS[0], "locations") == [1, 4, 5, 8]
        assert seen(world, EMSPS[2], "locations") == [1, 8]
        assert world.uncommitted() == 0

    tell(story)


def test_beyond_what_may_be_held_it_is_marked_and_its_states_are_written() -> None:
    async def story(world: World) -> None:
        world.settings = replace(SETTINGS, undelivered_bytes=20_000)
        await nobody_works(world)
        for n in range(3000):
            assert await location(world, f"L{n}") == 1000
        held = 0

        async def watch() -> None:
            nonlocal held
            while True:
                held = max(held, worker.settling.undelivered)
                await asyncio.sleep(0.001)

        worker = (await world.start_process()).worker
        watching = asyncio.create_task(watch())
        await asyncio.sleep(SETTINGS.unsettled_most + 5)  # what was not marked at the bound is settled by then
        watching.cancel()
        assert 0 < held < 20_000 + 1000 * 100  # beside the bound what waits for the store
        assert len(world.storing.data.states) == 3000
        assert world.uncommitted() == 0
        marks = {mark.platform: mark for mark in world.storing.data.marks.values()}
        assert {world.directory.hosted(party)[0].platform.id for party in RECEIVERS} <= set(marks)

    tell(story)


def test_p1_a_store_that_goes_away_meanwhile_costs_nothing_but_time() -> None:
    async def story(world: World) -> None:
        await nobody_works(world)
        for n in range(40):
            assert await location(world, f"L{n % 4}") == 1000
        store_away(world, hangs=True, noticed=False)
        await world.start_process()
        await asyncio.sleep(30)
        assert seen(world, EMSPS[0], "locations") == [1]
        world.storing.come_back()
        await asyncio.sleep(30)
        assert sorted(seen(world, EMSPS[0], "locations")) == [1, 38, 39, 40, 41]
        assert world.uncommitted() == 0

    tell(story)


def test_p1_a_kill_before_it_is_let_in_leaves_all_of_it_to_the_next_owner() -> None:
    async def story(world: World) -> None:
        await nobody_works(world)
        for n in range(40):
            assert await location(world, f"L{n % 4}") == 1000
        store_away(world, hangs=True, noticed=False)
        killed = await world.start_process()
        await asyncio.sleep(1)
        world.kill(killed)
        world.storing.come_back()
        await world.start_process()
        await asyncio.sleep(60)
        assert sorted(seen(world, EMSPS[0], "locations")) == [1, 38, 39, 40, 41]
        assert world.uncommitted() == 0

    tell(story)


def test_what_the_store_will_never_take_is_set_aside_event_by_event(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SimulatedStore.write_states

    async def write_states(self: SimulatedStore, states: Sequence[ObjectState]) -> None:
        if any(state.key.object_id == "BAD" for state in states):
            raise ValueError("too large")
        await whole(self, states)

    monkeypatch.setattr(SimulatedStore, "write_states", write_states)

    async def story(world: World) -> None:
        await nobody_works(world)
        for name in ("BAD", "L1", "BAD", "L1", "BAD"):
            assert await location(world, name) == 1000
        await world.start_process()
        await asyncio.sleep(10)
        assert len(aside(world)) == 3
        assert sorted(seen(world, EMSPS[0], "locations")) == [1, 5]
        assert world.uncommitted() == 0

    tell(story)


def test_a_directed_push_that_breaks_its_handler_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from routing.worker.delivery import Delivery

    whole = Delivery.push

    def push(self: Delivery, entry: object, event: object, *args: object) -> None:
        if getattr(event, "object_id", "") == "BAD":
            raise ValueError("broken")
        whole(self, entry, event, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Delivery, "push", push)

    async def story(world: World) -> None:
        await nobody_works(world)
        assert await location(world, "BAD") == 1000
        to: PartyId = EMSPS[0]
        pushed = asyncio.create_task(location(world, "BAD", to=to))
        await asyncio.sleep(0.2)
        assert await world.call("locations", Operation.PUT, "L1", {"id": "L1", "evses": [], **STAMP}) == 1000
        await world.start_process()
        assert await pushed == 4002
        await asyncio.sleep(10)
        assert len(aside(world)) == 1
        assert ("locations", "L1") in world.recipients.all[EMSPS[0]].objects
        assert world.uncommitted() == 0

    tell(story)


def test_large_windows_are_read_one_after_another_the_smallest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many at a time as the settings say, which is one here; all that is in them is delivered."""
    from routing.worker.intake import Intake

    whole, given = Intake.take, list[TopicPartition]()

    def take(self: Intake, records: Sequence[Record]) -> None:
        given.extend(record.tp for record in records)
        whole(self, records)

    async def story(world: World) -> None:
        await nobody_works(world)
        for n in range(200):
            assert await location(world, f"L{n * n % 7}") == 1000
            if n % 3 == 0:
                assert await world.call("tariffs", Operation.PUT, f"T{n % 5}", {"id": "T", **STAMP}) == 1000
        monkeypatch.setattr(Intake, "take", take)
        await world.start_process()
        await asyncio.sleep(20)
        sizes = Counter(given)
        assert len(sizes) == 4
        assert min(sizes.values()) >= SETTINGS.large_window
        assert [tp for tp, _ in groupby(given)] == sorted(sizes, key=lambda tp: sizes[tp])
        assert world.uncommitted() == 0
        assert {name for module, name in world.recipients.all[EMSPS[0]].objects if module == "locations"} == {
            *(f"L{n * n % 7}" for n in range(7))
        }

    tell(story)


def test_what_is_new_elsewhere_is_no_reading_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what other windows left would wait for one of which nothing comes, as long as anything else does."""
    from routing.worker.reading_order import ReadingOrder
    from routing.worker.releasing import Releasing

    told: list[float] = []

    async def story(world: World) -> None:
        await nobody_works(world)
        for n in range(20):
            assert await location(world, f"L{n}") == 1000
        monkeypatch.setattr(ReadingOrder, "go_on", lambda self: None)  # no turn ever comes
        monkeypatch.setattr(Releasing, "read_on", lambda self: told.append(world.loop.now))
        await world.start_process()
        await asyncio.sleep(1)
        for n in range(20):
            await session(world, f"S{n}")
            await asyncio.sleep(0.1)
        assert seen(world, EMSPS[0], "sessions")
        assert not told
        monkeypatch.undo()
        assert await location(world) == 1000
        await asyncio.sleep(20)
        assert world.uncommitted() == 0

    tell(story)
