"""Leaving a partition in order, within a bound: end or cut off what was begun, write what may be written, commit.

Whatever is not done in time is the next owner's: a commit never passes what is not settled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from routing.store.port import StoreAway
from routing.worker.delivery import Delivery
from routing.worker.owned import Owned
from routing.worker.ports import Observer
from routing.worker.reach import Reach
from routing.worker.settling import Settling
from routing.worker.slot import Directed
from routing.worker.states import States

STEP: Final = 0.5
"""Seconds that each step after the settle time may take: cutting off, writing states, writing outcomes, committing."""


_LOOK_EVERY: Final = 0.25


class Leaving:
    """`until` says how long what was begun has to end, of a partition whose leaving began at a moment (loop's time).

    Where `holds` says that it may be another's already it is cut off at once.
    """

    def __init__(
        self,
        *,
        delivery: Delivery,
        states: States,
        settling: Settling,
        reach: Reach,
        observer: Observer,
        until: Callable[[float], float],
        holds: Callable[[], bool],
    ) -> None:
        self._delivery = delivery
        self._states = states
        self._settling = settling
        self._reach = reach
        self._observer = observer
        self._until = until
        self._holds = holds

    async def settle(self, going: Sequence[Owned]) -> None:
        """Answer what no owner may attempt any more, and commit what is settled as clean."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._ended(going, began)
        until = self._until(began)
        self._answer_overtaken(going)
        if not self._reach.away:
            await self._bounded(self._states.flush, max(until, loop.time() + STEP))
        await self._bounded(self._settling.outcomes.flush, max(until, loop.time() + STEP))
        commits = {owned.tp: owned.clean() for owned in going if owned.replay is None}
        await self._bounded(lambda: self._settling.commit(commits), max(until, loop.time() + STEP))

    async def _bounded(self, call: Callable[[], Awaitable[None]], until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                await call()
        except (TimeoutError, StoreAway) as error:
            reason = f": {error}" if str(error) else ""
            self._observer.trouble(
                f"not all was written before a partition was given up{reason}; the next owner does it"
            )

    async def _ended(self, going: Sequence[Owned], began: float) -> None:
        """What is in flight of these ends, or is cut off when its time is up."""
        loop = asyncio.get_running_loop()
        while tasks := _requests(going) or ([] if self._reach.away else _storing(going)):
            left = self._until(began) - loop.time()
            if left <= 0 or not self._holds():
                break
            await asyncio.wait(tasks, timeout=min(left, _LOOK_EVERY))
        for task in [*_requests(going), *_storing(going)]:
            task.cancel()
        if tasks := [*_requests(going), *_storing(going)]:
            await asyncio.wait(tasks, timeout=STEP)

    def _answer_overtaken(self, going: Sequence[Owned]) -> None:
        """A directed push that waits, but stands before one that was begun: no owner may attempt it any more."""
        tps = {owned.tp: owned for owned in going}
        for lane in self._delivery.lanes.values():
            for slot in list(lane.slots.values()):
                owned = tps.get(slot.tp)
                if owned is None:
                    continue
                for item in [item for item in slot.queue if isinstance(item, Directed)]:
                    if item.entry.position <= owned.begun:
                        slot.queue.remove(item)
                        self._delivery.give_up(item, owned, "the hub was restarted before its turn came")


def _requests(going: Sequence[Owned]) -> list[asyncio.Task[object]]:
    return [task for owned in going for task in owned.in_flight]


def _storing(going: Sequence[Owned]) -> list[asyncio.Task[object]]:
    return [task for owned in going for task in owned.storing]
