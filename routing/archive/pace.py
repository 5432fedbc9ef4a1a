"""How fast the archive works: as it likes while its process has time, and hardly at all while others need it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

BUSY: Final = 0.75
"""The share of one core that a process uses by which it counts as busy: an interpreter has little more to give."""

GATHER: Final = 0.4
"""Seconds between two batches at least: many in one write of the store cost less, and nobody looks that soon."""

PATIENCE: Final = 5.0
"""Seconds for which a busy process is waited for; then a small batch goes nevertheless."""

FAR_BEHIND: Final = 600.0
"""Seconds behind from which on patience is short, since the log keeps what was not read."""

SHORT: Final = 0.5


class Pace:
    """`used` is the CPU time that the process has used, in seconds."""

    def __init__(self, used: Callable[[], float] = time.process_time) -> None:
        self._used = used

    async def rest(self, seconds: float, *, behind: float) -> bool:
        """For so long, and on while the process is busy; whether it still was. What it uses meanwhile is others'."""
        loop = asyncio.get_running_loop()
        until = loop.time() + (SHORT if behind > FAR_BEHIND else PATIENCE)
        while True:
            began, used = loop.time(), self._used()
            await asyncio.sleep(seconds)
            passed = loop.time() - began
            busy = passed > 0 and (self._used() - used) / passed >= BUSY
            if not busy or loop.time() >= until:
                return busy
