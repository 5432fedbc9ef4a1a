"""Resync: the marks of this worker's partitions are worked off, platform by platform, whenever one can be reached.

How far it came stands in the mark, so that whoever owns the partition next goes on there. What an operator asked for
one party goes beside what its platform missed, so that neither waits for the other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Final

from connectors.values import PartyId
from routing import asked
from routing.log.port import TopicPartition
from routing.policy import Outcome
from routing.store.port import MarkKey, StoreAway
from routing.worker.resync_topic import Around, Ended, TopicResync, module_of

_LOOK_EVERY: Final = 0.5
_REFRESH_EVERY: Final = 10
"""So many looks until the store is asked for marks that others made."""


_Whom = tuple[str, PartyId | None]
"""A platform, or one party of it that is sent everything again."""


@dataclass(slots=True)
class _Course:
    """How it goes with one of them: `again` is when to try it again, after it `failed` so many times."""

    again: float = 0.0
    failed: int = 0
    there: bool = True
    returned: int = 0


class Resync:
    """One instance a worker."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._courses: dict[_Whom, _Course] = {}
        self._running: dict[_Whom, asyncio.Task[None]] = {}

    @property
    def running(self) -> int:
        """How many platforms are being brought up to date."""
        return len(self._running)

    async def run(self) -> None:
        """Look for what can be worked off, again and again, until cancelled."""
        looks = 0
        try:
            while True:
                await asyncio.sleep(_LOOK_EVERY)
                looks += 1
                if looks % _REFRESH_EVERY == 0:
                    await self._refresh()
                self._look()
        finally:
            self.kill()

    def kill(self) -> None:
        """End what is under way."""
        for task in self._running.values():
            task.cancel()

    async def _refresh(self) -> None:
        mine = [owned for owned in self._around.owned.values() if owned.marked and self._around.may(owned.tp)]
        if mine and not self._around.reach.away:
            try:
                await self._around.marks.refresh([owned.tp for owned in mine])
            except StoreAway as error:
                self._around.reach.missed(error)

    def _look(self) -> None:
        marked = {(key.platform, key.party) for key in self._around.marks.all()}
        for whom in self._courses.keys() - marked:
            del self._courses[whom]
        if self._around.reach.away:
            return
        for whom in sorted(marked - self._running.keys(), key=str):
            self._begin(whom, self._courses.setdefault(whom, _Course()))

    def _begin(self, whom: _Whom, course: _Course) -> None:
        resolver = self._around.resolver
        reachable, wanted = resolver.reachable(whom[0]), resolver.may_have(*whom)
        returned = resolver.returned(whom[0])
        if reachable and (not course.there or returned != course.returned):
            course.again, course.failed = 0.0, 0  # it is back
        course.there, course.returned = reachable, returned
        due = self._around.clock.monotonic() >= course.again
        if due and (reachable or not wanted) and self._mine(whom):
            work = self._work_off(whom, course) if wanted else self._give_up(whom)
            task = asyncio.get_running_loop().create_task(work, name=f"resync {whom[0]}")
            self._running[whom] = task
            task.add_done_callback(lambda task: self._ended(whom, course, task))

    def _ended(self, whom: _Whom, course: _Course, task: asyncio.Task[None]) -> None:
        self._running.pop(whom, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._around.observer.trouble(
                f"a defect of the resync of {whom[0]}: {type(error).__name__}: {error}; it goes on"
            )
            self._rest(course)

    def _mine(self, whom: _Whom) -> list[MarkKey]:
        marks, around = self._around.marks, self._around
        return [key for key in marks.all() if (key.platform, key.party) == whom and around.may(key.tp)]

    def _rest(self, course: _Course) -> None:
        settings = self._around.settings
        pause = min(settings.resync_pause * 2 ** min(course.failed, 16), settings.resync_pause_most)
        course.failed += 1
        course.again = self._around.clock.monotonic() + pause

    async def _give_up(self, whom: _Whom) -> None:
        """Nobody is to get what these cover."""
        marks, reach = self._around.marks, self._around.reach
        for key in self._mine(whom):
            try:
                mark = marks.get(key)
                if mark is not None and mark.party is not None:
                    await reach.once(partial(asked.ended, reach.store, mark, mark.sent, skipped=True))
                if await marks.drop(key):
                    self._around.observer.resynced(module_of(key.tp), Outcome.SKIPPED)
            except StoreAway as error:
                reach.missed(error)
                return

    async def _work_off(self, whom: _Whom, course: _Course) -> None:
        topics: dict[str, list[TopicPartition]] = {}
        for key in self._mine(whom):
            topics.setdefault(key.tp.topic, []).append(key.tp)
        platform, party = whom
        whole = True
        try:
            for tps in topics.values():
                whole = await TopicResync(self._around, platform, tps, party).work_off() and whole
        except Ended:
            whole = False
        except StoreAway as error:
            self._around.reach.missed(error)
            whole = False
        if whole:
            course.failed = 0
        else:
            self._rest(course)
