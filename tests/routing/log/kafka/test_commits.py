"""What is committed comes back as it was; what others committed is an unclean commit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.log.kafka.commits import read, write
from routing.log.port import Committed, Position

positions = st.builds(Position, st.integers(0, 2**53), st.integers(-1, 2**62))
commits = st.builds(
    Committed, st.builds(Position, st.integers(0, 2**53), st.integers(0, 2**62)), st.booleans(), st.none() | positions
)


@given(commits)
def test_it_comes_back_as_it_was(committed: Committed) -> None:
    offset, text = write(committed)
    assert len(text) < 100
    assert read(offset, text, committed.next.epoch) == committed


@given(commits, st.integers(0, 2**53))
def test_of_another_epoch_it_is_none(committed: Committed, epoch: int) -> None:
    if epoch != committed.next.epoch:
        assert read(*write(committed), epoch) is None


def test_none_is_none() -> None:
    assert read(-1, "", 5) is None


@pytest.mark.parametrize("text", ["", "moved by hand", "2 5 c", "1 5 x", "1 x c", "1 5 c 3", "1 5 c a.b", "1"])
def test_a_text_of_others_is_an_unclean_commit(text: str) -> None:
    assert read(7, text, 5) == Committed(Position(5, 7), clean=False, begun=None)
