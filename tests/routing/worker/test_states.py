"""States that wait for the store: in order, made of what is known when it answers, and never lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest

from routing.event import Event, Operation
from routing.log.port import TopicPartition
from routing.outbound import Answered
from routing.state import ObjectState, StateKey, after, key_of
from routing.store.memory import MemoryData, MemoryStore
from routing.store.port import StoreAway
from routing.worker import aftermath
from routing.worker.reach import Reach
from routing.worker.states import States, Update
from tests.routing.events import EMSP, at, event
from tests.sim.loop import VirtualLoop

TP, OTHER = TopicPartition("ocpi.sessions", 0), TopicPartition("ocpi.sessions", 1)
TAKEN = Answered(200, 1000, {}, b"", 1.0)


class Kept:
    """States over a store in memory; `done` and `failed` are the positions that ended so."""

    def __init__(self, *, most: int = 100, most_bytes: int = 10_000) -> None:
        self.store = MemoryStore(MemoryData())
        self.states = States(Reach(self.store, trouble=lambda _: None), most=most, most_bytes=most_bytes)
        self.done: list[int] = []
        self.failed: list[int] = []

    def push(self, offset: int, pushed: Event, *, tp: TopicPartition = TP, breaks: bool = False) -> None:
        left = aftermath.answered(pushed, at(offset), TAKEN)
        if breaks:
            left = aftermath.Aftermath(left.key, left.bases, lambda known: known["nothing"], 0)  # type: ignore[index]
        self.states.later(Update(left, tp, lambda: self.done.append(offset), lambda error: self.failed.append(offset)))

    def body(self) -> Any:
        (state,) = self.store.data.states.values()
        return orjson.loads(state.body or b"null")


@pytest.fixture
async def kept() -> Kept:
    made = Kept()
    await made.store.start()
    return made


def session(operation: Operation, **fields: Any) -> Event:
    return event(operation, fields, module="sessions", object_id="S1", audience=EMSP)


async def test_parts_are_laid_over_what_came_before_them_while_the_store_was_away(kept: Kept) -> None:
    kept.push(1, session(Operation.PUT, id="S1", kwh=1))
    await kept.states.flush()
    kept.states.forget()
    kept.store.away = "gone"
    kept.push(2, session(Operation.PATCH, kwh=2))
    kept.push(3, session(Operation.PATCH, status="COMPLETED"))
    with pytest.raises(StoreAway):
        await kept.states.flush()
    assert kept.done == [1]
    kept.store.away = None
    await kept.states.flush()
    assert kept.body() == {"id": "S1", "kwh": 2, "status": "COMPLETED"}
    assert (kept.done, len(kept.states)) == ([1, 2, 3], 0)


async def test_who_reads_meanwhile_gets_what_is_not_written_yet(kept: Kept) -> None:
    kept.push(1, session(Operation.PUT, id="S1", kwh=1))
    kept.push(2, session(Operation.PATCH, kwh=2))
    key = next(iter(kept.states._unwritten))
    found = (await kept.states.read([key]))[key]
    assert (found.position, orjson.loads(found.body or b"")) == (at(2), {"id": "S1", "kwh": 2})
    assert kept.store.data.states == {}


async def test_a_part_is_never_laid_over_what_came_after_it(kept: Kept) -> None:
    """A broadcast that came later is in the store before the push before it has ended."""
    pushed = event(Operation.PATCH, {"name": "mine"}, audience=EMSP)
    later = aftermath.answered(event(Operation.PUT, {"id": "L1", "name": "all"}), at(9), TAKEN)
    await kept.states.write([later.make({})])
    kept.push(5, pushed)
    await kept.states.flush()
    mine = next(state for key, state in kept.store.data.states.items() if key.audience == EMSP)
    assert (mine.position, mine.body, len(mine.parts)) == (at(5), None, 1)


async def test_what_a_push_broke_ends_alone(kept: Kept) -> None:
    kept.push(1, session(Operation.PUT, id="S1", kwh=1))
    kept.push(2, session(Operation.PATCH, kwh=2), breaks=True)
    kept.push(3, session(Operation.PATCH, kwh=3))
    await kept.states.flush()
    assert (kept.done, kept.failed) == ([1, 3], [2])
    assert kept.body() == {"id": "S1", "kwh": 3}
    assert len(kept.states) == 0


async def test_one_that_the_store_refuses_keeps_no_other_from_it(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kept.store.write_states

    async def write_states(states: Any) -> None:
        if any(state.key.object_id == "BAD" for state in states):
            raise ValueError("too large")
        await whole(states)

    monkeypatch.setattr(kept.store, "write_states", write_states)
    for offset, name in enumerate(("S1", "BAD", "S2"), 1):
        kept.push(offset, event(Operation.PUT, {"id": name}, module="sessions", object_id=name, audience=EMSP))
    await kept.states.flush()
    assert (kept.done, kept.failed) == ([1, 3], [2])


async def test_a_flush_that_is_cut_off_loses_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kept.store.write_states
    monkeypatch.setattr(kept.store, "write_states", lambda _: asyncio.Event().wait())
    kept.push(1, session(Operation.PUT, id="S1"))
    done, _ = await asyncio.wait([flushing := asyncio.ensure_future(kept.states.flush())], timeout=0.01)
    assert not done
    flushing.cancel()
    monkeypatch.setattr(kept.store, "write_states", whole)
    await kept.states.flush()
    assert kept.done == [1]


async def test_it_is_full_by_count_and_by_bytes() -> None:
    for kept in (Kept(most=2), Kept(most_bytes=40)):
        await kept.store.start()
        full = [kept.states.full]
        for offset in (1, 2):
            kept.push(offset, session(Operation.PUT, id="S1", kwh=1_000_000))
            full.append(kept.states.full)
        await kept.states.flush()
        assert [*full, kept.states.full] == [False, False, True, False]


async def test_what_waits_of_a_partition_that_went_is_forgotten(kept: Kept) -> None:
    kept.push(1, session(Operation.PUT, id="S1"), tp=OTHER)
    kept.push(2, event(Operation.PUT, {"id": "S2"}, module="sessions", object_id="S2", audience=EMSP))
    kept.push(3, session(Operation.PATCH, kwh=1), tp=OTHER)
    kept.states.forget([OTHER])
    await kept.states.flush()
    assert kept.done == [2]


async def test_a_state_that_nobody_can_read_keeps_no_other_waiting(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kept.store.read_states

    async def read_states(keys: Any) -> Any:
        if any(key.object_id == "BAD" for key in keys):
            raise ValueError("not ours")
        return await whole(keys)

    monkeypatch.setattr(kept.store, "read_states", read_states)
    for offset, name in enumerate(("S1", "BAD"), 1):
        kept.push(offset, event(Operation.PATCH, {"kwh": 1}, module="sessions", object_id=name, audience=EMSP))
    await kept.states.flush()
    assert kept.done == [1, 2]


async def test_what_comes_during_a_write_is_gathered_for_the_next(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each write would have but the few that came during the one before, as long as pushes keep coming."""
    store, written = kept.store.write_states, []

    async def write_states(states: Sequence[ObjectState]) -> None:
        written.append(len(states))
        if len(written) == 1:
            for offset in (2, 3, 4):
                kept.push(offset, event(Operation.PUT, module="sessions", object_id=f"S{offset}", audience=EMSP))
        await store(states)

    monkeypatch.setattr(kept.store, "write_states", write_states)
    kept.push(1, session(Operation.PUT, id="S1"))
    await kept.states.flush()
    assert (written, kept.done, len(kept.states)) == ([1], [1], 3)
    await kept.states.flush()
    assert (written, kept.done, len(kept.states)) == ([1, 3], [1, 2, 3, 4], 0)


