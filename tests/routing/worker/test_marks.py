"""Marks: what a new owner takes to be covered stays covered, whatever its predecessor still does to the mark."""

from __future__ import annotations

import asyncio

import pytest

from connectors.values import PartyId
from routing.clock import SystemClock
from routing.log.port import Position, TopicPartition
from routing.store.memory import MemoryData, MemoryStore
from routing.store.port import Mark, MarkKey, StoreAway
from routing.worker.marks import Marks
from routing.worker.reach import Reach

TP = TopicPartition("ocpi.locations", 1)
ONE, TWO = MarkKey("one", TP), MarkKey("two", TP)


def at(offset: int) -> Position:
    return Position(1, offset)


class Owners:
    """One owner of a partition after another, and the store that they share."""

    def __init__(self) -> None:
        self.data = MemoryData()

    async def next(self) -> Marks:
        store = MemoryStore(self.data)
        await store.start()
        marks = Marks(Reach(store, trouble=lambda _: None), SystemClock())
        await marks.claim([TP])
        return marks

    @property
    def lowest(self) -> Position | None:
        """From where on the store says that the platform lacks something."""
        return min((mark.lowest for mark in self.data.marks.values()), default=None)


@pytest.fixture
def owners() -> Owners:
    return Owners()


async def test_p1_a_mark_that_its_new_owner_counts_on_is_not_ended_by_the_former_one(owners: Owners) -> None:
    former = await owners.next()
    await former.cover("two", TP, at(10), "its lane was full")
    assert await former.begin(TWO, at(20))
    owner = await owners.next()
    assert not await former.finish(TWO, 0)
    await owner.cover("two", TP, at(15), "a restart left several parts")
    assert owners.lowest == at(10)


async def test_p1_what_a_new_owner_covers_beside_one_that_was_being_worked_off_stays(owners: Owners) -> None:
    former = await owners.next()
    await former.cover("two", TP, at(10), "its lane was full")
    assert await former.begin(TWO, at(20))
    owner = await owners.next()
    assert not await former.progress(TWO, at(12), 0)
    await owner.cover("two", TP, at(25), "its lane was full")
    assert await owner.finish(TWO, 0)
    assert owners.lowest == at(25)


async def test_a_former_owner_that_has_to_mark_still_can(owners: Owners) -> None:
    former = await owners.next()
    await former.cover("two", TP, at(10), "its lane was full")
    owner = await owners.next()
    await former.cover("two", TP, at(5), "what it had in flight was cut off")
    assert owners.lowest == at(5)
    await owner.refresh([TP])
    assert owner.reaches("two", TP) == at(5)


class Mute(MemoryStore):
    """Takes a write, or does not, and gives no answer."""

    lands: bool | None = None

    async def save_mark(self, mark: Mark) -> Mark:
        if self.lands is None:
            return await super().save_mark(mark)
        if self.lands:
            await super().save_mark(mark)
        raise StoreAway("it did not answer")


@pytest.mark.parametrize("lands", [True, False])
async def test_what_is_marked_after_a_resync_that_may_have_begun_is_kept_beside_it(lands: bool) -> None:
    store = Mute()
    await store.start()
    marks = Marks(Reach(store, trouble=lambda sentence: None), SystemClock())
    await marks.cover("one", TP, Position(1, 9), "away")
    store.lands = lands
    with pytest.raises(StoreAway):
        await marks.begin(ONE, Position(1, 36))
    store.lands = None
    await marks.cover("one", TP, Position(1, 37), "busy")
    (mark,) = await store.load_marks()
    assert (mark.position.offset, mark.upper, mark.beside) == (9, Position(1, 36), Position(1, 37))
    assert await marks.begin(ONE, Position(1, 38))
    assert await marks.finish(ONE, 0)
    (mark,) = await store.load_marks()
    assert (mark.position.offset, mark.upper) == (37, None)


async def test_p1_a_mark_that_was_read_anew_while_its_resync_ran_does_not_end_with_that() -> None:
    store = Mute()
    await store.start()
    marks = Marks(Reach(store, trouble=lambda sentence: None), SystemClock())
    await marks.cover("one", TP, Position(1, 9), "away")
    assert await marks.begin(ONE, Position(1, 36))
    assert await marks.left(ONE, Position(1, 12))
    store.lands = True
    with pytest.raises(StoreAway):
        await marks.finish(ONE, 0)
    store.lands = None
    await marks.cover("one", TP, Position(1, 40), "busy")  # is below what is kept beside
    await marks.refresh([TP])
    assert not await marks.progress(ONE, Position(1, 9), 0)
    assert not await marks.finish(ONE, 0)
    (mark,) = await store.load_marks()
    assert (mark.position, mark.upper, mark.done) == (Position(1, 12), None, None)


class Slow(MemoryStore):
    """Whose saves wait until they may go on."""

    def __init__(self) -> None:
        super().__init__(MemoryData())
        self.goes_on = asyncio.Event()
        self.asked = asyncio.Event()

    async def save_mark(self, mark: Mark) -> Mark:
        self.asked.set()
        await self.goes_on.wait()
        return await super().save_mark(mark)


@pytest.mark.parametrize("party", [None, PartyId("DE", "EMS")])
async def test_p1_what_moves_above_a_resync_that_is_about_to_begin_is_kept_beside_it(party: PartyId | None) -> None:
    store = Slow()
    store.goes_on.set()
    await store.start()
    marks = Marks(Reach(store, trouble=lambda sentence: None), SystemClock())
    key = MarkKey("one", TP, party)
    await store.save_mark(Mark("one", TP, at(9), 0, "away", party=party))
    await marks.refresh([TP])
    assert marks.worked_off(TP) == []
    store.goes_on.clear()
    store.asked.clear()
    begins = asyncio.create_task(marks.begin(key, at(36)))
    await store.asked.wait()
    covered = [
        asyncio.create_task(marks.cover_beside(one, at(36), "its owner had another state"))
        for one in marks.worked_off(TP)
    ]
    store.goes_on.set()
    assert await begins
    await asyncio.gather(*covered)
    assert await marks.finish(key, 0)
    assert [(mark.position, mark.upper) for mark in await store.load_marks()] == [(at(36), None)]
