"""Marking: what waits of a platform and partition becomes its resync mark, and then counts as settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from connectors.values import PartyId
from routing.log.port import TopicPartition
from routing.policy import Outcome
from routing.worker.lane import Lane
from routing.worker.marks import Marks
from routing.worker.slot import Slot, Wave
from routing.worker.tracker import Entry

Ended = Callable[[Entry, PartyId, Outcome, str, float], None]
"""Reports how an event ended for a recipient: outcome, detail, milliseconds."""


class Marking:
    """Takes waves out of their slots and covers them by a mark."""

    def __init__(self, marks: Marks, ended: Ended) -> None:
        self._marks = marks
        self._ended = ended

    async def mark(self, lane: Lane, tp: TopicPartition, waves: list[tuple[Slot, Wave]], why: str) -> None:
        """Mark `waves`, which were taken already, and all else that waits in this lane of this partition."""
        for slot in lane.of(tp):
            for wave in slot.waiting():
                if slot.busy and slot.queue[0] is wave:
                    continue
                slot.queue.remove(wave)
                lane.waiting -= 1
                waves.append((slot, wave))
            if not slot.queue and not slot.busy and not slot.resting:
                lane.drop(slot)
        await self.cover(lane, tp, waves, why)

    async def cover(self, lane: Lane, tp: TopicPartition, waves: Iterable[tuple[Slot, Wave]], why: str) -> None:
        """Make the mark durable, then count what it covers as settled."""
        waves = list(waves)
        lowest = min((entry.position for _, wave in waves for entry in wave.entries), default=None)
        if lowest is None:
            return
        await self._marks.cover(lane.platform, tp, lowest, why)
        for slot, wave in waves:
            for entry in wave.entries:
                self._ended(entry, slot.key.recipient, Outcome.MARKED, why, 0.0)