class Reading(MemoryStore):
    """Whose reads wait until they may be answered."""

    def __init__(self) -> None:
        super().__init__(MemoryData())
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()

    async def read_states(self, keys: Sequence[StateKey]) -> Mapping[StateKey, ObjectState]:
        self.asked.set()
        await self.answers.wait()
        return await super().read_states(keys)


def test_fifty_are_written_at_once_and_fewer_are_gathered_for_a_moment() -> None:
    loop = VirtualLoop()

    async def story() -> list[int]:
        kept = Kept(most=1000, most_bytes=10**6)
        await kept.store.start()
        writing = asyncio.create_task(kept.states.run())
        written = []
        for first, count in ((0, 49), (100, 50)):
            for offset in range(first, first + count):
                kept.push(offset, event(Operation.PUT, {"id": f"S{offset}"}, module="sessions", object_id=f"S{offset}"))
            await asyncio.sleep(0.1)
            written.append(len(kept.done))
            await asyncio.sleep(1)
        writing.cancel()
        return written

    asyncio.set_event_loop(loop)
    try:
        assert loop.run_until_complete(story()) == [0, 99]
    finally:
        loop.wind_up()


async def test_what_was_known_is_read_as_it_is_when_the_store_has_told_the_rest() -> None:
    store = Reading()
    await store.start()
    states = States(Reach(store, trouble=lambda _: None), most=100, most_bytes=10_000)
    update = event(Operation.PATCH, {"name": "first"})
    part = after(None, update, at(1), audience=None)
    await states.write([part])
    reading = asyncio.create_task(states.read([part.key, key_of(update, EMSP)]))
    await store.asked.wait()
    whole = after(part, event(Operation.PUT, {"id": "LOC1", "name": "first"}), at(2), audience=None)
    await states.write([whole])
    store.answers.set()
    assert await reading == {whole.key: whole}
