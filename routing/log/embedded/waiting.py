"""The publishers that wait for the disk, and the one timer that lets them give up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from routing.log.embedded.work import Append
from routing.log.port import PublishUnknown


class Waiting:
    """`bytes` is what the records that have not landed take, whether their publishers still wait or not."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.bytes = 0
        self._loop = loop
        self._items: dict[Append, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._at = float("inf")

    def add(self, item: Append) -> None:
        self._items[item] = None
        self.bytes += item.size
        if item.until < self._at:
            self._watch_for(item.until)

    def landed(self, items: Sequence[Append]) -> None:
        """They were written or refused; who waits is answered by the caller."""
        forget = self._items.pop
        for item in items:
            forget(item, None)
            self.bytes -= item.size

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _watch_for(self, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._at = until
        self._timer = self._loop.call_at(until, self._give_up)

    def _give_up(self) -> None:
        """One timer for all, instead of one each, because it almost never finds somebody."""
        self._timer, self._at = None, float("inf")
        now = self._loop.time()
        for item in [item for item in self._items if item.until <= now]:
            del self._items[item]
            if not item.future.done():
                item.future.set_exception(PublishUnknown("the log's disk did not answer in time"))
        if self._items:
            self._watch_for(min(item.until for item in self._items))
