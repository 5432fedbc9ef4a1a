"""In which order replay windows are read: a few large ones at a time, the smallest first, and nobody waits in vain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from routing.log.port import Assignment, Committed, Consumer, Position, Record, TopicPartition
from routing.policy import DeliverySettings
from routing.worker.owned import Item, Owned
from routing.worker.reading_order import ReadingOrder
from routing.worker.tracker import Entry
from tests.routing.events import event

SETTINGS = DeliverySettings(windows_at_once=3, large_window=500)


class Reading:
    """A consumer that was given partitions: what it was told to pause, and how far each was read."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()
        self.read_to: dict[TopicPartition, Position] = {}

    def pause(self, tps: Sequence[TopicPartition]) -> None:
        self.paused |= set(tps)

    def position(self, tp: TopicPartition) -> Position | None:
        return self.read_to.get(tp)


class Story:
    """Partitions are named by their numbers; each has a window of `span` records, from `start` on."""

    def __init__(self) -> None:
        self.consumer = Reading()
        self.order = ReadingOrder(cast(Consumer, self.consumer), SETTINGS)
        self.owned: dict[int, Owned] = {}

    def own(self, spans: dict[int, int]) -> None:
        gained, start = [], Position(1, 50)
        for number, span in spans.items():
            tp = TopicPartition("ocpi.locations", number)
            end = Position(start.epoch, start.offset + span)
            self.owned[number] = Owned(Assignment(tp, Committed(start), end))
            self.consumer.read_to[tp] = start
            gained.append(self.owned[number])
        self.order.own(gained)
        self.go_on()

    def read(self, number: int, short_of: int = 0) -> None:
        """A window is read; nothing more of it waits."""
        owned = self.owned[number]
        assert owned.replay is not None
        end = owned.replay.end
        self.consumer.read_to[owned.tp] = Position(end.epoch, end.offset - short_of)
        self.go_on()

    def waits(self, number: int) -> None:
        """What was read of it waits for the store, and it is read no further meanwhile."""
        owned, made = self.owned[number], event("PUT", {})
        record = Record(owned.tp.topic, owned.tp.partition, Position(1, 50), 0, b"", (), b"")
        owned.backlog.append(Item(owned, Entry(record, made, 0.0), made, record))
        owned.paused = True
        self.go_on()

    def go_on(self) -> None:
        self.order.go_on()
        for owned in self.owned.values():
            if owned.paused and not owned.queued and not owned.backlog:
                owned.paused = False

    @property
    def queued(self) -> set[int]:
        return {number for number, owned in self.owned.items() if owned.queued}


def test_the_smallest_are_read_first_and_the_next_as_soon_as_one_was_read() -> None:
    story = Story()
    story.own({1: 9000, 2: 5000, 3: 8000, 4: 6000, 5: 7000})
    assert story.queued == {1, 3}
    story.read(2, short_of=1)
    assert story.queued == {1, 3}
    story.read(2)
    assert story.queued == {1}
    story.read(3)
    assert story.queued == set()


def test_one_that_is_queued_is_paused_before_anything_of_it_is_read() -> None:
    story = Story()
    story.own({1: 9000, 2: 5000, 3: 8000, 4: 6000})
    assert {tp.partition for tp in story.consumer.paused} >= story.queued == {1}
    assert story.owned[1].paused


def test_small_windows_and_partitions_without_one_never_wait() -> None:
    story = Story()
    story.own({1: 9000, 2: 9000, 3: 9000, 4: 9000, 5: 499, 6: 1, 7: 0})
    assert len(story.queued) == 1
    assert not story.queued & {5, 6, 7}
    assert not {5, 6, 7} & {tp.partition for tp in story.consumer.paused}
    assert story.order.is_read(story.owned[7])
    assert not story.order.is_read(story.owned[6])


def test_one_that_waits_for_the_store_keeps_nobody_else_from_being_read() -> None:
    story = Story()
    story.own({1: 1000, 2: 2000, 3: 3000, 4: 4000, 5: 5000})
    story.waits(1)
    assert story.queued == {5}
    story.waits(2)
    assert story.queued == set()


def test_what_is_gained_later_stands_in_line_by_its_size() -> None:
    story = Story()
    story.own({1: 4000, 2: 4000, 3: 4000, 4: 9000})
    story.own({5: 8000})
    story.read(1)
    assert story.queued == {4}


@pytest.mark.parametrize("leaves", [1, 5])
def test_one_that_leaves_makes_room_or_leaves_the_line(leaves: int) -> None:
    story = Story()
    story.own({1: 1000, 2: 2000, 3: 3000, 4: 4000, 5: 5000})
    story.order.leave(story.owned.pop(leaves))
    story.go_on()
    assert story.queued == ({5} if leaves == 1 else {4})
    for number in (2, 3, 4):
        story.read(number)
    assert story.queued == set()
    assert set(story.owned) | {leaves} == {1, 2, 3, 4, 5}


def test_a_window_that_began_before_its_topic_was_made_anew_is_as_long_as_what_is_there_now() -> None:
    tp = TopicPartition("ocpi.locations", 0)
    owned = Owned(Assignment(tp, Committed(Position(1, 90_000)), Position(2, 700)))
    assert owned.replay is not None
    assert owned.replay.span == 700
