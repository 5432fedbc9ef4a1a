"""Connection state is a function of what was seen: three failures over ten seconds, and any sign of life ends it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routing.connection import APART_MS, KEPT, Signs, decode, encode, is_doubtful, is_offline, together

TIMES = st.lists(st.integers(0, 100_000), max_size=40).map(sorted)


def failing(*times: int, alive: int = 0) -> Signs:
    signs = Signs(alive)
    for at in times:
        signs = signs.failure(at)
    return signs


def test_three_failures_over_ten_seconds_are_offline_and_fewer_or_faster_are_not() -> None:
    assert is_offline(failing(0, 5_000, 10_000))
    assert not is_offline(failing(0, 5_000, 9_999))
    assert not is_offline(failing(0, 10_000))
    assert not is_offline(failing(*range(0, 2_000, 10)))


def test_a_sign_of_life_in_whichever_process_ends_what_failed_before_it() -> None:
    failures = failing(1, 5_000, 10_001)
    assert not is_offline(failures.sign(10_002))
    assert not is_offline(together([failures, Signs(7_000)]))
    assert is_offline(together([failures, Signs(0)]))


def test_failures_of_several_processes_count_together() -> None:
    assert is_offline(together([failing(1, 11_000), failing(5_000)]))


@given(TIMES)
def test_what_is_remembered_is_bounded_and_judges_as_all_of_it_would(times: list[int]) -> None:
    signs = failing(*times)
    assert len(signs.failed) <= KEPT
    apart: list[int] = []
    for at in times:
        if not apart or at - apart[-1] >= APART_MS:
            apart.append(at)
    assert is_offline(signs) == (len(apart) >= 3 and apart[-1] - apart[0] >= 10_000)


def test_who_failed_or_was_silent_is_to_be_asked() -> None:
    assert is_doubtful(failing(5, alive=1), 6, silent=1000)
    assert is_doubtful(Signs(0), 1000, silent=1000)
    assert not is_doubtful(Signs(1), 1000, silent=1000)


@given(
    st.dictionaries(st.text(max_size=5), st.tuples(st.integers(0, 9), TIMES.map(tuple)).map(lambda one: Signs(*one)))
)
def test_a_report_is_read_as_it_was_written(seen: dict[str, Signs]) -> None:
    assert decode(encode(seen, 7)) == (7, seen)


@given(st.binary(max_size=40))
def test_what_is_no_report_says_nothing(report: bytes) -> None:
    at, seen = decode(report)
    assert isinstance(at, int) and isinstance(seen, dict)
