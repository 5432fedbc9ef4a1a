"""A lane's two lines: who has a caller waiting is begun at once, with what has to go before it."""

from __future__ import annotations

from connectors.values import PartyId
from routing.event import Operation
from routing.fold import Request
from routing.log.port import Position, Record, TopicPartition
from routing.worker.lane import Lane
from routing.worker.slot import Directed, Line, Slot, SlotKey, Wave
from routing.worker.tracker import Entry
from tests.routing.events import at, event

TP = TopicPartition("ocpi.locations", 0)
MOST = 8


def entry(offset: int) -> Entry:
    made = event("PUT", {})
    return Entry(Record(TP.topic, TP.partition, Position(1, offset), 0, made.key, (), made.payload), made, 0.0)


def slot(lane: Lane, name: str) -> Slot:
    return lane.add(Slot(SlotKey(name, PartyId("DE", "EMS")), TP, event("PUT", {})))


def broadcast(to: Slot, offset: int) -> None:
    to.queue.append(Wave((Request(Operation.PUT, (), b"{}", Position(1, offset)),), [entry(offset)]))


def directed(to: Slot, offset: int) -> Directed:
    item = Directed(entry(offset), event("PUT", {}))
    to.queue.append(item)
    return item


def test_broadcasts_come_in_order_and_each_slot_once() -> None:
    lane = Lane("one")
    slots = [slot(lane, name) for name in "ABC"]
    for offset, each in enumerate(slots):
        broadcast(each, offset)
        lane.enqueue(each)
        lane.enqueue(each)
    assert [lane.next(Line.BROADCASTS, MOST) for _ in range(4)] == [*slots, None]


def test_a_broadcast_is_as_urgent_as_the_push_that_waits_behind_it() -> None:
    lane = Lane("one")
    slots = [slot(lane, str(number)) for number in range(1000)]
    for offset, each in enumerate(slots):
        broadcast(each, offset)
        lane.enqueue(each)
    last = slots[-1]
    directed(last, 1000)
    lane.enqueue(last)
    assert lane.next(Line.URGENT, MOST) is last
    assert isinstance(last.queue[0], Wave)
    del last.queue[0]
    lane.enqueue(last)
    assert lane.next(Line.URGENT, MOST) is last
    assert [lane.next(Line.BROADCASTS, MOST) for _ in slots] == [*slots[:-1], None]


def test_a_slot_whose_caller_has_gone_takes_its_turn_among_the_broadcasts() -> None:
    lane = Lane("one")
    first, second = slot(lane, "A"), slot(lane, "B")
    broadcast(first, 0)
    item = directed(first, 1)
    lane.enqueue(first)
    broadcast(second, 2)
    lane.enqueue(second)
    first.queue.remove(item)
    assert lane.next(Line.URGENT, MOST) is None
    assert [lane.next(Line.BROADCASTS, MOST) for _ in range(3)] == [second, first, None]


def test_no_more_than_the_most_of_a_line_are_in_flight() -> None:
    lane = Lane("one")
    broadcast(each := slot(lane, "A"), 0)
    lane.enqueue(each)
    lane.begun_now[Line.BROADCASTS] = MOST
    assert lane.next(Line.BROADCASTS, MOST) is None
    lane.begun_now[Line.BROADCASTS] = MOST - 1
    assert lane.next(Line.BROADCASTS, MOST) is each


def test_what_waits_when_a_mark_ends_says_itself_what_it_may_build_on() -> None:
    lane = Lane("one")
    here = slot(lane, "A")
    there = lane.add(Slot(SlotKey("B", PartyId("DE", "EMS")), TP._replace(partition=1), event("PUT", {})))
    broadcast(here, 10)
    broadcast(there, 10)
    lane.lacks_below(TP, Position(1, 12))
    assert [item.lacking for each in (here, there) for item in each.queue if isinstance(item, Wave)] == [True, False]
    assert lane.lacking == {TP: Position(1, 12)}, "for what was read and is not let in yet"


def test_the_objects_of_one_owner_do_not_stand_before_those_of_another() -> None:
    lane = Lane("one")
    other = PartyId("FR", "ABC")
    many = [slot(lane, f"M{number}") for number in range(1000)]
    few = [slot(lane, f"F{number}") for number in range(3)]
    for offset, each in enumerate((*many, *few)):
        if each in few:
            each.event.owner = other
        broadcast(each, offset)
        lane.enqueue(each)
    first = [lane.next(Line.BROADCASTS, MOST) for _ in range(7)]
    assert first == [many[0], few[0], many[1], few[1], many[2], few[2], many[3]]
    assert [lane.next(Line.BROADCASTS, MOST) for _ in range(997)] == [*many[4:], None]


def test_of_a_partition_that_was_lost_and_is_back_it_is_not_known_what_arrived() -> None:
    """Its owner meanwhile may have begun to send an older part once more, and was cut off before the newer one."""
    lane = Lane("one")
    other = TopicPartition("ocpi.locations", 1)
    lost, kept = slot(lane, "A"), lane.add(Slot(SlotKey("B", PartyId("DE", "EMS")), other, event("PUT", {})))
    for each in (lost, kept):
        lane.remember(each, at(29), whole=True)
    assert (lane.whole(TP, lost.key), lane.whole(other, kept.key)) == (at(29), at(29))
    lane.lose(TP)
    assert (lane.whole(TP, lost.key), lane.whole(other, kept.key)) == (None, at(29))
    assert lane.begun[lost.key] == at(29), "and nothing older is sent all the same"
    lane.remember(lost, at(7), whole=True)
    assert lane.whole(TP, lost.key) == at(7)


def test_what_arrived_is_remembered_up_to_a_bound_and_never_falls_back() -> None:
    lane = Lane("one")
    slots = [slot(lane, name) for name in "ABC"]
    for each in slots:
        lane.remember(each, at(29), whole=True, most=2)
    assert [lane.whole(TP, each.key) for each in slots] == [None, at(29), at(29)]
    lane.remember(slots[2], at(12), whole=True, most=2)
    assert lane.whole(TP, slots[2].key) == at(29)
