"""Marking: what waits of a platform and partition becomes its resync mark, and then counts as settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from connectors.values import PartyId
from routing.log.port import Position, TopicPartition
from routing.policy import Outcome
from routing.worker.lane import Lane
from routing.worker.marks import Marks
from routing.worker.slot import Slot, Wave
from routing.worker.tracker import Entry

Ended = Callable[[Entry, PartyId, Outcome, str, float], None]
"""Reports how an event ended for a recipient: outcome, detail, milliseconds."""

_ENDED_A_TURN: Final = 50

Taken = Sequence[tuple[Slot, Wave]]


class Marking:
    """Takes waves out of their slots and covers them by a mark."""

    def __init__(self, marks: Marks, ended: Ended) -> None:
        self._marks = marks
        self._ended = ended

    def mark(
        self, lane: Lane, tp: TopicPartition, waves: list[tuple[Slot, Wave]], why: str, *, alone: bool = False
    ) -> Coroutine[Any, Any, None] | None:
        """Take all that waits in this lane of this partition, beside `waves`, which were taken already; or these alone.

        From now on `Marks.reaches` knows of them. What is returned makes the mark durable and then ends them; it must
        be run, whatever happens to the caller. None where nothing waits.
        """
        for slot in () if alone else lane.of(tp):
            for wave in slot.waiting():
                if slot.busy and slot.queue[0] is wave:
                    continue
                slot.queue.remove(wave)
                lane.waiting -= 1
                waves.append((slot, wave))
            if not slot.queue and not slot.busy and not slot.resting:
                lane.drop(slot)
        lowest = lowest_of(waves)
        if lowest is None:
            return None
        self._marks.expect(lane.platform, tp, lowest)

        async def covered() -> None:
            try:
                await self._marks.cover_in_time(lane.platform, tp, lowest, why)
            finally:
                self._marks.met(lane.platform, tp, lowest)
            for number, (slot, wave) in enumerate(waves, 1):
                self.end([(slot, wave)], why)
                if number % _ENDED_A_TURN == 0:
                    await asyncio.sleep(0)  # a mark may cover thousands, and who has a caller waits for this turn

        return covered()

    def end(self, waves: Taken, why: str) -> None:
        """What a durable mark covers counts as settled."""
        for slot, wave in waves:
            for entry in wave.entries:
                self._ended(entry, slot.key.recipient, Outcome.MARKED, why, 0.0)


def lowest_of(waves: Taken) -> Position | None:
    """The lowest position that stands in these waves."""
    return min((entry.lowest for _, wave in waves for entry in wave.entries), default=None)
