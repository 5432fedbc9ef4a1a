"""An asyncio event loop whose time passes only when nothing is left to do: a minute takes no time."""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context, copy_context
from heapq import heappop, heappush
from itertools import count
from typing import Any

_ENDING = 60.0
"""Seconds of virtual time in which what was cancelled has to end."""


class Stuck(AssertionError):
    """Nothing is scheduled and nothing is ready: the run waits for something that never comes."""


class _NoSelector(selectors.BaseSelector):
    """There are no files."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, -1, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, -1, 0, None)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}


class _Handle(asyncio.Handle):
    """A callback that is due in the next turn: what asyncio's own keeps of who made it is left out."""

    __slots__ = ()

    def __init__(
        self, callback: Callable[..., object], args: Sequence[Any], loop: VirtualLoop, context: Context | None
    ) -> None:
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = copy_context() if context is None else context
        self._cancelled = False
        self._repr = self._source_traceback = None


class _Timer(_Handle, asyncio.TimerHandle):
    """A callback that is due at a moment."""

    __slots__ = ()
    _when: float


class VirtualLoop(asyncio.SelectorEventLoop):
    """`now` is the loop's time in seconds.

    Callbacks run in the order in which they became due, those of one moment in the order in which they were scheduled.
    asyncio's own turn does more: files, debugging, threads.
    """

    _ready: deque[_Handle]
    _stopping: bool

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._number = count()
        super().__init__(_NoSelector())

    def time(self) -> float:
        return self.now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _Timer(callback, args, self, context)
        timer._when = when
        heappush(self._timers, (when, next(self._number), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its moment comes."""

    def _run_once(self) -> None:
        """One turn: what is ready; where nothing is, time passes until something is."""
        ready, timers = self._ready, self._timers
        if not ready and not self._stopping:
            while timers and timers[0][2]._cancelled:
                heappop(timers)
            if not timers:
                raise Stuck("nothing is scheduled any more")
            self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def wind_up(self) -> None:
        """Close it, once all that is under way was cancelled and has ended: else each such task is complained of."""
        asyncio.set_event_loop(None)
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.wait(tasks, timeout=_ENDING))
        self.close()
        self._timers.clear()

    def _make_self_pipe(self) -> None:
        """No threads wake this loop."""

    def _close_self_pipe(self) -> None:
        """There is none."""


class VirtualClock:
    """The clock of a virtual loop; UTC starts somewhere in 2026."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        return self._loop.now

    def utc(self) -> int:
        return 1_790_000_000_000 + round(self._loop.now * 1000)
