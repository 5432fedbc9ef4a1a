"""What an attempt of a broadcast means, and when the next is due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from connectors.errors import NotConnected
from routing.outbound import Answered
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


def test_retry_after_is_read_in_whole_seconds_only() -> None:
    assert retry_after(answered(503, 3000, Retry_After="7")) == 7.0
    assert retry_after(answered(503, 3000, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT")) is None
    assert retry_after(answered(503, 3000, Retry_After="9" * 40)) is None
    assert retry_after(NotConnected("refused")) is None


@given(st.integers(1, 50), st.none() | st.floats(0, 1e6), st.floats(0, 0.999))
def test_a_pause_has_bounds_whatever_a_recipient_asks_for(attempts: int, asked: float | None, jitter: float) -> None:
    assert 0 < pause(Terms(), attempts, asked, jitter, most=30.0) <= 30.0
