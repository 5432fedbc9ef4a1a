"""A gap: records of a partition went before they were settled, so nobody knows who lacks what.

Every platform is marked for resync of that partition, from where the gap begins. Until that is durable nothing of
the partition is committed.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from routing.log.port import Position, Record
from routing.worker.marks import Marks
from routing.worker.owned import Owned
from routing.worker.ports import Observer, Resolver
from routing.worker.settling import Settling
from routing.worker.tracker import Entry

_WHY = "records were lost to the log's retention before they were settled"


class Gaps:
    """One instance a worker."""

    def __init__(self, *, marks: Marks, resolver: Resolver, settling: Settling, observer: Observer) -> None:
        self._marks = marks
        self._resolver = resolver
        self._settling = settling
        self._observer = observer

    def found(self, owned: Owned, start: Position) -> Coroutine[Any, Any, None]:
        """Hold the partition at `start`, and say so; what is returned covers the gap, however long that takes."""
        tp = owned.tp
        entry = Entry(Record(tp.topic, tp.partition, start, 0, b"", (), b""), None, 0.0)
        owned.tracker.hold(entry)
        platforms = self._resolver.platforms()
        for platform in platforms:
            self._marks.expect(platform, tp, start)
        self._observer.trouble(
            f"ALARM: records of {tp.topic}/{tp.partition} from {start.offset} on are gone, though nobody settled them: "
            f"retention passed them. All {len(platforms)} platforms are marked for resync of this partition"
        )

        async def covering() -> None:
            for platform in platforms:
                try:
                    await self._marks.cover_in_time(platform, tp, start, _WHY)
                finally:
                    self._marks.met(platform, tp, start)
            owned.tracker.settle(entry)
            self._settling.moved(tp)

        return covering()
