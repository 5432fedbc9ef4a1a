"""The archive takes its time from nobody: it waits while its process is busy, and goes on in small steps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from routing.archive.pace import FAR_BEHIND, GATHER, PATIENCE, SHORT, Pace
from tests.sim.loop import VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


def rested(loop: VirtualLoop, shares: Iterator[float], *, behind: float = 0.0) -> tuple[bool, float]:
    """Whether the process was busy, and for how long it rested, where others used these shares of each rest."""
    used, began = 0.0, loop.time()

    def reading() -> Iterator[float]:
        nonlocal used
        for share in shares:
            yield used
            used += share * GATHER
            yield used

    read = reading()
    busy = loop.run_until_complete(Pace(lambda: next(read)).rest(GATHER, behind=behind))
    return busy, loop.time() - began


def test_while_there_is_time_it_rests_as_long_as_it_was_told(loop: VirtualLoop) -> None:
    busy, seconds = rested(loop, iter([0.3]))
    assert not busy
    assert seconds == pytest.approx(GATHER)


def test_it_waits_for_a_busy_process_until_that_has_time(loop: VirtualLoop) -> None:
    busy, seconds = rested(loop, iter([1.0, 0.9, 0.1]))
    assert not busy
    assert seconds == pytest.approx(3 * GATHER)


def test_a_process_that_stays_busy_is_not_waited_for_for_ever(loop: VirtualLoop) -> None:
    busy, seconds = rested(loop, (1.0 for _ in count()))
    assert busy
    assert PATIENCE <= seconds <= PATIENCE + GATHER


def test_far_behind_it_is_less_patient(loop: VirtualLoop) -> None:
    busy, seconds = rested(loop, (1.0 for _ in count()), behind=FAR_BEHIND + 1)
    assert busy
    assert seconds <= SHORT + GATHER
