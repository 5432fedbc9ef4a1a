"""What an attempt of a broadcast means, and when the next is due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from connectors.errors import NotConnected
from routing.outbound import Answered, NoEnvelope
from routing.policies import Terms
from routing.policy import Outcome, ended, pause, retry_after


def answered(http: int, code: int, **headers: str) -> Answered:
    return Answered(
        http, code, CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}), b"", 1.0
    )


@pytest.mark.parametrize(
    ("http", "code", "outcome"),
    [
        (200, 1000, Outcome.DELIVERED),
        (201, 1999, Outcome.DELIVERED),
        (200, 2001, Outcome.REFUSED),
        (404, 2003, Outcome.REFUSED),
        (200, 3000, None),
        (429, 2000, None),
        (503, 1000, None),
        (500, 2000, None),
        (200, 4002, None),
    ],
)
def test_an_answer_settles_or_is_worth_another_attempt(http: int, code: int, outcome: Outcome | None) -> None:
    assert ended(answered(http, code)) is outcome


AT = 1_792_567_680_000
"""Wed, 21 Oct 2026 07:28:00 GMT."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wednesday, 21-Oct-26 07:29:00 GMT", 60.0),
        ("Wed Oct 21 07:28:05 2026", 5.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        ("9" * 40, None),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("Wed, 99 Oct 2026 07:28:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(answered(503, 3000, Retry_After=value), AT) == seconds
    assert retry_after(NoEnvelope("HTML of a proxy", 503, b"", value), AT) == seconds


def test_who_did_not_answer_asked_for_nothing() -> None:
    assert retry_after(NotConnected("refused"), AT) is None


@given(st.text(max_size=60))
def test_whatever_is_in_retry_after_breaks_nothing(value: str) -> None:
    asked = retry_after(NoEnvelope("HTML", 503, b"", value), AT)
    assert asked is None or asked >= 0


@given(st.integers(1, 50), st.none() | st.floats(0, 1e6), st.floats(0, 0.999))
def test_a_pause_has_bounds_whatever_a_recipient_asks_for(attempts: int, asked: float | None, jitter: float) -> None:
    assert 0 < pause(Terms(), attempts, asked, jitter, most=30.0) <= 30.0
