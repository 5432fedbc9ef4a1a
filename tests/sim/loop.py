"""An asyncio event loop whose time passes only when nothing is left to do: a minute takes no time."""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
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


class _Handle(list[Any]):
    """A callback, its arguments and its context, for this turn or a later one; no callback, once it is cancelled.

    It stands for asyncio's own, of which a run makes ten thousand: a list is made without any Python of ours.
    """

    __slots__ = ()

    def cancel(self) -> None:
        self[0] = None

    def cancelled(self) -> bool:
        return self[0] is None


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


_NOTHING = Context()
"""The context of what looks at none."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """`now` is the loop's time in seconds.

    Callbacks run in the order in which they became due, those of one moment in the order in which they were scheduled.
    asyncio's own turn does more: files, debugging, threads.
    """

    _ready: deque[_Handle]
    _stopping: bool

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, int, _Handle]] = []
        self._number = count()
        super().__init__(_NoSelector())

    def time(self) -> float:
        return self.now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle((callback, args, copy_context() if context is None else context))
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle((callback, args, copy_context() if context is None else context))
        heappush(self._timers, (self.now + delay, next(self._number), handle))
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle((callback, args, copy_context() if context is None else context))
        heappush(self._timers, (when, next(self._number), handle))
        return handle

    def pause(self, seconds: float) -> Awaitable[None]:
        """What asyncio.sleep is, for the fakes of a simulation, which sleep thousands of times."""
        if not seconds:
            return asyncio.sleep(0)
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        heappush(self._timers, (self.now + seconds, next(self._number), _Handle((_wake, (future,), _NOTHING))))
        return future

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def _run_once(self) -> None:
        """Turn after turn, until it is to stop: what is ready; where nothing is, time passes until something is."""
        ready, timers, now = self._ready, self._timers, self.now
        take = ready.popleft
        while True:
            if not ready and not self._stopping:
                while timers and timers[0][2][0] is None:
                    heappop(timers)
                if not timers:
                    raise Stuck("nothing is scheduled any more")
                if timers[0][0] > now:
                    self.now = now = timers[0][0]
            while timers and timers[0][0] <= now:
                ready.append(heappop(timers)[2])
            for _ in range(len(ready)):
                callback, args, context = take()
                if callback is not None:
                    try:
                        context.run(callback, *args)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:  # as asyncio's own handle does
                        self._say(callback, error)
            if self._stopping:
                return

    def _say(self, callback: Callable[..., object], error: BaseException) -> None:
        self.call_exception_handler({"message": f"Exception in callback {callback!r}", "exception": error})

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
