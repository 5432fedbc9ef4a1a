"""How far a partition is settled, and that what is settled out of order takes no room."""

from __future__ import annotations

from connectors.values import PartyId
from routing.log.port import Record
from routing.policy import Outcome
from routing.worker.tracker import Entry, Tracker
from tests.routing.events import at

EMSP = PartyId("DE", "EMS")


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


def test_it_waits_for_a_platform_while_something_is_open_there_or_not_let_in() -> None:
    tracker = Tracker(at(0))
    there, elsewhere, unread = (entry(offset) for offset in (1, 2, 3))
    for one in (there, elsewhere, unread):
        tracker.add(one)
    there.opened(EMSP, "p")
    elsewhere.opened(EMSP, "q")
    there.sealed = elsewhere.sealed = True
    assert [tracker.waits_for("p", at(below)) for below in (1, 2, 3, 4)] == [False, True, True, True]
    there.ended(EMSP, Outcome.DELIVERED)
    assert [tracker.waits_for("p", at(below)) for below in (3, 4)] == [False, True], "the last one is not let in"
    tracker.settle(unread)
    assert not tracker.waits_for("p", at(9))
