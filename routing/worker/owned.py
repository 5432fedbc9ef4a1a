"""A partition that this worker owns, from assignment to revocation."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from routing.event import Event
from routing.log.port import Assignment, Committed, Position, Record, TopicPartition
from routing.worker.tracker import Entry, Tracker
from routing.worker.window import Window


@dataclass(frozen=True, slots=True)
class Replay:
    """The replay window: what lay between the committed offset and the end seen at assignment.

    Directed pushes in it are attempted only beyond `begun` of a clean commit (`attempt_after`); None: never.
    `span` says how many positions it may hold at most.
    """

    end: Position
    attempt_after: Position | None
    span: int = 0

    def may_attempt(self, position: Position) -> bool:
        return self.attempt_after is not None and position > self.attempt_after


class Item:
    """A record that was read and is not let in yet. `event` is None for one that is none, and `reason` says why.

    `written` once its state is in the store, or kept for it; `aside` once it is to be set aside.
    """

    __slots__ = ("aside", "entry", "event", "owned", "reason", "record", "written")

    def __init__(self, owned: Owned, entry: Entry, event: Event | None, record: Record, reason: str = "") -> None:
        self.owned = owned
        self.entry = entry
        self.event = event
        self.record = record
        self.reason = reason
        self.written = False
        self.aside = False


class Owned:
    """`held` until it is revoked, `active` while something may be begun; `begun` is the highest directed position
    begun or answered.

    `leaving` once it is to be revoked: nothing more is let in. `backlog` was read and waits for the store, `paused`
    says that nothing more of it is read meanwhile, `queued` that this is so because others come first (ReadingOrder).
    `marked` once its marks are known. `gap` is from where on records are gone that nobody settled. `in_flight` are
    requests, `storing` what only waits for the store. `window` is what was read of the replay window, `placing` says
    that it is being let into the slots, and what comes meanwhile waits.
    """

    __slots__ = (
        "active", "backlog", "begun", "gap", "held", "in_flight", "leaving", "marked", "paused", "placing", "queued",
        "replay", "storing", "tp", "tracker", "window",
    )  # fmt: skip

    def __init__(self, assignment: Assignment) -> None:
        committed, end = assignment.committed, assignment.end
        self.tp: TopicPartition = assignment.tp
        start = committed.next if committed is not None else Position(end.epoch, 0)
        if assignment.gap:
            start = min(start, end)  # the log may have lost its end too
        self.gap: Position | None = start if assignment.gap else None
        self.tracker = Tracker(start)
        # no commit at all counts as clean: nothing was ever begun
        clean = committed is None or committed.clean
        before = Position(start.epoch, start.offset - 1)
        begun = before if committed is None or committed.begun is None else committed.begun
        span = end.offset - start.offset if start.epoch == end.epoch else end.offset
        self.replay: Replay | None = Replay(end, begun if clean else None, span) if start < end else None
        self.window: Window | None = Window() if self.replay is not None else None
        self.placing = False
        self.begun: Position = begun if clean else Position(end.epoch, end.offset - 1)
        self.active = False
        self.held = True
        self.leaving = False
        self.marked = False
        self.paused = False
        self.queued = False
        self.backlog: deque[Item] = deque()
        self.in_flight: dict[asyncio.Task[Any], None] = {}
        self.storing: dict[asyncio.Task[None], None] = {}

    def unclean(self) -> Committed:
        """What a new owner commits before it begins anything."""
        return Committed(self.tracker.committed, clean=False)

    def clean(self) -> Committed:
        """What an owner commits when it leaves in order."""
        return Committed(self.tracker.settled_to(), clean=True, begun=self.begun)

    def begin(self, position: Position) -> None:
        self.begun = max(self.begun, position)
