"""Resync marks of the partitions that this worker owns: what a platform did not get begins here."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from routing.clock import Clock
from routing.log.port import Position, TopicPartition
from routing.store.port import Conflict, Mark, Store
from routing.worker.patience import until_there


class Marks:
    """Setting a mark is durable before it returns, so that what it covers may count as settled."""

    def __init__(self, store: Store, clock: Clock, *, trouble: Callable[[str], None]) -> None:
        self._store = store
        self._clock = clock
        self._trouble = trouble
        self._marks: dict[tuple[str, TopicPartition], Mark] = {}
        self._setting = asyncio.Lock()

    def get(self, platform: str, tp: TopicPartition) -> Mark | None:
        return self._marks.get((platform, tp))

    def by_platform(self) -> list[tuple[str, int]]:
        """(platform id, how many of its partitions are marked)."""
        return list(Counter(platform for platform, _ in self._marks).items())

    async def load(self, tps: Iterable[TopicPartition]) -> None:
        """Read the marks of partitions that have become ours."""
        wanted = set(tps)
        for mark in await until_there(self._store.load_marks, trouble=self._trouble):
            if mark.tp in wanted:
                self._marks[(mark.platform, mark.tp)] = mark

    def forget(self, tps: Iterable[TopicPartition]) -> None:
        gone = set(tps)
        self._marks = {key: mark for key, mark in self._marks.items() if key[1] not in gone}

    async def cover(self, platform: str, tp: TopicPartition, position: Position, reason: str) -> Mark:
        """The mark of this platform and partition reaches down to `position` when this returns."""
        async with self._setting:
            while True:
                known = self._marks.get((platform, tp))
                if known is not None and known.position <= position:
                    return known
                wanted = (
                    Mark(platform, tp, position, self._clock.utc(), reason)
                    if known is None
                    else replace(known, position=position)
                )
                try:
                    saved = await until_there(partial(self._store.save_mark, wanted), trouble=self._trouble)
                except Conflict:
                    await self.load((tp,))
                    continue
                self._marks[(platform, tp)] = saved
                return saved
