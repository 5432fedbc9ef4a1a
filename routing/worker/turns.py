"""Turns: which slot of which lane is begun next.

A push with a caller is begun at once, within the bound of its lane. Broadcasts take turns, lane by lane, a few in each
turn of the event loop: who has a caller waiting gets the rest of its time. This shares the process, not slots: a
recipient that hangs has its own slots full and takes no turn (P3).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from routing.policy import DeliverySettings
from routing.worker.lane import Lane
from routing.worker.slot import Line, Slot

_CALLERS_SECONDS: Final = 0.5


class Turns:
    """The lanes of one process. `may_begin` says whether a slot's partition is ours; `begin` serves a slot.

    `reading` says whether a replay window is being read: who has a caller waiting there waits for the reading. Then,
    and for a moment after each push with a caller, broadcasts are begun one in a turn: such a push needs several turns
    of the event loop until it is answered, and each is as long as what was begun.
    """

    def __init__(
        self,
        settings: DeliverySettings,
        *,
        may_begin: Callable[[Slot], bool],
        begin: Callable[[Lane, Slot, Line], None],
        reading: Callable[[], bool],
    ) -> None:
        self.lanes: dict[str, Lane] = {}
        self._settings = settings
        self._may_begin = may_begin
        self._begin = begin
        self._reading = reading
        self._line: deque[Lane] = deque()
        self._coming = False
        self._callers_until = 0.0

    def lane(self, platform: str) -> Lane:
        """The lane towards a platform, made at the first need."""
        lane = self.lanes.get(platform)
        if lane is None:
            lane = self.lanes[platform] = Lane(platform)
        return lane

    def wake(self, lane: Lane, slot: Slot) -> None:
        """Something of this slot changed: let it stand in line, or forget it when it holds nothing."""
        if not self._may_begin(slot):
            return
        if not slot.queue:
            if not slot.busy:
                lane.drop(slot)
            return
        lane.enqueue(slot)
        self.pump(lane)

    def pump(self, lane: Lane) -> None:
        """Begin what may be begun in this lane, broadcasts when its turn comes."""
        while (slot := lane.next(Line.URGENT, self._settings.directed_at_once)) is not None:
            if self._may_begin(slot):
                self._callers_until = asyncio.get_running_loop().time() + _CALLERS_SECONDS
                self._count(lane, slot, Line.URGENT)
        waiting, begun = lane.ready[Line.BROADCASTS], lane.begun_now[Line.BROADCASTS]
        if waiting and not lane.in_line and begun < self._settings.broadcasts_at_once:
            lane.in_line = True
            self._line.append(lane)
            self._come()

    def _come(self) -> None:
        if not self._coming:
            self._coming = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._coming = False
        waited_for = self._reading() or asyncio.get_running_loop().time() < self._callers_until
        for _ in range(1 if waited_for else self._settings.begun_a_turn):
            if not self._line:
                break
            lane = self._line.popleft()
            lane.in_line = False
            slot = lane.next(Line.BROADCASTS, self._settings.broadcasts_at_once)
            if slot is not None and self._may_begin(slot):
                self._count(lane, slot, Line.BROADCASTS)
            self.pump(lane)
        if self._line:
            self._come()

    def _count(self, lane: Lane, slot: Slot, line: Line) -> None:
        lane.begun_now[line] += 1
        self._begin(lane, slot, line)

    def ended(self, lane: Lane, slot: Slot, line: Line) -> None:
        """What was begun of this slot, from this line, has ended."""
        lane.begun_now[line] -= 1
        self.wake(lane, slot)
        self.pump(lane)

    def slowest(self) -> Lane | None:
        """The lane that holds most of what waits."""
        lane = max(self.lanes.values(), key=lambda lane: lane.waiting, default=None)
        return lane if lane is not None and lane.waiting > 0 else None
