"""What a process learns of a platform's bearing, from its lanes and from calls that pass beside them."""

from __future__ import annotations

from routing.clock import SystemClock
from routing.policy import DeliverySettings
from routing.worker.slot import Line
from routing.worker.widths import Widths

SETTINGS = DeliverySettings(broadcasts_first=8)


def test_what_a_relay_met_narrows_both_lines_of_its_platform_and_of_no_other() -> None:
    widths = Widths(SETTINGS, SystemClock())
    begun = widths.begin("one", Line.BROADCASTS)
    widths.strained("one", begun)
    assert [widths.at_once("one", line) for line in (Line.BROADCASTS, Line.URGENT)] == [4, 32]
    assert [widths.at_once("two", line) for line in (Line.BROADCASTS, Line.URGENT)] == [8, 64]


def test_one_hiccup_that_many_relays_met_narrows_once() -> None:
    widths = Widths(SETTINGS, SystemClock())
    begun = widths.begin("one", Line.BROADCASTS)
    for _ in range(50):
        widths.strained("one", begun)
    assert widths.at_once("one", Line.BROADCASTS) == 4


def test_callers_are_never_held_back_to_less_than_a_few_at_a_time() -> None:
    widths = Widths(SETTINGS, SystemClock())
    for _ in range(50):
        widths.strained("one", widths.begin("one", Line.URGENT))
    assert widths.at_once("one", Line.URGENT) == SETTINGS.directed_least
    assert widths.at_once("one", Line.BROADCASTS) == 1
