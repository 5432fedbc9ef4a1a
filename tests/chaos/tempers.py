"""What the recipients are like: one that takes its time, and others that are quick; all of them fail now and then.

A broadcast never fails twice in a row for one object: two failures would make a mark, and what a mark covers cannot
be judged any more.
"""

from __future__ import annotations

from random import Random

from connectors.values import PartyId
from tests.chaos.platforms import Kind, Reaction
from tests.witnesses import Begun, Recipient

SLOW = PartyId("DE", "SLO")
PICKY = PartyId("FR", "QUB")
EMSPS = (SLOW, PartyId("FR", "QUA"), PICKY)

_FAILURES = (Kind.BUSY, Kind.RESET, Kind.LOSE)


class Tempers:
    """Decides how every platform reacts; in a `calm` time at once and well."""

    def __init__(self, random: Random) -> None:
        self.calm = False
        self._random = random
        self._failed: set[tuple[PartyId, tuple[str, ...]]] = set()

    def react(self, recipient: Recipient, begun: Begun, broadcast: bool) -> Reaction:
        random = self._random
        early = random.random() < 0.5
        if recipient.party == PICKY and begun.module == "tariffs" and begun.object[1].startswith("REFUSED"):
            return Reaction(Kind.REFUSE, 0.0, early)
        if self.calm:
            return Reaction(Kind.TAKE, 0.0, early)
        if broadcast:
            delay = random.uniform(0.3, 1.2) if recipient.party == SLOW else random.choice((0.0, 0.0, 0.002, 0.03))
            return Reaction(self._broadcast(recipient, begun), delay, early)
        return Reaction(self._directed(begun), random.choice((0.0, 0.005, 0.05, 0.3)), early)

    def _broadcast(self, recipient: Recipient, begun: Begun) -> Kind:
        key = recipient.party, begun.name
        if key in self._failed:
            self._failed.discard(key)
        elif self._random.random() < 0.01:
            self._failed.add(key)
            return self._random.choice(_FAILURES)
        return Kind.TAKE

    def _directed(self, begun: Begun) -> Kind:
        if self._random.random() < (0.1 if begun.module == "cdrs" else 0.02):
            return self._random.choice((*_FAILURES, Kind.REFUSE))
        return Kind.TAKE
