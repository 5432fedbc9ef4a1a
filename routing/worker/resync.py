"""Resync: the marks of this worker's partitions are worked off, platform by platform, whenever one can be reached.

How far it came stands in the mark, so that whoever owns the partition next goes on there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from routing.log.port import TopicPartition
from routing.policy import Outcome
from routing.store.port import StoreAway
from routing.worker.resync_topic import Around, Ended, TopicResync, module_of

_LOOK_EVERY: Final = 0.5
_REFRESH_EVERY: Final = 10
"""So many looks until the store is asked for marks that others made."""


@dataclass(slots=True)
class _Course:
    """How it goes with one platform: `again` is when to try it again, after it `failed` so many times."""

    again: float = 0.0
    failed: int = 0
    there: bool = True


class Resync:
    """One instance a worker."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._courses: dict[str, _Course] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

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
        marked = {platform for platform, _ in self._around.marks.by_platform()}
        for platform in self._courses.keys() - marked:
            del self._courses[platform]
        if self._around.reach.away:
            return
        for platform in sorted(marked - self._running.keys()):
            self._begin(platform, self._courses.setdefault(platform, _Course()))

    def _begin(self, platform: str, course: _Course) -> None:
        resolver = self._around.resolver
        reachable, wanted = resolver.reachable(platform), resolver.may_have(platform)
        if reachable and not course.there:
            course.again, course.failed = 0.0, 0  # it is back
        course.there = reachable
        due = self._around.clock.monotonic() >= course.again
        if due and (reachable or not wanted) and self._mine(platform):
            work = self._work_off(platform, course) if wanted else self._give_up(platform)
            task = asyncio.get_running_loop().create_task(work, name=f"resync {platform}")
            self._running[platform] = task
            task.add_done_callback(lambda task: self._ended(platform, course, task))

    def _ended(self, platform: str, course: _Course, task: asyncio.Task[None]) -> None:
        self._running.pop(platform, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._around.observer.trouble(
                f"a defect of the resync of {platform}: {type(error).__name__}: {error}; it goes on"
            )
            self._rest(course)

    def _mine(self, platform: str) -> list[TopicPartition]:
        return [mark.tp for mark in self._around.marks.of(platform) if self._around.may(mark.tp)]

    def _rest(self, course: _Course) -> None:
        settings = self._around.settings
        pause = min(settings.resync_pause * 2 ** min(course.failed, 16), settings.resync_pause_most)
        course.failed += 1
        course.again = self._around.clock.monotonic() + pause

    async def _give_up(self, platform: str) -> None:
        """Nobody is to get what these cover."""
        for tp in self._mine(platform):
            try:
                if await self._around.marks.drop(platform, tp):
                    self._around.observer.resynced(module_of(tp), Outcome.SKIPPED)
            except StoreAway as error:
                self._around.reach.missed(error)
                return

    async def _work_off(self, platform: str, course: _Course) -> None:
        topics: dict[str, list[TopicPartition]] = {}
        for tp in self._mine(platform):
            topics.setdefault(tp.topic, []).append(tp)
        whole = True
        try:
            for tps in topics.values():
                whole = await TopicResync(self._around, platform, tps).work_off() and whole
        except Ended:
            whole = False
        except StoreAway as error:
            self._around.reach.missed(error)
            whole = False
        if whole:
            course.failed = 0
        else:
            self._rest(course)
