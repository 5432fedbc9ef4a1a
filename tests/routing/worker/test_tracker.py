"""How far a partition is settled, and that what is settled out of order takes no room."""

from __future__ import annotations

from routing.log.port import Record
from routing.worker.tracker import Entry, Tracker
from tests.routing.events import at


def entry(offset: int) -> Entry:
    return Entry(Record("ocpi.sessions", 0, at(offset), 0, b"", (), b""), None, 0.0)


def test_it_is_settled_up_to_the_first_that_is_not() -> None:
    tracker = Tracker(at(0))
    entries = [entry(offset) for offset in (3, 5, 9)]
    for one in entries:
        tracker.add(one)
    assert tracker.settled_to() == at(3)
    tracker.settle(entries[1])
    assert tracker.settled_to() == at(3)
    tracker.settle(entries[0])
    assert (tracker.settled_to(), tracker.oldest()) == (at(9), entries[2])
    tracker.settle(entries[2])
    assert (tracker.settled_to(), tracker.oldest()) == (at(10), None)


def test_what_is_settled_behind_one_that_is_not_takes_no_room() -> None:
    tracker = Tracker(at(0))
    first = entry(0)
    tracker.add(first)
    for offset in range(1, 10_000):
        tracker.add(one := entry(offset))
        tracker.settle(one)
    assert len(tracker.entries) < 3000
    assert tracker.settled_to() == at(0)
    tracker.settle(first)
    assert tracker.settled_to() == at(10_000)
