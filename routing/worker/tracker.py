"""Entries and the tracker: which events of a partition are settled, and so how far may be committed."""

from __future__ import annotations

from collections import deque

from connectors.values import PartyId
from routing.event import Event
from routing.log.port import Position, TopicPartition
from routing.policy import Outcome


class Entry:
    """One event under way: for how many recipients it is still open, and how it ended for the others.

    `since` is the worker's monotonic clock at reading, `results` rows of (party, outcome, detail, milliseconds).
    """

    __slots__ = ("event", "open", "position", "results", "sealed", "settled", "since", "size", "tp")

    def __init__(self, tp: TopicPartition, position: Position, event: Event | None, since: float) -> None:
        self.tp = tp
        self.position = position
        self.event = event
        self.since = since
        self.size = len(event.payload) if event is not None else 0
        self.open: dict[PartyId, str] = {}
        self.results: list[tuple[PartyId | None, Outcome, str, int]] = []
        self.sealed = False
        self.settled = False

    def opened(self, party: PartyId, platform: str) -> None:
        self.open[party] = platform

    def ended(self, party: PartyId, outcome: Outcome, detail: str = "", ms: float = 0.0) -> bool:
        """Note how it ended for `party`; True once it has for everyone."""
        if self.open.pop(party, None) is None:
            return False
        self.results.append((party, outcome, detail, int(ms)))
        return self.sealed and not self.open


class Tracker:
    """The entries of one partition in order of position."""

    def __init__(self, start: Position) -> None:
        self.entries: deque[Entry] = deque()
        self.committed = start
        self.read_to = start

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.read_to = Position(entry.position.epoch, entry.position.offset + 1)

    def forward(self, position: Position) -> bool:
        """Everything below `position` was read; whether that is news."""
        if position <= self.read_to:
            return False
        self.read_to = position
        return True

    def oldest(self) -> Entry | None:
        return self.entries[0] if self.entries else None

    def settled_to(self) -> Position:
        """The first position that is not settled; everything before it is."""
        entries = self.entries
        while entries and entries[0].settled:
            entries.popleft()
        return entries[0].position if entries else self.read_to
