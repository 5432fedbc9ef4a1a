"""A worker that was stopped (SIGSTOP) for longer than its session: what it may still do once it goes on.

Its partitions have other owners meanwhile. From 100 ms after SIGCONT on it begins nothing of a partition that it was
not assigned anew; what it begins within those 100 ms is not judged for order. A recipient notices a request a little
after it was begun: the lag of the harness is measured and granted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from routing.log.port import TopicPartition
from tests.judging import Stood
from tests.witnesses import Begun

GRACE = 0.1
_TICK = 0.01


@dataclass(slots=True)
class Pause:
    """One worker, from SIGSTOP to SIGCONT, on the loop's clock; `ended` is None while it lasts."""

    pid: int
    worker: str
    began: float
    ended: float | None = None


@dataclass
class Pauses:
    """All of a run. `clock` is that of the recipients."""

    clock: Callable[[], float]
    of: list[Pause] = field(default_factory=list)
    lag: float = 0.0
    """The longest that the harness's loop was late while it mattered, in seconds."""

    def begin(self, pid: int, worker: str) -> Pause:
        """It is stopped now."""
        pause = Pause(pid, worker, self.clock())
        self.of.append(pause)
        return pause

    def end(self, pause: Pause) -> None:
        """It goes on now."""
        pause.ended = self.clock()

    def excuses(self, pid: int | None) -> bool:
        """Whether what this process has begun is not judged for order: it is stopped, or has just gone on."""
        now = self.clock()
        return any(
            pause.pid == pid and (pause.ended is None or now <= pause.ended + GRACE + self.lag) for pause in self.of
        )

    async def measure_lag(self) -> None:
        """Keep `lag`; run beside the load."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            late = loop.time() - due
            # falls off slowly, so that what was late a moment ago is still granted when a request is looked at
            self.lag = max(late, self.lag * 0.98)

    def broken(
        self,
        begun: Iterable[Begun],
        by_seq: Mapping[int, Stood],
        assigned: Mapping[str, list[tuple[float, frozenset[TopicPartition]]]],
    ) -> list[str]:
        """A sentence for each request that a former owner began too late.

        `assigned` has, for each worker, when it was given which partitions.
        """
        sentences = []
        for request in begun:
            for pause in self.of:
                if pause.ended is None or request.by != pause.pid or request.excused or request.at <= pause.ended:
                    continue
                tps = {by_seq[seq].tp for seq in request.seqs if seq in by_seq}
                since = [given for at, given in assigned[pause.worker] if pause.ended < at <= request.at + _TICK]
                if lost := tps - frozenset().union(*since):
                    late = 1000 * (request.at - pause.ended)
                    what = f"{request.method} {request.name}"
                    where = ", ".join(f"{tp.topic}/{tp.partition}" for tp in sorted(lost))
                    sentences.append(
                        f"P2: {what} was begun {late:.0f} ms after SIGCONT by {pause.worker}, a former owner of "
                        f"{where} (at {request.at:.3f})"
                    )
        return sentences
