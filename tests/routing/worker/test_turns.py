"""How many broadcasts are begun in one turn of the event loop, and that fewer are while somebody waits."""

from __future__ import annotations

import asyncio

from connectors.values import PartyId
from routing.event import Operation
from routing.fold import Request
from routing.log.port import Record, TopicPartition
from routing.policy import DeliverySettings
from routing.worker.lane import Lane
from routing.worker.slot import Directed, Line, Slot, SlotKey, Wave
from routing.worker.tracker import Entry
from routing.worker.turns import Turns
from tests.routing.events import at, event

TP = TopicPartition("ocpi.locations", 0)


def directed() -> Directed:
    """A push with a caller."""
    made = event("PUT", audience=PartyId("DE", "EMS"))
    record = Record(TP.topic, TP.partition, at(1), 0, made.key, (), made.payload)
    return Directed(Entry(record, made, 0.0), made)


def begun_in_a_turn(*, reading: bool = False, caller: bool = False) -> int:
    """How many of twenty lanes have a broadcast begun when everybody else has had one turn."""

    async def turn() -> int:
        begun: list[Slot] = []

        def begin(lane: Lane, slot: Slot, line: Line) -> None:
            slot.busy = True
            begun.append(slot)

        turns = Turns(
            DeliverySettings(begun_a_turn=8), may_begin=lambda slot: True, begin=begin, reading=lambda: reading
        )
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


def test_one_is_for_a_moment_after_a_push_with_a_caller() -> None:
    assert begun_in_a_turn(caller=True) == 1
