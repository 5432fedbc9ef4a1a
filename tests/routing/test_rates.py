"""Requests a second towards a platform: never more than the share of this process, and all of it where it is wanted."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import NotConnected
from routing.rates import BURST_SECONDS, Bucket, Rates
from tests.sim.loop import VirtualLoop


class Limits:
    def __init__(self, **limits: float) -> None:
        self.limits, self.live, self.now = limits, 1, 0.0

    def rates(self) -> Rates:
        return Rates(self.limits.get, lambda: self.live, lambda: self.now)


@given(st.floats(0.1, 500), st.lists(st.floats(0, 2), min_size=1, max_size=80))
def test_never_more_than_the_rate_and_what_may_be_made_up_for(rate: float, steps: list[float]) -> None:
    bucket, began, now, spent = Bucket(), 0.0, 0.0, 0
    for step in steps:
        now += step
        bucket = bucket.filled(now, rate)
        while not bucket.wait(rate):
            bucket, spent = bucket.spent(), spent + 1
    assert spent <= (now - began) * rate + max(1.0, rate * BURST_SECONDS) + 1e-6


def test_without_a_limit_nobody_waits() -> None:
    rates = Limits(one=2.0).rates()
    assert [rates.take("other") for _ in range(50)] == [0.0] * 50
    assert (rates.limited("one"), rates.limited("other")) == (True, False)


def test_the_limit_is_divided_by_the_processes_that_live() -> None:
    limits = Limits(one=4.0)
    rates = limits.rates()
    assert rates.take("one") == 0.0
    assert rates.take("one") == pytest.approx(0.25)
    limits.live = 2
    assert rates.take("one") == pytest.approx(0.5)


def test_what_is_sent_beside_what_was_taken_counts_against_what_comes() -> None:
    limits = Limits(one=2.0)
    rates = limits.rates()
    assert rates.take("one") == 0.0
    rates.sent("one")
    rates.sent("one")  # a second request of the same delivery
    assert rates.take("one") == pytest.approx(1.0)


def test_what_is_taken_and_not_used_is_given_back() -> None:
    rates = Limits(one=2.0).rates()
    assert rates.take("one") == 0.0
    rates.give_back("one")
    assert rates.take("one") == 0.0
    assert rates.take("one") > 0


def test_callers_take_turns_and_one_whose_turn_would_come_too_late_is_told_so_at_once() -> None:
    loop = VirtualLoop()

    async def story() -> None:
        rates = Rates({"one": 2.0}.get, lambda: 1, loop.time)
        at: list[float] = []

        async def caller(until: float) -> None:
            await rates.turn("one", until)
            at.append(loop.time())

        began = loop.time()
        await asyncio.gather(*(caller(began + 60) for _ in range(5)))
        assert [round(when - began, 3) for when in at] == [0.0, 0.5, 1.0, 1.5, 2.0]
        with pytest.raises(NotConnected, match="no more requests a second"):
            await rates.turn("one", loop.time() + 0.4)
        assert loop.time() - began < 2.01

    loop.run_until_complete(story())
    loop.close()


def test_what_lacks_by_rounding_alone_is_not_waited_for() -> None:
    assert Bucket(1.0 - 1e-16, 0.0).wait(1.0) == 0.0
