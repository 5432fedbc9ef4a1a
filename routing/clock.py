"""Time as a value that is handed in: decisions and the simulation never read a clock of their own."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """`monotonic` in seconds is the running loop's time; `utc` is UTC milliseconds."""

    def monotonic(self) -> float: ...

    def utc(self) -> int: ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def utc(self) -> int:
        return time.time_ns() // 1_000_000
