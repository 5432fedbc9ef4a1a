"""How far this machine's clock is from the log's: what deadlines and expiries that others decide on rest on.

A record was appended between the moments when it was handed over and when its answer came, so its append time bounds
the difference of the clocks from both sides, however long the answer took. The narrowest of many bounds are what
counts; what they cannot tell from no difference at all is shown as none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

MOST_SECONDS: Final = 0.25
"""More than this is told in the logging, and alerted (deploy/prometheus)."""

HALF_SECONDS: Final = 30.0
"""Bounds are kept for one to two times so long: a clock that is put right is seen to be."""

_LOOK_SECONDS: Final = 10.0
_AGAIN_SECONDS: Final = 60.0
_ROUNDING_MS: Final = 1
_FAR: Final = 2**62


class Skew:
    """`seconds` is by how much the log's clock is at least ahead of this one; negative: behind."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._since = monotonic()
        self._former = self._current = (-_FAR, _FAR)

    def note(self, sent: int, appended: int, answered: int) -> None:
        """One record: handed over and answered by this clock, appended by the log's (UTC ms)."""
        self._turn()
        least, most = self._current
        self._current = (
            max(least, appended - answered - _ROUNDING_MS),
            min(most, appended - sent + _ROUNDING_MS),
        )

    def seconds(self) -> float:
        self._turn()
        least = max(self._former[0], self._current[0])
        most = min(self._former[1], self._current[1])
        ahead, behind = max(least, 0), min(most, 0)  # both: the servers of the log do not agree
        return (ahead if ahead > -behind else behind) / 1000

    def _turn(self) -> None:
        now = self._monotonic()
        if now - self._since >= HALF_SECONDS:
            stale = now - self._since >= 2 * HALF_SECONDS
            self._former = (-_FAR, _FAR) if stale else self._current
            self._current = (-_FAR, _FAR)
            self._since = now

    async def warn_often(self) -> None:
        """Say it in the logging while it is too much; runs until it is cancelled."""
        said = float("-inf")
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            skew, now = self.seconds(), self._monotonic()
            if abs(skew) > MOST_SECONDS and now - said >= _AGAIN_SECONDS:
                said = now
                log.warning("clock_skew", seconds=round(skew, 3), reason=sentence(skew))


def sentence(skew: float) -> str:
    """What is wrong, and what to do."""
    way = "behind" if skew > 0 else "ahead of"
    return (
        f"this machine's clock is {abs(skew):.3f} s {way} the log's: deadlines are judged wrongly by that much; "
        "let NTP set the clocks of all machines"
    )
