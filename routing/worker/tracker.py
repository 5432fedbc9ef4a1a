"""Entries and the tracker: which events of a partition are settled, and so how far may be committed."""

from __future__ import annotations

from collections import deque
from functools import lru_cache

from connectors.errors import OcpiError
from connectors.values import PartyId
from routing.event import Event
from routing.log.port import Position, Record
from routing.outbound import Answered
from routing.policy import Outcome

_MANY_SETTLED = 1024
_MOST_ATTEMPTS = 100

Result = tuple[PartyId | None, Outcome, str, int]
"""How an event ended for a party: outcome, detail, milliseconds."""

Attempt = tuple[PartyId, int, int, int, str, int]
"""One request: the recipient, when it was begun (UTC ms), HTTP status, OCPI status code, words, milliseconds."""


def attempt(party: PartyId, begun: int, came: Answered | OcpiError, now: int) -> Attempt:
    """What is noted of one that was begun at `begun` and ended `now` (UTC ms)."""
    if isinstance(came, OcpiError):
        return (party, begun, 0, came.status_code, came.message, max(now - begun, 0))
    return (party, begun, came.http_status, came.status_code, "", int(came.ms))


class Entry:
    """One event under way: for how many recipients it is still open, and how it ended for the others.

    It holds what the outcome record needs, not the body: thousands wait while a recipient is slow. `since` is the
    worker's monotonic clock when it was let in, `size` the body's bytes, `held` whether they count as held for
    somebody, `closed` that it ended for everyone. `identity` are event, correlation and request id. `fold` are those
    that it was folded with while a replay window was read. `attempts` are those to recipients that did not take it at
    the first one, as many as are kept. `custody` is the turn of a CDR's custody whose end it tells of, else 0.
    """

    __slots__ = (
        "accepted", "attempts", "closed", "custody", "directed", "fold", "held", "identity", "key", "module", "open",
        "position", "results", "sealed", "settled", "since", "size", "tp",
    )  # fmt: skip

    def __init__(self, record: Record, event: Event | None, since: float) -> None:
        self.accepted = event.accepted if event is not None else 0
        self.attempts: tuple[Attempt, ...] = ()
        self.custody = 0
        self.fold: Fold | None = None
        self.tp = record.tp
        self.position = record.position
        self.since = since
        self.size = len(record.value) if event is not None else 0
        self.held = False
        self.closed = False
        self.key = record.key
        self.module = event.module if event is not None else ""
        self.directed = event is not None and event.audience is not None
        self.identity = (event.id, event.correlation_id, event.request_id) if event is not None else ("", "", "")
        self.open: dict[PartyId, str] = {}
        self.results: list[Result] = []
        self.sealed = False
        self.settled = False

    @property
    def lowest(self) -> Position:
        """The position of the oldest event that it stands for."""
        return self.position if self.fold is None else self.fold.older[0].position

    @property
    def leader(self) -> Entry:
        """The one that it ends with: itself, or the newest of those that it was folded with."""
        return self if self.fold is None else self.fold.newest

    def opened(self, party: PartyId, platform: str) -> None:
        self.open[party] = platform

    def tried(self, attempt: Attempt) -> None:
        """Note an attempt that was not the only one, or not a good one; the first ones are kept."""
        if len(self.attempts) < _MOST_ATTEMPTS:
            self.attempts += (attempt,)

    def ended(self, party: PartyId, outcome: Outcome, detail: str = "", ms: float = 0.0) -> bool:
        """Note how it ended for `party`; True once it has for everyone."""
        if self.open.pop(party, None) is None:
            return False
        self.results.append((party, outcome, detail, int(ms)) if detail or ms else _plain(party, outcome))
        return self.sealed and not self.open


class Fold:
    """Broadcasts of one object that were folded before any recipient was told: all end with the newest of them."""

    __slots__ = ("newest", "older")

    def __init__(self, first: Entry) -> None:
        self.newest = first
        self.older: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """A newer one, in whose name all that came before go on."""
        if not self.older:
            self.newest.fold = self
        self.older.append(self.newest)
        self.newest = entry
        entry.fold = self


def superseded(results: list[Result]) -> list[Result]:
    """How what was folded into an event ended, where the event itself ended so."""
    return [
        _plain(party, Outcome.SUPERSEDED)
        if party is not None and outcome is Outcome.DELIVERED
        else (party, outcome, detail, 0)
        for party, outcome, detail, _ in results
    ]


@lru_cache(maxsize=4096)
def _plain(party: PartyId, outcome: Outcome) -> Result:
    """Most of what waits ends superseded: one value for all of a party's."""
    return (party, outcome, "", 0)


class Tracker:
    """The entries of one partition in order of position, but for those settled long ago behind one that is not."""

    def __init__(self, start: Position) -> None:
        self.entries: deque[Entry] = deque()
        self.committed = start
        self.read_to = start
        self._settled = 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.read_to = Position(entry.position.epoch, entry.position.offset + 1)

    def hold(self, entry: Entry) -> None:
        """Let nothing from this position on be settled before the entry is; it was not read."""
        self.entries.appendleft(entry)

    def forward(self, position: Position) -> bool:
        """Everything below `position` was read; whether that is news."""
        if position <= self.read_to:
            return False
        self.read_to = position
        return True

    def settle(self, entry: Entry) -> None:
        """It is settled. However long the first one is not, what is settled behind it takes no room."""
        entry.settled = True
        self._settled += 1
        if self._settled > _MANY_SETTLED and self._settled * 2 > len(self.entries):
            self.entries = deque(entry for entry in self.entries if not entry.settled)
            self._settled = 0

    def waits_for(self, platform: str, below: Position) -> bool:
        """Whether something from below this position is yet to end for this platform, or to be let in."""
        return any(
            not entry.leader.sealed or platform in entry.leader.open.values()
            for entry in self.entries
            if entry.position < below and not entry.settled
        )

    def oldest(self) -> Entry | None:
        """The first that is not settled."""
        self.settled_to()
        return self.entries[0] if self.entries else None

    def settled_to(self) -> Position:
        """The first position that is not settled; everything before it is."""
        entries = self.entries
        while entries and entries[0].settled:
            entries.popleft()
            self._settled = max(0, self._settled - 1)
        return entries[0].position if entries else self.read_to
