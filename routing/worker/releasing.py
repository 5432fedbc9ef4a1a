"""Releasing: how what a replay window left comes to stand in line, once the window was read.

Who has a caller waiting goes at once. The rest waits while other windows are read: whoever has a caller behind those
waits for the reading, and each broadcast that is sent meanwhile makes it longer.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from routing.log.port import TopicPartition
from routing.worker.lane import Lane
from routing.worker.owned import Owned
from routing.worker.slot import Slot
from routing.worker.turns import Turns

A_TURN: Final = 200
"""Slots that come to stand in line in one turn of the event loop."""

STALLED: Final = 0.1
"""Seconds in which nothing of a window was read: what others left waits no longer for it."""


class Releasing:
    """The windows of one process that are being read, and those that were. `ours` says whether a partition still is.

    Nothing is held back for longer than `most` seconds, however long the reading of the others takes.
    """

    def __init__(self, *, turns: Turns, ours: Callable[[Owned], bool], most: float) -> None:
        self._turns = turns
        self._ours = ours
        self._most = most
        self._reading: set[TopicPartition] = set()
        self._held_until = -math.inf
        self._left: deque[tuple[Owned, Iterator[tuple[Lane, Slot]], float]] = deque()

    @property
    def reading(self) -> bool:
        """Whether a window is being read."""
        return bool(self._reading)

    def own(self, owned: Owned) -> None:
        """A partition has become ours; its window is being read from now on, if it has one."""
        if owned.replay is not None:
            self._reading.add(owned.tp)

    def drop(self, tp: TopicPartition) -> None:
        """It is not ours any more."""
        self._reading.discard(tp)

    def read_on(self) -> None:
        """More of a window was read, and there is room for what others left to wait in."""
        self._held_until = asyncio.get_running_loop().time() + STALLED

    def release(self, owned: Owned) -> None:
        """A partition's window is read and folded: what it left comes to stand in line."""
        self._reading.discard(owned.tp)
        self._wake((lane, slot) for lane, slot in self._slots(owned) if slot.urgent)
        latest = asyncio.get_running_loop().time() + self._most
        self._left.append((owned, self._slots(owned), latest))
        if len(self._left) == 1:
            self._turn()

    def go_on(self, owned: Owned) -> None:
        """What waits of a partition that stayed ours stands in line again: it waits for no window."""
        self._stand(owned, self._slots(owned))

    def _slots(self, owned: Owned) -> Iterator[tuple[Lane, Slot]]:
        for lane in list(self._turns.lanes.values()):
            for slot in lane.of(owned.tp):
                yield lane, slot

    def _turn(self) -> None:
        owned, left, latest = self._left[0]
        loop = asyncio.get_running_loop()
        ours = self._ours(owned)
        if ours and self._reading and loop.time() < min(self._held_until, latest):
            loop.call_later(STALLED, self._turn)
            return
        taken = list(islice(left, A_TURN)) if ours else []
        if len(taken) < A_TURN:
            self._left.popleft()
        if self._left:  # before anything is begun, which may break: the others must not wait for ever
            loop.call_soon(self._turn)
        self._wake(taken)

    def _stand(self, owned: Owned, left: Iterator[tuple[Lane, Slot]]) -> None:
        taken = list(islice(left, A_TURN)) if self._ours(owned) else []
        if len(taken) == A_TURN:
            asyncio.get_running_loop().call_soon(self._stand, owned, left)
        self._wake(taken)

    def _wake(self, taken: Iterable[tuple[Lane, Slot]]) -> None:
        for lane, slot in taken:
            self._turns.wake(lane, slot)
