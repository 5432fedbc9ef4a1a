"""How many objects an owner has in a list, kept for a while: counting looks at every one of them.

A count is kept for longer the longer it took, so however many are counted, counting takes a small part of the time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace
from typing import Final, NamedTuple

from connectors.errors import EngineAway
from connectors.values import PartyId
from hub.edge.ports import Objects
from routing.clock import Clock
from routing.store.port import Selection, StateCount

MAX_KEPT: Final = 20_000
KEPT_SECONDS: Final = 2.0
TIMES_ITS_OWN: Final = 10.0
"""A count that took long is good for so many times as long."""
PROMPT_SECONDS: Final = 0.25
"""What takes no longer is counted anew before it is told; else the former count is told, and counted anew beside."""
OLDEST_SECONDS: Final = 600.0


class _Kept(NamedTuple):
    counted: StateCount
    at: float
    took: float

    def good(self, now: float) -> bool:
        return now < self.at + max(KEPT_SECONDS, TIMES_ITS_OWN * self.took)

    def will_do(self, now: float) -> bool:
        return self.took > PROMPT_SECONDS and now < self.at + OLDEST_SECONDS


_Key = tuple[Selection, PartyId]


class Counting:
    """The counts of one process. What is counted for one call is counted for all that ask meanwhile."""

    def __init__(self, store: Objects, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._counting: dict[_Key, asyncio.Task[StateCount]] = {}

    async def count(self, wanted: Selection, owner: PartyId, within: float) -> StateCount:
        """Of this owner. Raises StoreAway, and EngineAway where it takes longer than `within` seconds."""
        key = (replace(wanted, owners=(), unpublished=frozenset()), owner)
        kept, now = self._kept.get(key), self._clock.monotonic()
        if kept is not None and kept.good(now):
            return kept.counted
        task = self._counting.get(key)
        if task is None:
            task = self._counting[key] = asyncio.create_task(self._count(key), name="count-states")
            task.add_done_callback(_heard)
        if kept is not None and kept.will_do(now):
            return kept.counted
        done, _ = await asyncio.wait({task}, timeout=max(within, 0.0))
        if not done:
            raise EngineAway("the objects of this list are still being counted; repeat it")
        return task.result()

    async def _count(self, key: _Key) -> StateCount:
        began = self._clock.monotonic()
        try:
            count = await self._store.count_states(*key)
        finally:
            del self._counting[key]
        now = self._clock.monotonic()
        self._kept[key] = _Kept(count, now, now - began)
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return count

    async def close(self) -> None:
        """What is being counted is given up."""
        tasks = list(self._counting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _heard(task: asyncio.Task[StateCount]) -> None:
    """Nobody may wait for it any more; whoever did was told what it raised."""
    if not task.cancelled():
        task.exception()
