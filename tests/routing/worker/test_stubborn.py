"""When a resync gives up on an object: its recipient takes others and not this one, round after round."""

from __future__ import annotations

from connectors.values import PartyId
from routing.state import StateKey
from routing.worker import stubborn
from routing.worker.stubborn import Stubborn, What

CPO, EMSP = PartyId("NL", "TNM"), PartyId("DE", "EMS")
WHAT = What(StateKey(CPO, "locations", "L1", "", None), EMSP)
ATTEMPT = (EMSP, 1, 500, 3000, "", 12)


def test_it_is_given_up_on_after_so_many_rounds_between_which_others_were_taken() -> None:
    counting = Stubborn(3)
    found = [counting.failed(WHAT, [ATTEMPT], now=now, took=now - 0.5) for now in (1.0, 2.0, 3.0, 4.0)]
    assert found[:3] == [None, None, None], "before the first round nobody knows whether it took others"
    assert found[3] == (ATTEMPT,) * 4


def test_while_nothing_is_taken_it_may_be_the_recipient_and_that_is_waited_for_a_day() -> None:
    counting = Stubborn(3)
    for now in range(10, 100):
        assert counting.failed(WHAT, [ATTEMPT], now=float(now), took=5.0) is None
        assert counting.failed(WHAT, [ATTEMPT], now=float(now), took=None) is None
    late = 10 + stubborn.ALONE_SECONDS
    assert counting.failed(WHAT, [ATTEMPT], now=late, took=5.0) == (ATTEMPT,) * stubborn.KEPT


def test_a_round_without_a_request_is_none_and_what_is_over_is_counted_anew() -> None:
    counting = Stubborn(1)
    assert counting.failed(WHAT, [ATTEMPT], now=1.0, took=None) is None
    assert counting.failed(WHAT, [], now=2.0, took=1.5) is None
    counting.over(WHAT)
    assert counting.failed(WHAT, [ATTEMPT], now=3.0, took=2.5) is None
    assert counting.failed(WHAT, [ATTEMPT], now=4.0, took=3.5) == (ATTEMPT, ATTEMPT)


def test_so_many_are_counted_and_no_more() -> None:
    counting = Stubborn(1)
    for number in range(stubborn.MOST):
        counting.failed(What(WHAT.key._replace(object_id=str(number)), EMSP), [ATTEMPT], now=1.0, took=None)
    for now in (2.0, 3.0, 4.0):
        assert counting.failed(WHAT, [ATTEMPT], now=now, took=now) is None
    assert counting.failed(WHAT, [ATTEMPT], now=9000.0, took=None) is None
    assert counting.failed(WHAT, [ATTEMPT], now=9001.0, took=9000.5) == (ATTEMPT, ATTEMPT), "the others are forgotten"
