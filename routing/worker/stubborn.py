"""Objects that a recipient answers with errors, round after round of its resync, while it takes others. Pure.

Such an object is given up on: it is not the recipient that is away, and to try for ever would keep its mark for ever.
Counted in memory: whoever owns the partition next counts anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.values import PartyId
from routing.state import StateKey
from routing.worker.tracker import Attempt

ALONE_SECONDS: Final = 86_400.0
"""So long an object is tried whose recipient took nothing else meanwhile: that may be the recipient."""

MOST: Final = 10_000
"""So many are counted at a time. Where there are more, those that failed an hour ago at last are forgotten."""

_FORGOTTEN: Final = 3600.0

KEPT: Final = 20
"""So many attempts are remembered of each, the newest."""


class What(NamedTuple):
    """An object, and the one that does not take it."""

    key: StateKey
    recipient: PartyId


@dataclass(slots=True)
class _Counted:
    since: float
    last: float
    rounds: int = 0
    attempts: tuple[Attempt, ...] = ()


class Stubborn:
    """One instance a worker. `rounds` are so many that others were taken between. Times are monotonic, in seconds."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._counted: dict[What, _Counted] = {}

    def failed(
        self, what: What, attempts: Sequence[Attempt], *, now: float, took: float | None
    ) -> tuple[Attempt, ...] | None:
        """A round in which it was not taken; its attempts where that was enough, else None.

        `took` is when the recipient's platform took something last. A round that made no request is none.
        """
        if not attempts:
            return None
        known = self._counted.get(what)
        if known is None:
            if len(self._counted) >= MOST:
                self._forget(now - _FORGOTTEN)
            if len(self._counted) >= MOST:
                return None
            known = self._counted[what] = _Counted(now, now)
        known.attempts = (*known.attempts, *attempts)[-KEPT:]
        if took is not None and took >= known.last:
            known.rounds += 1
        known.last = now
        enough = known.rounds >= self._rounds or now - known.since >= ALONE_SECONDS
        return known.attempts if enough else None

    def _forget(self, before: float) -> None:
        self._counted = {what: known for what, known in self._counted.items() if known.last >= before}

    def over(self, what: What) -> None:
        """It was taken, refused, or given up on."""
        self._counted.pop(what, None)
