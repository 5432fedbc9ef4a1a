"""Time as a value that is handed in: decisions and the simulation never read a clock of their own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """`monotonic` in seconds is the running loop's time; `utc` is UTC milliseconds."""

    def monotonic(self) -> float: ...

    def utc(self) -> int: ...


class SystemClock:
    """The machine's clocks. The loop's time is the same clock, as of the loop's last turn."""

    monotonic = staticmethod(time.monotonic)

    def utc(self) -> int:
        return time.time_ns() // 1_000_000
