"""P1, P2 and P5 in virtual time: two thousand seeds hold, and each switch that breaks the hub is found by some seed."""

from __future__ import annotations

import pytest

from tests.sim.schedule import run
from tests.switches import SWITCHES, throw

SEEDS = 2000
A_TEST = 100


@pytest.mark.parametrize("first", range(0, SEEDS, A_TEST))
def test_p1_p2_p5_hold_in_every_schedule(first: int) -> None:
    broken = {seed: found for seed in range(first, first + A_TEST) if (found := run(seed))}
    assert not broken, "replay with: python -m tests.sim --seed N"


@pytest.mark.parametrize("switch", sorted(SWITCHES))
def test_a_hub_broken_on_purpose_is_found_by_some_seed(switch: str) -> None:
    mend = throw(switch)
    try:
        assert any(run(seed) for seed in range(SEEDS)), f"no seed finds {switch}"
    finally:
        mend()


def test_a_seed_replays_exactly() -> None:
    mend = throw("commit-before-delivery")
    try:
        seed = next(seed for seed in range(SEEDS) if run(seed))
        assert run(seed) == run(seed)
    finally:
        mend()
