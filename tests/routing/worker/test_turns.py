"""How many broadcasts are begun in one turn of the event loop, and that fewer are while somebody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from connectors.values import PartyId
from routing.clock import SystemClock
from routing.event import Operation
from routing.fold import Request
from routing.log.port import Record, TopicPartition
from routing.policy import DeliverySettings
from routing.rates import Rates
from routing.worker.lane import Lane
from routing.worker.slot import Directed, Line, Slot, SlotKey, Wave
from routing.worker.tracker import Entry
from routing.worker.turns import Turns
from routing.worker.widths import Widths
from tests.routing.events import at, event

TP = TopicPartition("ocpi.locations", 0)


def directed() -> Directed:
    """A push with a caller."""
    made = event("PUT", audience=PartyId("DE", "EMS"))
    record = Record(TP.topic, TP.partition, at(1), 0, made.key, (), made.payload)
    return Directed(Entry(record, made, 0.0), made)


def made(begin: Callable[[Lane, Slot, Line], None], *, reading: bool = False, rates: Rates | None = None) -> Turns:
    settings = DeliverySettings(begun_a_turn=8)
    return Turns(
        settings, may_begin=lambda slot: True, begin=begin, reading=lambda: reading,
        widths=Widths(settings, SystemClock()), rates=rates or Rates(lambda _: None, lambda: 1, lambda: 0.0),
    )  # fmt: skip


def begun_in_a_turn(*, reading: bool = False, caller: bool = False) -> int:
    """How many of twenty lanes have a broadcast begun when everybody else has had one turn."""

    async def turn() -> int:
        begun: list[Slot] = []

        def begin(lane: Lane, slot: Slot, line: Line) -> None:
            slot.busy = True
            begun.append(slot)

        turns = made(begin, reading=reading)
        if caller:
            lane = turns.lane("directed")
            slot = lane.add(Slot(SlotKey("L1", PartyId("DE", "EMS")), TP, event("PUT")))
            slot.queue.append(directed())
            turns.wake(lane, slot)
            assert begun == [slot]
            begun.clear()
        for n in range(20):
            lane = turns.lane(f"recipient-{n}")
            slot = lane.add(Slot(SlotKey("L1", PartyId("DE", f"R{n:02}")), TP, event("PUT")))
            slot.queue.append(Wave((Request(Operation.PUT, (), b"{}", at(1)),), []))
            turns.wake(lane, slot)
        await asyncio.sleep(0)
        return len(begun)

    return asyncio.run(turn())


def test_several_broadcasts_are_begun_in_a_turn() -> None:
    assert begun_in_a_turn() == 8


def test_one_is_while_a_replay_window_is_read() -> None:
    assert begun_in_a_turn(reading=True) == 1


def test_fewer_are_for_a_moment_after_a_push_with_a_caller() -> None:
    assert begun_in_a_turn(caller=True) == 6


def test_a_lane_of_a_limited_platform_is_woken_when_its_rate_allows_it_and_callers_go_first() -> None:
    async def story() -> None:
        begun: list[tuple[str, Line]] = []
        loop = asyncio.get_running_loop()

        def begin(lane: Lane, slot: Slot, line: Line) -> None:
            slot.queue.clear()
            begun.append((slot.key.object, line))

        turns = made(begin, rates=Rates({"one": 50.0}.get, lambda: 1, loop.time))
        lane = turns.lane("one")
        for number in range(30):
            slot = lane.add(Slot(SlotKey(f"L{number}", PartyId("DE", "EMS")), TP, event("PUT")))
            slot.queue.append(Wave((Request(Operation.PUT, (), b"{}", at(1)),), []))
            turns.wake(lane, slot)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(begun) <= 6, "no more than a tenth of a second's worth at once"
        urgent = lane.add(Slot(SlotKey("D", PartyId("DE", "EMS")), TP, event("PUT")))
        urgent.queue.append(directed())
        turns.wake(lane, urgent)
        before, began = len(begun), loop.time()
        while len(begun) == before:
            await asyncio.sleep(0.001)
        assert begun[before] == ("D", Line.URGENT)
        while len(begun) < before + 4:
            lane.begun_now = dict.fromkeys(Line, 0)
            await asyncio.sleep(0.001)
        assert loop.time() - began > 0.03

    asyncio.run(story())
