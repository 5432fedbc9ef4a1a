"""Resync marks of the partitions that this worker owns: what a platform did not get begins here."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
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
            return None if mark is None else mark.position
        return min(coming) if mark is None else min(*coming, mark.position)

    def by_platform(self) -> list[tuple[str, int]]:
        """(platform id, how many of its partitions are marked)."""
        return list(Counter(platform for platform, _ in self._marks).items())

    async def load(self, tps: Iterable[TopicPartition]) -> None:
        """Read the marks of partitions that have become ours. Raises StoreAway."""
        wanted = set(tps)
        for mark in await self._reach.once(self._reach.store.load_marks):
            if mark.tp in wanted:
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
                if known is not None and known.position <= position:
                    return
                wanted = (
                    Mark(platform, tp, position, self._clock.utc(), reason)
                    if known is None
                    else replace(known, position=position)
                )
                try:
                    saved = await self._reach.once(partial(self._reach.store.save_mark, wanted))
                except Conflict:
                    self._marks.pop((platform, tp), None)
                    await self.load((tp,))
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
