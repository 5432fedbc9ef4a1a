"""An asyncio event loop whose time passes only when nothing is left to do: a minute takes no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

_ENDING = 60.0
"""Seconds of virtual time in which what was cancelled has to end."""


class Stuck(AssertionError):
    """Nothing is scheduled and nothing is ready: the run waits for something that never comes."""


class _NoSelector(selectors.BaseSelector):
    """There are no files; to wait is to let virtual time pass."""

    def __init__(self) -> None:
        self.loop: VirtualLoop | None = None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, -1, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, -1, 0, None)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("nothing is scheduled any more")
        if timeout > 0 and self.loop is not None:
            self.loop.now += timeout
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}


class VirtualLoop(asyncio.SelectorEventLoop):
    """`now` is the loop's time in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _NoSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def wind_up(self) -> None:
        """Close it, once all that is under way was cancelled and has ended: else each such task is complained of."""
        asyncio.set_event_loop(None)
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.wait(tasks, timeout=_ENDING))
        self.close()

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
