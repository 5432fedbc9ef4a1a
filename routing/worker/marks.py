"""Resync marks of the partitions that this worker owns: what a platform did not get begins here."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from routing.clock import Clock
from routing.log.port import Position, TopicPartition
from routing.store.port import Conflict, Mark, MarkKey, StoreAway
from routing.worker.reach import AGAIN_AFTER, Reach

_Place = tuple[str, TopicPartition]


class Marks:
    """Setting a mark is durable before it returns, so that what it covers may count as settled."""

    def __init__(self, reach: Reach, clock: Clock) -> None:
        self._reach = reach
        self._clock = clock
        self._marks: dict[MarkKey, Mark] = {}
        self._places: dict[_Place, dict[MarkKey, Mark]] = {}
        self._coming: dict[_Place, list[Position]] = {}
        self._beginning: set[MarkKey] = set()
        self._setting = asyncio.Lock()

    def reaches(self, platform: str, tp: TopicPartition) -> Position | None:
        """From where on this platform may lack something of the partition, marks included that are not durable yet."""
        place = (platform, tp)
        marks, coming = self._places.get(place), self._coming.get(place)
        if marks is None:
            return None if coming is None else min(coming)
        lowest = min(mark.lowest for mark in marks.values())
        return lowest if coming is None else min(*coming, lowest)

    def by_platform(self) -> list[tuple[str, int]]:
        """(platform id, how many of its partitions are marked)."""
        return list(Counter(platform for platform, _ in self._places).items())

    def all(self) -> list[MarkKey]:
        """Of all marks that are durable."""
        return list(self._marks)

    def worked_off(self, tp: TopicPartition) -> list[MarkKey]:
        """The marks in this partition that are being worked off, or about to be: where that begins is said already."""
        return [
            key for key, mark in self._marks.items()
            if key.tp == tp and (mark.upper is not None or key in self._beginning)
        ]  # fmt: skip

    def get(self, key: MarkKey) -> Mark | None:
        return self._marks.get(key)

    async def _load(self, tps: Iterable[TopicPartition]) -> None:
        """Read the marks of these partitions as they are now. Raises StoreAway."""
        wanted = set(tps)
        for mark in await self._reach.once(self._reach.store.load_marks):
            if mark.tp in wanted:
                self._put(mark)

    async def claim(self, tps: Iterable[TopicPartition]) -> None:
        """The marks of partitions that have become ours: what their former owner still does to them comes too late,
        so that what they say they cover stays covered. Raises StoreAway."""
        wanted = frozenset(tps)
        async with self._setting:
            claimed = await self._reach.once(lambda: self._reach.store.claim_marks(wanted))
            # what was read before they were lost the last time may have come in after that: it is not so any more
            for key in [key for key in self._marks if key.tp in wanted]:
                self._drop(key)
            for mark in claimed:
                self._put(mark)

    async def refresh(self, tps: Iterable[TopicPartition]) -> None:
        """Learn of marks that others made: an operator, or a former owner whose write landed late. Raises StoreAway."""
        wanted = set(tps)
        async with self._setting:
            for mark in await self._reach.once(self._reach.store.load_marks):
                known = self._marks.get(mark.key)
                if mark.tp in wanted and (known is None or known.revision < mark.revision):
                    self._put(mark)

    def _put(self, mark: Mark) -> None:
        self._marks[mark.key] = mark
        self._places.setdefault((mark.platform, mark.tp), {})[mark.key] = mark

    def _drop(self, key: MarkKey) -> None:
        if self._marks.pop(key, None) is not None:
            place = (key.platform, key.tp)
            del self._places[place][key]
            if not self._places[place]:
                del self._places[place]

    def forget(self, tps: Iterable[TopicPartition]) -> None:
        gone = set(tps)
        for key in [key for key in self._marks if key.tp in gone]:
            self._drop(key)
        self._coming = {place: coming for place, coming in self._coming.items() if place[1] not in gone}

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
        key = MarkKey(platform, tp)
        async with self._setting:
            while True:
                known = self._marks.get(key)
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
                    self._drop(key)
                    await self._load((tp,))
                    continue
                self._put(saved)
                return

    async def cover_in_time(self, platform: str, tp: TopicPartition, position: Position, reason: str) -> None:
        """The same, however long the store is away."""
        while True:
            try:
                return await self.cover(platform, tp, position, reason)
            except StoreAway as error:
                self._reach.missed(error)
                await asyncio.sleep(AGAIN_AFTER)

    async def cover_beside(self, key: MarkKey, position: Position, reason: str) -> None:
        """The same of one that is being worked off, for what moved above where that began. Raises StoreAway."""
        while key.party is not None and (mark := self._marks.get(key)) is not None:
            if (mark.upper is None and key not in self._beginning) or await self.left(key, position):
                return
        await self.cover(key.platform, key.tp, position, reason)

    # --- working them off --------------------------------------------------------------------------------------------
    # Each is conditional on the record's revision: False where somebody else has changed it, and then it is read anew.
    # What has not begun neither goes on nor ends: it is another than the one that did, read when that was given up.

    async def begin(self, key: MarkKey, upper: Position) -> bool:
        """From here on it is worked off, downwards from `upper`, or from where that came before. Raises StoreAway."""
        self._beginning.add(key)
        try:
            return await self._change(key, lambda mark: mark if mark.upper else replace(mark, upper=upper))
        finally:
            self._beginning.discard(key)

    async def progress(self, key: MarkKey, done: Position, sent: int) -> bool:
        """Nothing from `done` on is lacking any more, but what is kept beside. Raises StoreAway.

        `sent` are the objects that were brought since this was told last.
        """
        return await self._change(key, lambda mark: replace(mark, done=done, sent=mark.sent + sent), begun=True)

    async def left(self, key: MarkKey, position: Position) -> bool:
        """A state of this position was not taken: it is tried again when all others were. Raises StoreAway."""
        return await self._change(key, lambda mark: replace(mark, beside=min(position, mark.beside or position)))

    async def finish(self, key: MarkKey, sent: int) -> bool:
        """It was worked off: what was kept beside is the mark now, or there is none. Raises StoreAway."""

        def finished(mark: Mark) -> Mark | None:
            if mark.beside is None:
                return None
            return replace(
                mark, position=mark.beside, since=self._clock.utc(), upper=None, done=None, beside=None,
                sent=mark.sent + sent, first=mark.began,
            )  # fmt: skip

        return await self._change(key, finished, begun=True)

    async def drop(self, key: MarkKey) -> bool:
        """Nobody waits for what it covers any more. Raises StoreAway."""
        return await self._change(key, lambda mark: None)

    async def _change(self, key: MarkKey, change: Callable[[Mark], Mark | None], *, begun: bool = False) -> bool:
        async with self._setting:
            known = self._marks.get(key)
            if known is None or (begun and known.upper is None):
                return False
            wanted = change(known)
            if wanted is known:
                return True
            try:
                if wanted is None:
                    await self._reach.once(partial(self._reach.store.remove_mark, known))
                    if self._marks.get(key) is known:
                        self._drop(key)
                else:
                    saved = await self._reach.once(partial(self._reach.store.save_mark, wanted))
                    if self._marks.get(key) is known:
                        self._put(saved)
            except Conflict:
                self._drop(key)
                await self._load((key.tp,))
                return False
            except StoreAway:
                if wanted is not None and known.upper is None and self._marks.get(key) is known:
                    # it may have landed: what is marked from here on must not count as below `upper`
                    self._put(wanted)
                raise
            return True
