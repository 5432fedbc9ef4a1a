"""The difference of the clocks: bounded from both sides by every record, however long its answer took."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hub import skew as skews
from hub.skew import HALF_SECONDS, Skew, sentence


class Time:
    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_without_a_record_or_a_difference_it_is_none() -> None:
    skew = Skew()
    assert skew.seconds() == 0
    skew.note(1000, 1003, 1010)
    skew.note(2000, 2400, 2900)
    assert skew.seconds() == 0


@pytest.mark.parametrize(("difference", "shown"), [(300, 0.297), (-300, -0.297)])
def test_latency_does_not_hide_it(difference: int, shown: float) -> None:
    skew = Skew()
    for latency in (900, 4, 2500):
        sent = 10_000
        skew.note(sent, sent + latency // 2 + difference, sent + latency)
    assert skew.seconds() == pytest.approx(shown, abs=0.0011)


@given(
    difference=st.integers(-100_000, 100_000),
    records=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), min_size=1),
)
def test_it_is_never_more_than_it_is_and_never_of_the_wrong_sign(
    difference: int, records: list[tuple[int, int]]
) -> None:
    skew = Skew()
    for before, after in records:
        skew.note(0, before + difference, before + after)
    shown = skew.seconds() * 1000
    assert abs(shown) < abs(difference) + 1.01
    assert shown * difference >= 0
    assert abs(shown) >= abs(difference) - min(max(one) for one in records) - 1.01


def test_of_servers_that_do_not_agree_the_farther_one_counts() -> None:
    skew = Skew()
    skew.note(1000, 1001, 1002)
    skew.note(1000, 1400, 1002)
    assert skew.seconds() == pytest.approx(0.397)
    skew.note(1000, 400, 1002)
    assert skew.seconds() == pytest.approx(-0.599)


def test_a_clock_that_was_put_right_is_seen_to_be() -> None:
    clock = Time()
    skew = Skew(monotonic=clock.monotonic)
    skew.note(1000, 1500, 1001)
    clock.seconds += HALF_SECONDS
    skew.note(1000, 1001, 1002)
    assert skew.seconds() > 0.4
    clock.seconds += HALF_SECONDS
    assert skew.seconds() == 0
    skew.note(1000, 1500, 1001)
    clock.seconds += 2 * HALF_SECONDS
    assert skew.seconds() == 0


async def test_too_much_is_said_once_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skews, "_LOOK_SECONDS", 0.001)
    skew = Skew()
    with capture_logs() as logged:
        warning = asyncio.create_task(skew.warn_often())
        skew.note(1000, 1200, 1001)
        await asyncio.sleep(0.02)
        assert logged == []
        skew.note(1000, 1300, 1001)
        while not logged:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        warning.cancel()
    assert [line["event"] for line in logged] == ["clock_skew"]
    assert "0.298 s behind the log's" in logged[0]["reason"]
    assert "ahead of the log's" in sentence(-1)
