"""The store of a simulated process: slow, away for a while, or hanging; a call that was given up may land yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from random import Random
from typing import Any

from routing.store.memory import MemoryData, MemoryStore
from routing.store.port import StoreAway
from tests.sim.loop import VirtualLoop


@dataclass(slots=True)
class Outage:
    """From `start` to `end` calls fail, or `hangs` and they wait for its end. `trouble` says so from `noticed` on,
    until `cleared`. Seconds of virtual time."""

    start: float = 0.0
    end: float = 0.0
    hangs: bool = False
    noticed: float = 0.0
    cleared: float = 0.0


_IDLE = ("count_custody",)
"""What is asked on and on though nothing waits for it: it takes no time, and no chance from what matters."""


class Storing:
    """What all stores of a run share: the data that outlives processes, and the outage of the moment."""

    def __init__(self, loop: VirtualLoop, random: Random) -> None:
        self.data = MemoryData()
        self.outage = Outage()
        self._loop = loop
        self._random = random

    def go_away(self, seconds: float) -> None:
        """An outage from now on; how soon it is noticed is chance, and so is how it looks."""
        now, random = self._loop.now, self._random
        noticed = now + random.choice((0.0, 0.0, 0.5, 3.0))
        cleared = max(now + seconds + random.choice((0.0, 0.5)), noticed)
        self.outage = Outage(now, now + seconds, random.random() < 0.3, noticed, cleared)

    def come_back(self) -> None:
        self.outage = Outage()

    @property
    def away(self) -> bool:
        return self.outage.start <= self._loop.now < self.outage.end

    def trouble(self) -> str | None:
        return "away in this simulation" if self.outage.noticed <= self._loop.now < self.outage.cleared else None

    # --- Hooks -------------------------------------------------------------------------------------------------------

    async def before(self, call: str) -> None:
        if call in _IDLE:
            if self.away:
                raise StoreAway("away in this simulation")
            return
        await asyncio.sleep(self._random.choice((0.0, 0.001, 0.01)))
        await self._there()

    async def after(self, call: str) -> None:
        if call in _IDLE:
            return
        await asyncio.sleep(self._random.choice((0.0, 0.001)))
        await self._there()

    async def _there(self) -> None:
        outage = self.outage
        if self.away and outage.hangs:
            await asyncio.sleep(outage.end - self._loop.now + self._random.random())
            if self._random.random() < 0.5:
                return  # it lands after all, whoever waits for it still
        elif not self.away:
            return
        raise StoreAway("away in this simulation")


class SimulatedStore(MemoryStore):
    """One process' handle. Its calls are on their way once begun: giving up the wait stops none of them."""

    def __init__(self, storing: Storing) -> None:
        super().__init__(storing.data, hooks=storing)
        self._storing = storing

    def trouble(self) -> str | None:
        return self._storing.trouble()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return _under_way(found) if name in _CALLS else found


_CALLS = frozenset(
    (
        "load_platforms",
        "read_states",
        "write_states",
        "read_cdr",
        "write_cdr",
        "step_cdr",
        "list_custody",
        "load_marks",
        "claim_marks",
        "save_mark",
        "remove_mark",
        "list_changed",
        "set_aside",
    )
)


def _under_way(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(call)
    async def called(*args: Any, **more: Any) -> Any:
        task = asyncio.ensure_future(call(*args, **more))
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(task)

    return called
