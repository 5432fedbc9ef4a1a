"""A steady clock for the open loop: Linux' timerfd, because an event loop's own timers are a millisecond coarse."""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import time
from collections.abc import Callable, Sequence

_CLOCK_MONOTONIC = 1
_SECOND = 1_000_000_000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Ticker:
    """Calls `tick` with the moments (perf_counter) that have come, `rate` a second, `ticks` in all."""

    def __init__(self, rate: float, ticks: int, tick: Callable[[Sequence[float]], None]) -> None:
        self._interval = 1 / rate
        self._left = ticks
        self._tick = tick
        self._loop = asyncio.get_running_loop()
        self._file = _LIBC.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        whole, part = divmod(int(self._interval * _SECOND), _SECOND)
        self._next = time.perf_counter() + self._interval
        setting = struct.pack("qqqq", whole, part, whole, part)
        if _LIBC.timerfd_settime(self._file, 0, setting, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")
        self._loop.add_reader(self._file, self._expired)

    def close(self) -> None:
        """End it; it may have ended by itself."""
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def _expired(self) -> None:
        try:
            (times,) = struct.unpack("Q", os.read(self._file, 8))
        except BlockingIOError:
            return
        times = min(times, self._left)
        first, self._next = self._next, self._next + times * self._interval
        self._left -= times
        self._tick([first + at * self._interval for at in range(times)])
        if not self._left:
            self.close()
