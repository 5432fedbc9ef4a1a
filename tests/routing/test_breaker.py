"""The breaker: opens after so many timeouts in a row, lets one try after a moment, closes with a sign of life."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import NotConnected, OutcomeUnknown
from connectors.values import PartyId, Role
from routing.breaker import MISSES, OPEN_SECONDS, Breaker, Breakers
from routing.directory import Hosted, Party, Platform


def missed(times: int, now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(times):
        breaker = breaker.late(now)
    return breaker


def test_a_few_timeouts_are_not_enough() -> None:
    assert missed(MISSES - 1).lets(0.0)[0]
    assert not missed(MISSES).lets(0.0)[0]


def test_when_its_moment_is_over_one_tries_and_the_others_do_not() -> None:
    breaker = missed(MISSES)
    assert not breaker.lets(OPEN_SECONDS - 0.01)[0]
    may, breaker = breaker.lets(OPEN_SECONDS)
    assert may
    assert [breaker.lets(OPEN_SECONDS + wait)[0] for wait in (0.0, 0.5, OPEN_SECONDS - 0.01)] == [False] * 3
    breaker = breaker.late(OPEN_SECONDS + 1)  # the one that tried was not answered either
    assert not breaker.lets(OPEN_SECONDS * 2 - 0.01)[0]
    assert breaker.lets(OPEN_SECONDS * 2)[0]


def test_those_that_hang_since_before_it_opened_do_not_keep_it_open() -> None:
    breaker = missed(MISSES)
    for tenth in range(1, 20):
        breaker = breaker.late(tenth / 10)
    assert breaker.lets(OPEN_SECONDS)[0]


def test_what_was_begun_before_a_sign_of_life_says_nothing_after_it() -> None:
    now = [0.0]
    breakers = Breakers(lambda: now[0])
    party = Party(PartyId("DE", "EMS"), Role.EMSP)
    platform = Platform("p", parties=(party,))
    late = OutcomeUnknown("not answered in time")
    late.late = True
    now[0] = 10.0
    breakers.close("p")
    now[0] = 15.0
    for _ in range(2 * MISSES):
        breakers.told(platform, late, 9.0)
    breakers.check(Hosted(platform, party))
    for _ in range(MISSES):
        breakers.told(platform, late, 11.0)
    assert breakers.shut("p")
    with pytest.raises(NotConnected, match="nothing was sent"):
        breakers.check(Hosted(platform, party))
    breakers.close("p")
    assert not breakers.shut("p")


@given(st.lists(st.one_of(st.floats(0, 3), st.none()), max_size=60))
def test_while_it_is_open_at_most_one_request_in_its_moment_is_begun(steps: list[float | None]) -> None:
    breaker, now, begun = missed(MISSES), 0.0, []
    for step in steps:
        if step is None:
            breaker = breaker.late(now)
            continue
        now += step
        may, breaker = breaker.lets(now)
        if may:
            begun.append(now)
    assert all(later - earlier >= OPEN_SECONDS for earlier, later in pairwise(begun))
