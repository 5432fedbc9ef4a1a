"""When what a replay window left comes to stand in line: callers at once, the rest once the reading has its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from connectors.values import PartyId
from routing.clock import SystemClock
from routing.event import Operation
from routing.fold import Request
from routing.log.port import Assignment, Committed, Position, Record, TopicPartition
from routing.policy import DeliverySettings
from routing.rates import Rates
from routing.worker.lane import Lane
from routing.worker.owned import Owned
from routing.worker.releasing import A_TURN, STALLED, Releasing
from routing.worker.slot import Directed, Line, Slot, SlotKey, Wave
from routing.worker.tracker import Entry
from routing.worker.turns import Turns
from routing.worker.widths import Widths
from tests.routing.events import at, event
from tests.sim.loop import VirtualLoop

MOST = 15.0
SETTINGS = DeliverySettings(begun_a_turn=10_000, broadcasts_first=10_000, broadcasts_at_once=10_000)


class Story:
    """Partitions with windows of one recipient; `begun` tells the moment at which each object's slot was begun."""

    def __init__(self) -> None:
        self.begun: dict[str, float] = {}
        self.owned: dict[int, Owned] = {}
        self.turns = Turns(
            SETTINGS, may_begin=lambda slot: True, begin=self._begin, reading=bool,
            widths=Widths(SETTINGS, SystemClock()), rates=Rates(lambda _: None, lambda: 1, lambda: 0.0),
        )  # fmt: skip
        self.releasing = Releasing(turns=self.turns, ours=lambda owned: owned in self.owned.values(), most=MOST)

    def _begin(self, lane: Lane, slot: Slot, line: Line) -> None:
        slot.busy = True
        self.begun[slot.key.object] = asyncio.get_running_loop().time()

    def own(self, *numbers: int) -> None:
        for number in numbers:
            tp = TopicPartition("ocpi.locations", number)
            self.owned[number] = Owned(Assignment(tp, Committed(Position(1, 0)), at(9000)))
            self.releasing.own(self.owned[number])

    def leave(self, number: int, name: str, *, caller: bool = False) -> None:
        """Something of an object waits in a partition whose window is being read."""
        lane, tp, made = self.turns.lane("one"), self.owned[number].tp, event("PUT", {})
        slot = lane.add(Slot(SlotKey(name, PartyId("DE", "EMS")), tp, made))
        slot.queue.append(Wave((Request(Operation.PUT, (), b"{}", at(1)),), []))
        if caller:
            record = Record(tp.topic, tp.partition, at(2), 0, made.key, (), made.payload)
            slot.queue.append(Directed(Entry(record, made, 0.0), made))

    def read(self, number: int) -> None:
        self.owned[number].replay = None
        self.releasing.release(self.owned[number])

    async def read_on(self, seconds: float) -> None:
        """Other windows are being read for so long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            self.releasing.read_on()
            await asyncio.sleep(STALLED / 2)


def tell(story: Callable[[Story], Awaitable[None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(_tell(story))
    finally:
        loop.wind_up()


async def _tell(story: Callable[[Story], Awaitable[None]]) -> None:
    await story(Story())


def test_where_no_other_window_is_read_it_goes_at_once() -> None:
    async def story(story: Story) -> None:
        story.own(0)
        story.leave(0, "A")
        story.releasing.read_on()
        story.read(0)
        await asyncio.sleep(0)
        assert story.begun == {"A": 0.0}

    tell(story)


def test_broadcasts_wait_while_others_are_read_and_who_has_a_caller_does_not() -> None:
    async def story(story: Story) -> None:
        story.own(0, 1)
        story.leave(0, "A")
        story.leave(0, "B", caller=True)
        story.releasing.read_on()
        story.read(0)
        assert story.begun == {"B": 0.0}
        await story.read_on(2.0)
        assert set(story.begun) == {"B"}
        story.read(1)
        await asyncio.sleep(STALLED + 0.01)
        assert 2.0 <= story.begun["A"] <= 2.0 + STALLED + 0.01

    tell(story)


def test_they_do_not_wait_for_a_window_of_which_nothing_more_comes() -> None:
    """As where the store is away, or nothing more may be held: `read_on` is not said then."""

    async def story(story: Story) -> None:
        story.own(0, 1)
        story.leave(0, "A")
        story.releasing.read_on()
        story.read(0)
        await asyncio.sleep(2 * STALLED + 0.01)
        assert STALLED <= story.begun["A"] <= 2 * STALLED

    tell(story)


def test_they_wait_for_no_longer_than_that_however_long_others_are_read() -> None:
    async def story(story: Story) -> None:
        story.own(0, 1, 2)
        story.leave(0, "A")
        story.leave(1, "B")
        story.releasing.read_on()
        story.read(0)
        await story.read_on(5.0)
        story.read(1)
        await story.read_on(30.0)
        assert MOST <= story.begun["A"] <= MOST + STALLED
        assert MOST + 5 <= story.begun["B"] <= MOST + 5 + 2 * STALLED

    tell(story)


def test_what_waits_of_a_partition_that_stayed_ours_waits_for_no_window() -> None:
    async def story(story: Story) -> None:
        story.own(0, 1)
        story.read(1)
        for number in range(A_TURN + 1):
            story.leave(1, f"L{number}")
        story.releasing.read_on()
        story.releasing.go_on(story.owned[1])
        await asyncio.sleep(0.001)
        assert len(story.begun) == A_TURN + 1
        assert set(story.begun.values()) == {0.0}

    tell(story)


def test_a_slot_that_breaks_when_it_is_begun_keeps_no_other_window_waiting() -> None:
    async def story(story: Story) -> None:
        story.own(0, 1, 2)
        story.leave(0, "A")
        story.leave(1, "B")
        story.releasing.read_on()
        story.read(0)
        story.read(1)
        whole = story.turns.wake

        def wake(lane: Lane, slot: Slot) -> None:
            if slot.key.object == "A":
                raise ValueError("broken for a test")
            whole(lane, slot)

        story.turns.wake = wake  # type: ignore[method-assign]
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        await asyncio.sleep(2 * STALLED + 0.01)
        assert set(story.begun) == {"B"}

    tell(story)


def test_some_come_in_a_turn_so_that_nobody_with_a_caller_waits_for_all() -> None:
    async def story(story: Story) -> None:
        story.own(0)
        for number in range(2 * A_TURN + 1):
            story.leave(0, f"L{number}")
        standing = []
        story.read(0)
        for _ in range(3):
            standing.append(sum(slot.line is not None or slot.busy for slot in story.turns.lane("one").slots.values()))
            await asyncio.sleep(0)
        assert standing == [A_TURN, 2 * A_TURN, 2 * A_TURN + 1]
        await asyncio.sleep(0.01)
        assert len(story.begun) == 2 * A_TURN + 1

    tell(story)


def test_nothing_of_a_partition_that_was_lost_meanwhile_comes_and_the_next_one_goes_on() -> None:
    async def story(story: Story) -> None:
        story.own(0, 1, 2)
        story.leave(0, "A")
        story.leave(1, "B")
        story.releasing.read_on()
        story.read(0)
        story.read(1)
        lost = story.owned.pop(0)
        story.releasing.drop(lost.tp)
        await asyncio.sleep(2 * STALLED + 0.01)
        assert set(story.begun) == {"B"}

    tell(story)


def test_a_window_is_being_read_from_the_assignment_until_it_was_or_its_partition_is_lost() -> None:
    async def story(story: Story) -> None:
        told = [story.releasing.reading]
        story.own(0, 1)
        told.append(story.releasing.reading)
        story.read(0)
        told.append(story.releasing.reading)
        story.releasing.drop(story.owned.pop(1).tp)
        told.append(story.releasing.reading)
        assert told == [False, True, True, False]

    tell(story)
