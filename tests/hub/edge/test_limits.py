"""What one platform may take, counted: bytes, calls in flight, calls a second."""

from __future__ import annotations

import pytest

from connectors.errors import TooManyRequests
from hub.edge.limits import Limits
from hub.settings import Settings


def limits(**settings: int) -> Limits:
    return Limits(Settings(**settings))  # type: ignore[arg-type]


def test_calls_in_flight_are_counted_by_platform_and_given_back() -> None:
    all_of_it = limits(platform_inflight_calls=2)
    first, _ = all_of_it.enter("a", 0.0), all_of_it.enter("a", 0.0)
    with pytest.raises(TooManyRequests, match="2 calls of your platform are in flight"):
        all_of_it.enter("a", 0.0)
    all_of_it.enter("b", 0.0)
    first.leave(0)
    assert all_of_it.enter("a", 0.0) is first


def test_a_second_fills_the_bucket_and_no_more_than_a_second() -> None:
    all_of_it = limits(platform_calls_per_second=3)
    for now, passing in ((0.0, 3), (0.1, 0), (1 / 3, 1), (0.5, 0), (60.0, 3)):
        for _ in range(passing):
            all_of_it.enter("a", now).leave(0)
        with pytest.raises(TooManyRequests, match="more than 3 times in a second"):
            all_of_it.enter("a", now)
        all_of_it.enter(f"b{now}", now).leave(0)


def test_time_that_goes_back_a_little_gives_and_takes_little() -> None:
    all_of_it = limits(platform_calls_per_second=100)
    for now in (1.0, 0.99, 1.0, 0.99):
        all_of_it.enter("a", now).leave(0)
    assert all_of_it.enter("a", 1.0).bucket >= 94


def test_bytes_are_bound_by_the_platforms_share_and_by_the_whole() -> None:
    all_of_it = limits(platform_inflight_bytes=60, max_inflight_bytes=100)
    one, two = all_of_it.enter("a", 0.0), all_of_it.enter("b", 0.0)
    one.hold(60)
    with pytest.raises(TooManyRequests, match="over 60 bytes together"):
        one.hold(1)
    two.hold(40)
    with pytest.raises(TooManyRequests, match="the hub holds"):
        two.hold(1)
    one.leave(60)
    two.hold(20)
    assert (all_of_it.bytes, one.bytes, two.bytes) == (60, 0, 60)


def test_platforms_that_came_and_went_are_forgotten_and_who_is_in_flight_is_not() -> None:
    all_of_it = limits()
    held = all_of_it.enter("held", 0.0)
    for number in range(10_000):
        all_of_it.enter(f"p{number}", 0.0).leave(0)
    assert len(all_of_it.uses) < 5000
    assert all_of_it.enter("held", 0.0) is held
