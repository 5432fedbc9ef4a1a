"""Resync marks of the partitions that this worker owns: what a platform did not get begins here."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from routing.clock import Clock
from routing.log.port import Position, TopicPartition
from routing.store.port import Conflict, Mark, StoreAway
from routing.worker.reach import AGAIN_AFTER, Reach

_Key = tuple[str, TopicPartition]


class Marks:
    """Setting a mark is durable before it returns, so that what it covers may count as settled."""

    def __init__(self, reach: Reach, clock: Clock) -> None:
        self._reach = reach
        self._clock = clock
        self._marks: dict[_Key, Mark] = {}
        self._coming: dict[_Key, list[Position]] = {}
        self._setting = asyncio.Lock()

    def reaches(self, platform: str, tp: TopicPartition) -> Position | None:
        """From where on this platform may lack something of the partition, marks included that are not durable yet."""
        key = (platform, tp)
        mark, coming = self._marks.get(key), self._coming.get(key)
        if coming is None:
            return None if mark is None else mark.lowest
        return min(coming) if mark is None else min(*coming, mark.lowest)

    def by_platform(self) -> list[tuple[str, int]]:
        """(platform id, how many of its partitions are marked)."""
        return list(Counter(platform for platform, _ in self._marks).items())

    def of(self, platform: str) -> list[Mark]:
        """The marks of this platform that are durable."""
        return [mark for (marked, _), mark in self._marks.items() if marked == platform]

    def worked_off(self, tp: TopicPartition) -> list[str]:
        """The platforms whose marks in this partition are being worked off."""
        return [platform for (platform, there), mark in self._marks.items() if there == tp and mark.upper is not None]

    def get(self, platform: str, tp: TopicPartition) -> Mark | None:
        return self._marks.get((platform, tp))

    async def _load(self, tps: Iterable[TopicPartition]) -> None:
        """Read the marks of these partitions as they are now. Raises StoreAway."""
        wanted = set(tps)
        for mark in await self._reach.once(self._reach.store.load_marks):
            if mark.tp in wanted:
                self._marks[(mark.platform, mark.tp)] = mark

    async def claim(self, tps: Iterable[TopicPartition]) -> None:
        """The marks of partitions that have become ours: what their former owner still does to them comes too late,
        so that what they say they cover stays covered. Raises StoreAway."""
        wanted = frozenset(tps)
        async with self._setting:
            claimed = await self._reach.once(lambda: self._reach.store.claim_marks(wanted))
            # what was read before they were lost the last time may have come in after that: it is not so any more
            self._marks = {key: mark for key, mark in self._marks.items() if key[1] not in wanted}
            for mark in claimed:
                self._marks[(mark.platform, mark.tp)] = mark

    async def refresh(self, tps: Iterable[TopicPartition]) -> None:
        """Learn of marks that others made: an operator, or a former owner whose write landed late. Raises StoreAway."""
        wanted = set(tps)
        async with self._setting:
            for mark in await self._reach.once(self._reach.store.load_marks):
                known = self._marks.get((mark.platform, mark.tp))
                if mark.tp in wanted and (known is None or known.revision < mark.revision):
                    self._marks[(mark.platform, mark.tp)] = mark

    def forget(self, tps: Iterable[TopicPartition]) -> None:
        gone = set(tps)
        self._marks = {key: mark for key, mark in self._marks.items() if key[1] not in gone}
        self._coming = {key: coming for key, coming in self._coming.items() if key[1] not in gone}

    def expect(self, platform: str, tp: TopicPartition, position: Position) -> None:
        """A mark is on its way to the store: `reaches` knows of it until `met`."""
        self._coming.setdefault((platform, tp), []).append(position)

    def met(self, platform: str, tp: TopicPartition, position: Position) -> None:
        coming = self._coming.get((platform, tp), [])
        if position in coming:
            coming.remove(position)
        if not coming:
            self._coming.pop((platform, tp), None)

    async def cover(self, platform: str, tp: TopicPartition, position: Position, reason: str) -> None:
        """The mark of this platform and partition reaches down to `position` when this returns. Raises StoreAway."""
        async with self._setting:
            while True:
                known = self._marks.get((platform, tp))
                if known is None:
                    wanted = Mark(platform, tp, position, self._clock.utc(), reason)
                elif known.upper is not None:  # it is being worked off: what comes is kept beside it
                    if known.beside is not None and known.beside <= position:
                        return
                    wanted = replace(known, beside=position)
                elif known.position <= position:
                    return
                else:
                    wanted = replace(known, position=position)
                try:
                    saved = await self._reach.once(partial(self._reach.store.save_mark, wanted))
                except Conflict:
                    self._marks.pop((platform, tp), None)
                    await self._load((tp,))
                    continue
                self._marks[(platform, tp)] = saved
                return

    async def cover_in_time(self, platform: str, tp: TopicPartition, position: Position, reason: str) -> None:
        """The same, however long the store is away."""
        while True:
            try:
                return await self.cover(platform, tp, position, reason)
            except StoreAway as error:
                self._reach.missed(error)
                await asyncio.sleep(AGAIN_AFTER)

    # --- working them off --------------------------------------------------------------------------------------------
    # Each is conditional on the record's revision: False where somebody else has changed it, and then it is read anew.

    async def begin(self, platform: str, tp: TopicPartition, upper: Position) -> bool:
        """From here on it is worked off, downwards from `upper`, or from where that came before. Raises StoreAway."""
        return await self._change(platform, tp, lambda mark: mark if mark.upper else replace(mark, upper=upper))

    async def progress(self, platform: str, tp: TopicPartition, done: Position) -> bool:
        """Nothing from `done` on is lacking any more, but what is kept beside. Raises StoreAway."""
        return await self._change(platform, tp, lambda mark: replace(mark, done=done))

    async def left(self, platform: str, tp: TopicPartition, position: Position) -> bool:
        """A state of this position was not taken: it is tried again when all others were. Raises StoreAway."""
        return await self._change(
            platform, tp, lambda mark: replace(mark, beside=min(position, mark.beside or position))
        )

    async def finish(self, platform: str, tp: TopicPartition) -> bool:
        """It was worked off: what was kept beside is the mark now, or there is none. Raises StoreAway."""

        def finished(mark: Mark) -> Mark | None:
            if mark.beside is None:
                return None
            return replace(mark, position=mark.beside, since=self._clock.utc(), upper=None, done=None, beside=None)

        return await self._change(platform, tp, finished)

    async def drop(self, platform: str, tp: TopicPartition) -> bool:
        """Nobody waits for what it covers any more. Raises StoreAway."""
        return await self._change(platform, tp, lambda mark: None)

    async def _change(self, platform: str, tp: TopicPartition, change: Callable[[Mark], Mark | None]) -> bool:
        key = (platform, tp)
        async with self._setting:
            known = self._marks.get(key)
            if known is None:
                return False
            wanted = change(known)
            if wanted is known:
                return True
            try:
                if wanted is None:
                    await self._reach.once(partial(self._reach.store.remove_mark, known))
                    if self._marks.get(key) is known:
                        del self._marks[key]
                else:
                    saved = await self._reach.once(partial(self._reach.store.save_mark, wanted))
                    if self._marks.get(key) is known:
                        self._marks[key] = saved
            except Conflict:
                self._marks.pop(key, None)
                await self._load((tp,))
                return False
            except StoreAway:
                if wanted is not None and known.upper is None and self._marks.get(key) is known:
                    # it may have landed: what is marked from here on must not count as below `upper`
                    self._marks[key] = wanted
                raise
            return True
