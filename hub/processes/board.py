"""What each of several processes says of itself to the others, in a file for each: so that any answers for all.

Whether the whole is ready: first, once every process was. From then on as long as no process that takes part has
trouble, and one does. One that is down, or being started again, takes no calls and owns no partitions, so it makes
nothing unready for the others; it is told of all the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import orjson

from hub.gauges import Gauge, Values
from hub.operator.readiness import Readiness

STALE_SECONDS: Final = 5.0

_BEGUN: Final = "begun"


class Phase(StrEnum):
    """How far a process is."""

    STARTING = "starting"
    SERVING = "serving"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class State:
    """One process at `at` (the machine's monotonic clock, seconds): its troubles as sentences, its gauges by name."""

    number: int
    pid: int
    phase: Phase
    troubles: tuple[str, ...]
    at: float
    gauges: Mapping[str, Values] = field(default_factory=dict)


class Board:
    """The states in a run's folder, as process number `number` of `of` sees and tells them."""

    def __init__(self, folder: Path, number: int, of: int) -> None:
        self._folder = folder
        self._number = number
        self._of = of

    def tell(self, phase: Phase, troubles: Iterable[str], gauges: Mapping[Gauge, Values]) -> None:
        """Replace what this process says."""
        told = {gauge.name: list(values.items()) for gauge, values in gauges.items()}
        content = orjson.dumps([self._number, phase, list(troubles), time.monotonic(), told])
        path = state_file(self._folder, os.getpid())
        draft = path.with_suffix(".new")
        draft.write_bytes(content)
        draft.replace(path)

    def others(self) -> list[State]:
        """Those of the other processes that are there."""
        own = os.getpid()
        found = (_read(path) for path in sorted(self._folder.glob("state-*.json")))
        return [state for state in found if state is not None and state.pid != own]

    def gauges(self) -> list[Mapping[str, Values]]:
        """The gauges of the other processes."""
        return [state.gauges for state in self.others()]

    def readiness(self, phase: Phase, troubles: Iterable[str]) -> Readiness:
        """Of all of them, this one being so now."""
        own = State(self._number, os.getpid(), phase, tuple(troubles), time.monotonic())
        return judge([own, *self.others()], self._of, time.monotonic(), begun=(self._folder / _BEGUN).exists())


def judge(states: Sequence[State], of: int, now: float, *, begun: bool) -> Readiness:
    """Whether processes 0 to `of` - 1 are ready as one. `begun`: their supervisor saw every one of them ready once."""
    reasons: list[str] = []
    serving = troubled = 0
    for number in range(of):
        mine = [state for state in states if state.number == number]
        if silent := [state for state in mine if now - state.at > STALE_SECONDS and state.phase is Phase.SERVING]:
            troubled += 1
            reasons.append(f"process {number} has not been heard of for {now - silent[0].at:.0f} s")
            continue
        taking_part = [state for state in mine if state.phase is Phase.SERVING]
        if not taking_part:
            reasons += [sentence for state in mine for sentence in state.troubles]
            reasons.append(f"process {number} {_why(mine)}")
            continue
        sentences = [sentence for state in taking_part for sentence in state.troubles]
        serving += not sentences
        troubled += bool(sentences)
        reasons += sentences
    if not begun and not reasons:
        reasons.append("not every process has said yet that it is ready")
    return Readiness(begun and serving > 0 and not troubled, tuple(dict.fromkeys(reasons)))


def _why(mine: Sequence[State]) -> str:
    if any(state.phase is Phase.STARTING for state in mine):
        return "is starting"
    return "is ending" if mine else "is down"


def all_ready(folder: Path) -> None:
    """Note that every process has been ready once."""
    (folder / _BEGUN).touch()


def state_file(folder: Path, pid: int) -> Path:
    """Where the process of this id says how it is; whoever sees it end removes it."""
    return folder / f"state-{pid}.json"


def _read(path: Path) -> State | None:
    try:
        number, phase, troubles, at, told = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    gauges: dict[str, Any] = {name: {tuple(labels): value for labels, value in values} for name, values in told.items()}
    pid = int(path.stem.partition("-")[2])
    return State(number, pid, Phase(phase), tuple(troubles), at, gauges)
