"""Several processes are ready as one, or not, and say why."""

from __future__ import annotations

import os
from pathlib import Path

from hub.gauges import LANES
from hub.processes.board import Board, Phase, State, all_ready, judge, state_file

NOW = 1000.0


def state(number: int, phase: Phase = Phase.SERVING, *troubles: str, pid: int = 0, at: float = NOW) -> State:
    return State(number, pid or number + 1, phase, troubles, at)


def test_at_first_all_must_be_there() -> None:
    assert judge([state(0), state(1)], 2, NOW, begun=True) == (True, ())
    ready, reasons = judge([state(0), state(1, Phase.STARTING)], 2, NOW, begun=False)
    assert (ready, reasons) == (False, ("process 1 is starting",))
    assert judge([state(0)], 2, NOW, begun=False) == (False, ("process 1 is down",))
    ready, reasons = judge([state(0), state(1)], 2, NOW, begun=False)
    assert not ready and len(reasons) == 1


def test_later_one_that_takes_no_part_is_told_of_and_costs_nothing() -> None:
    assert judge([state(0)], 2, NOW, begun=True) == (True, ("process 1 is down",))
    assert judge([state(0), state(1, Phase.STARTING)], 2, NOW, begun=True) == (True, ("process 1 is starting",))
    ending = judge([state(0), state(1, Phase.ENDING, "it drains")], 2, NOW, begun=True)
    assert ending == (True, ("it drains", "process 1 is ending"))
    assert judge([], 2, NOW, begun=True) == (False, ("process 0 is down", "process 1 is down"))


def test_one_that_takes_part_and_cannot_work_makes_all_not_ready() -> None:
    assert judge([state(0), state(1, Phase.SERVING, "no log")], 2, NOW, begun=True) == (False, ("no log",))
    both = [state(0, Phase.SERVING, "no log"), state(1, Phase.SERVING, "no log")]
    assert judge(both, 2, NOW, begun=True) == (False, ("no log",))


def test_one_that_is_not_heard_of_makes_all_not_ready() -> None:
    assert judge([state(0), state(1, at=NOW - 4)], 2, NOW, begun=True).ready
    silent = judge([state(0), state(1, at=NOW - 7)], 2, NOW, begun=True)
    assert silent == (False, ("process 1 has not been heard of for 7 s",))


def test_while_one_is_replaced_the_one_that_serves_counts() -> None:
    both = [state(0, Phase.STARTING, pid=7), state(0, Phase.SERVING, pid=8), state(1)]
    assert judge(both, 2, NOW, begun=True) == (True, ())


def test_what_a_process_tells_is_read_by_the_others(tmp_path: Path) -> None:
    board = Board(tmp_path, 0, 2)
    board.tell(Phase.SERVING, ["no log"], {LANES: {("a", "waiting"): 3.0}})
    assert board.others() == []
    own = state_file(tmp_path, os.getpid())
    own.rename(state_file(tmp_path, 1))
    (other,) = board.others()
    assert (other.number, other.pid, other.phase, other.troubles) == (0, 1, Phase.SERVING, ("no log",))
    assert board.gauges() == [{"ocpi_hub_lane_depth": {("a", "waiting"): 3.0}}]
    all_ready(tmp_path)
    assert not board.readiness(Phase.SERVING, []).ready
