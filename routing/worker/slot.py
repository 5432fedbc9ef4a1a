"""A slot: all that waits for one object and one recipient, in order, at most one request of it in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from connectors.values import PartyId
from routing.event import Event
from routing.fold import Request, fold_all
from routing.log.port import Position, TopicPartition
from routing.policy import Outcome
from routing.store.port import CdrRecord
from routing.worker.tracker import Attempt, Entry

_NOTHING: Final[Mapping[Position, str]] = MappingProxyType({})


class SlotKey(NamedTuple):
    """`object` as `object_name` gives it."""

    object: str
    recipient: PartyId


def object_name(event: Event) -> str:
    """What tells an object from every other: owner, module, id in upper case, a token's type."""
    return f"{event.owner}/{event.module}/{event.object_id.upper()}/{event.variant}"


def module_in(name: str) -> str:
    """The module in what `object_name` gave."""
    return name.split("/", 2)[1]


class Wave:
    """Broadcasts of one object that were folded together, and the entries that are settled with it.

    Once its first request was begun a wave is `frozen`: later broadcasts form the next wave. If it fails, the two
    are folded, so that the next attempt carries the newest state. `lacking`: its recipient lacked something of the
    object while it waited, of which nothing else tells any more. `refused` are the positions of requests that its
    recipient refused, with its status code, `taken` says that it has what others asked for.
    """

    __slots__ = ("attempts", "entries", "frozen", "lacking", "refused", "requests", "taken")

    def __init__(self, requests: tuple[Request, ...], entries: list[Entry]) -> None:
        self.requests = requests
        self.entries = entries
        self.attempts = 0
        self.frozen = False
        self.lacking = False
        self.refused = _NOTHING
        self.taken = False


class Directed:
    """A directed push that waits for its turn; `catch_up` goes first, or the push does not go at all."""

    __slots__ = ("catch_up", "entry", "event")

    def __init__(self, entry: Entry, event: Event, catch_up: tuple[Request, ...] = ()) -> None:
        self.entry = entry
        self.event = event
        self.catch_up = catch_up


class Barrier:
    """Where a directed push stood whose outcome is unknown: nothing older may be sent any more."""

    __slots__ = ()


class Newest:
    """The object's newest state, whatever that is when its turn comes, for a platform that may have missed it.

    `done` tells how that ended; None where it was not sent, or not answered. `attempts` are the requests that were
    begun for it, `method` and `position` those of the state that they brought.
    """

    __slots__ = ("attempts", "done", "event", "method", "position")

    def __init__(self, event: Event, done: asyncio.Future[Outcome | None]) -> None:
        self.event = event
        self.done = done
        self.attempts: tuple[Attempt, ...] = ()
        self.method = ""
        self.position: Position | None = None

    def end(self, outcome: Outcome | None) -> None:
        if not self.done.done():
            self.done.set_result(outcome)


class Kept:
    """A CDR in custody whose next attempt is due. `done` is over once that has ended and is written, however it did."""

    __slots__ = ("done", "event", "record")

    def __init__(self, event: Event, record: CdrRecord, done: asyncio.Future[None]) -> None:
        self.event = event
        self.record = record
        self.done = done

    def end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class Line(IntEnum):
    """The two lines of a lane: who has a caller waiting is begun at once, broadcasts take turns."""

    URGENT = 1
    BROADCASTS = 2


Waiting = Wave | Directed | Barrier | Newest | Kept


class Slot:
    """`busy`: a request is in flight. `resting`: a timer will wake it. `line`: that of its lane in which it stands."""

    __slots__ = ("busy", "event", "key", "line", "queue", "resting", "tp")

    def __init__(self, key: SlotKey, tp: TopicPartition, event: Event) -> None:
        self.key = key
        self.tp = tp
        self.event = event
        self.queue: list[Waiting] = []  # short; a deque takes ten times as much, and slots are many
        self.busy = False
        self.line: Line | None = None
        self.resting = False

    @property
    def urgent(self) -> bool:
        """Whether somebody waits for an answer: what stands before that push is as urgent as the push."""
        queue = self.queue
        if len(queue) == 1:
            return isinstance(queue[0], Directed)
        return any(isinstance(item, Directed) for item in queue)

    def offer(self, entry: Entry, first: tuple[Request, ...], memo: dict[int, tuple[Request, ...]]) -> Wave | None:
        """Let a broadcast in: folded into the last wave, or as a new one, which is returned.

        `first` is what it asks for. `memo` shares folding among recipients that have the same waiting.
        """
        last = self.queue[-1] if self.queue else None
        if isinstance(last, Wave) and not last.frozen:
            known = memo.get(id(last.requests))
            if known is None:
                known = memo[id(last.requests)] = fold_all(last.requests, first)
            last.requests = known
            last.entries.append(entry)
            return None
        wave = Wave(first, [entry])
        self.queue.append(wave)
        return wave

    def waiting(self) -> list[Wave]:
        """The waves that a mark may take: not begun, and no directed push waits behind them."""
        taken: list[Wave] = []
        for item in reversed(self.queue):
            if isinstance(item, Directed):
                break
            if isinstance(item, Wave) and not (item.frozen and self.busy):
                taken.append(item)
        return taken
