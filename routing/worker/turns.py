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
from routing.rates import Rates
from routing.worker.lane import Lane
from routing.worker.slot import Line, Slot
from routing.worker.widths import Widths

_CALLERS_SECONDS: Final = 0.5
_BESIDE_CALLERS: Final = 6


class Turns:
    """The lanes of one process. `may_begin` says whether a slot's partition is ours; `begin` serves a slot.

    `widths` say how many of a lane are begun at a time, `rates` how many in a second.
    `reading` says whether a replay window is being read: who has a caller waiting there waits for the reading. Then
    broadcasts are begun one in a turn. For a moment after each push with a caller they are fewer than else: such a push
    needs several turns of the event loop until it is answered, and each is as long as what was begun; but not so few
    that what is accepted beside it waits ever longer.
    """

    def __init__(
        self,
        settings: DeliverySettings,
        *,
        may_begin: Callable[[Slot], bool],
        begin: Callable[[Lane, Slot, Line], None],
        reading: Callable[[], bool],
        widths: Widths,
        rates: Rates,
    ) -> None:
        self.lanes: dict[str, Lane] = {}
        self._settings = settings
        self._may_begin = may_begin
        self._begin = begin
        self._reading = reading
        self._widths = widths
        self._rates = rates
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
        if lane.paced:
            return
        while (slot := self._next(lane, Line.URGENT)) is not None:
            self._callers_until = asyncio.get_running_loop().time() + _CALLERS_SECONDS
            self._count(lane, slot, Line.URGENT)
        waiting, begun = lane.ready[Line.BROADCASTS], lane.begun_now[Line.BROADCASTS]
        most = self._widths.at_once(lane.platform, Line.BROADCASTS)
        if waiting and not lane.in_line and not lane.rests and begun < most:
            lane.in_line = True
            self._line.append(lane)
            self._come()

    def _next(self, lane: Lane, line: Line) -> Slot | None:
        """The slot that may be begun now; None also where the platform's rate has it wait."""
        most = self._widths.at_once(lane.platform, line)
        while lane.ready[line] and lane.begun_now[line] < most and not lane.paced:
            if wait := self._rates.take(lane.platform):
                lane.paced = True
                asyncio.get_running_loop().call_later(wait, self._paced, lane)
                return None
            slot = lane.next(line, most)
            if slot is not None and self._may_begin(slot):
                return slot
            self._rates.give_back(lane.platform)
        return None

    def rest(self, lane: Lane, seconds: float) -> None:
        """The platform asked for a pause: none of its broadcasts is begun meanwhile."""
        lane.rests += 1
        asyncio.get_running_loop().call_later(seconds, self._rested, lane)

    def _rested(self, lane: Lane) -> None:
        lane.rests -= 1
        self.pump(lane)

    def _paced(self, lane: Lane) -> None:
        lane.paced = False
        self.pump(lane)

    def _come(self) -> None:
        if not self._coming:
            self._coming = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._coming = False
        for _ in range(self._in_a_turn()):
            if not self._line:
                break
            lane = self._line.popleft()
            lane.in_line = False
            if not lane.rests and (slot := self._next(lane, Line.BROADCASTS)) is not None:
                self._count(lane, slot, Line.BROADCASTS)
            self.pump(lane)
        if self._line:
            self._come()

    def _in_a_turn(self) -> int:
        most = self._settings.begun_a_turn
        if self._reading():
            return 1
        return min(_BESIDE_CALLERS, most) if asyncio.get_running_loop().time() < self._callers_until else most

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
