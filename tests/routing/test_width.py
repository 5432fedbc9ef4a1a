"""How many requests a platform bears at a time: a little more with each answer, half at a sign of too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from connectors.errors import HubError, NotConnected, OcpiError, OutcomeUnknown
from routing.outbound import Answered, NoEnvelope
from routing.width import Width, is_strain

EVENTS = st.lists(st.one_of(st.none(), st.tuples(st.floats(0, 100), st.floats(0, 100))), max_size=60)


def late(error: HubError) -> HubError:
    error.late = True
    return error


def answered(http: int, code: int = 1000) -> Answered:
    return Answered(http, code, CIMultiDict(), b"", 1.0)


def test_it_grows_by_one_after_as_many_answers_as_are_in_flight() -> None:
    width = Width(2.0, 1, 8)
    for _ in range(5):
        before = width.size
        for _ in range(width.at_once):
            width = width.borne(width.at_once)
        assert width.size == pytest.approx(before + 1)
    for _ in range(100):
        width = width.borne(8)
    assert width.at_once == 8


def test_what_is_not_used_does_not_grow() -> None:
    width = Width(4.0, 1, 8)
    assert width.borne(3) is width


def test_many_that_fail_together_halve_it_once() -> None:
    width = Width(8.0, 1, 8)
    for _ in range(8):
        width = width.strained(begun=10.0, now=20.0)
    assert width.at_once == 4
    assert width.strained(begun=20.5, now=30.5).at_once == 2


@given(EVENTS)
def test_it_stays_within_its_bounds(events: list[tuple[float, float] | None]) -> None:
    width = Width(2.0, 1, 8)
    for event in events:
        width = width.borne(width.at_once) if event is None else width.strained(*event)
        assert 1 <= width.at_once <= 8


@pytest.mark.parametrize(
    ("came", "strain"),
    [
        (answered(200), False),
        (answered(500, 3000), False),
        (answered(429, 2000), True),
        (answered(503, 3000), True),
        (NoEnvelope("an HTML page", 503, b""), True),
        (NoEnvelope("an HTML page", 502, b""), False),
        (late(OutcomeUnknown("not answered in time")), True),
        (late(NotConnected("no connection in time")), True),
        (OutcomeUnknown("reset"), False),
        (NotConnected("refused", refused=True), False),
        (OcpiError("something else"), False),
    ],
)
def test_timeouts_429_and_503_are_signs_of_too_much(came: Answered | OcpiError, strain: bool) -> None:
    assert is_strain(came) is strain
