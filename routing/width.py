"""How many requests a platform bears at a time: additive increase, multiplicative decrease. Pure.

Each answer that comes while all that may be in flight is in flight makes a little more of it: one more after as many
answers as there are requests at a time. A sign of too much halves it, once for all that was begun before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.errors import HubError, OcpiError
from routing.outbound import Answered, NoEnvelope

DECREASE: Final = 0.5
TOO_MUCH: Final = (429, 503)


@dataclass(frozen=True, slots=True)
class Width:
    """`size` is between `least` and `most`; its whole part counts. `cut` is when it was made smaller last, seconds."""

    size: float
    least: int
    most: int
    cut: float = float("-inf")

    @property
    def at_once(self) -> int:
        """So many requests may be in flight."""
        return int(self.size)

    def borne(self, in_flight: int) -> Width:
        """One of `in_flight` requests was answered. Fewer than may be are no evidence that more would be borne."""
        if self.size >= self.most or in_flight < self.at_once:
            return self
        return Width(min(self.size + 1 / self.at_once, self.most), self.least, self.most, self.cut)

    def strained(self, begun: float, now: float) -> Width:
        """A request that was begun at `begun` met a sign of too much; what was begun before the last cut says no more.

        Many that are in flight together fail together: each would halve what is left after the one before.
        """
        if begun < self.cut:
            return self
        return Width(max(self.size * DECREASE, self.least), self.least, self.most, now)


def is_strain(came: Answered | OcpiError) -> bool:
    """Whether what came of a request says that it was one too many: it was not answered in time, or 429, or 503.

    A connection that is refused, reset or lost says that somebody went away, not that it had too much.
    """
    if isinstance(came, Answered):
        return came.http_status in TOO_MUCH
    if isinstance(came, NoEnvelope):
        return came.came_status in TOO_MUCH
    return isinstance(came, HubError) and came.late
