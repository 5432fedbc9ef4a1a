"""The store of a simulated process: slow, away for a while, or hanging; a call that was given up may land yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial, wraps
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
        self.loop = loop
        self._random = random

    def go_away(self, seconds: float) -> None:
        """An outage from now on; how soon it is noticed is chance, and so is how it looks."""
        now, random = self.loop.now, self._random
        noticed = now + random.choice((0.0, 0.0, 0.5, 3.0))
        cleared = max(now + seconds + random.choice((0.0, 0.5)), noticed)
        self.outage = Outage(now, now + seconds, random.random() < 0.3, noticed, cleared)

    def come_back(self) -> None:
        self.outage = Outage()

    @property
    def away(self) -> bool:
        return self.outage.start <= self.loop.now < self.outage.end

    def trouble(self) -> str | None:
        return "away in this simulation" if self.outage.noticed <= self.loop.now < self.outage.cleared else None

    # --- Hooks -------------------------------------------------------------------------------------------------------

    async def before(self, call: str) -> None:
        if call in _IDLE:
            if self.away:
                raise StoreAway("away in this simulation")
            return
        await self.loop.pause(self._random.choice((0.0, 0.001, 0.01)))
        if self.away:
            await self._there()

    async def after(self, call: str) -> None:
        if call in _IDLE:
            return
        await self.loop.pause(self._random.choice((0.0, 0.001)))
        if self.away:
            await self._there()

    async def _there(self) -> None:
        outage = self.outage
        if outage.hangs:
            await self.loop.pause(outage.end - self.loop.now + self._random.random())
            if self._random.random() < 0.5:
                return  # it lands after all, whoever waits for it still
        raise StoreAway("away in this simulation")


class SimulatedStore(MemoryStore):
    """One process' handle. Its calls are on their way once begun: giving up the wait stops none of them."""

    def __init__(self, storing: Storing) -> None:
        super().__init__(storing.data, hooks=storing)
        self._storing = storing
        self.loop = storing.loop

    def trouble(self) -> str | None:
        return self._storing.trouble()


def _under_way(call: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Awaitable[Any]]:
    """The same call as a task of its own; whoever gives up waits for it no longer."""

    @wraps(call)
    def called(self: SimulatedStore, *args: Any, **more: Any) -> Awaitable[Any]:
        loop = self.loop
        answer = loop.create_future()
        loop.create_task(call(self, *args, **more)).add_done_callback(partial(_answered, answer))
        return answer

    return called


def _answered(answer: asyncio.Future[Any], task: asyncio.Task[Any]) -> None:
    if task.cancelled():
        answer.cancel()
    elif (error := task.exception()) is None:
        if not answer.done():
            answer.set_result(task.result())
    elif not answer.done():
        answer.set_exception(error)


for _call in (
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
):
    setattr(SimulatedStore, _call, _under_way(getattr(MemoryStore, _call)))
