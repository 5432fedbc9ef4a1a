"""Switches that break the hub on purpose: each must make the simulation and the chaos test fail.

They live in test code only; the product has no seams for them but its own methods.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from routing import cdrs, resync
from routing.event import Operation
from routing.fold import Request
from routing.log.port import Assignment, Position, TopicPartition
from routing.policy import Outcome
from routing.state import ObjectState
from routing.worker.delivery import Delivery
from routing.worker.lane import Lane
from routing.worker.owned import Replay
from routing.worker.resync import Resync
from routing.worker.slot import Wave
from routing.worker.tracker import Tracker
from routing.worker.worker import Worker

Patch = Callable[[], tuple[Any, str, Any]]
"""Gives the object to patch, the attribute's name, and what it becomes."""


def commit_before_delivery() -> tuple[Any, str, Any]:
    """What was read counts as settled, delivered or not."""

    def settled_to(self: Tracker) -> Position:
        return self.read_to

    return Tracker, "settled_to", settled_to


def no_fold_at_takeover() -> tuple[Any, str, Any]:
    """A new owner sends what it reads at once, one event after the other, as the former owner may have."""
    before = Worker.assigned

    async def assigned(self: Worker, assignments: Sequence[Assignment]) -> None:
        await before(self, assignments)
        for owned in self._owned.values():
            owned.active, owned.window = True, None

    return Worker, "assigned", assigned


def replayed_directed_push_attempted() -> tuple[Any, str, Any]:
    """A directed push of the replay window is sent, though the former owner may have sent it."""

    def may_attempt(self: Replay, position: Position) -> bool:
        del self, position
        return True

    return Replay, "may_attempt", may_attempt


def cdr_memory_off() -> tuple[Any, str, Any]:
    """Every posted CDR is a new one."""

    def decide(record: object, payload: bytes) -> cdrs.Attempt:
        del record, payload
        return cdrs.Attempt()

    return cdrs, "decide", decide


def full_lane_drops() -> tuple[Any, str, Any]:
    """What a full lane cannot take is forgotten, without a mark."""

    def overflow(self: Delivery, lane: Lane, tp: TopicPartition) -> None:
        for slot in lane.of(tp):
            for wave in slot.waiting():
                if isinstance(wave, Wave) and not (slot.busy and slot.queue[0] is wave):
                    slot.queue.remove(wave)
                    lane.waiting -= 1
                    for entry in wave.entries:
                        self._ended(entry, slot.key.recipient, Outcome.DELIVERED, "", 0.0)

    return Delivery, "overflow", overflow


SWITCHES: dict[str, Patch] = {
    patch.__name__.replace("_", "-"): patch
    for patch in (
        commit_before_delivery,
        no_fold_at_takeover,
        replayed_directed_push_attempted,
        cdr_memory_off,
        full_lane_drops,
    )
}


def no_resync() -> tuple[Any, str, Any]:
    """Marks are set, and nobody works them off."""

    def look(self: Resync) -> None:
        del self

    return Resync, "_look", look


def resync_forgets_deletes() -> tuple[Any, str, Any]:
    """Of an object that was deleted meanwhile, a returning platform is told nothing."""
    before = resync.wanted

    def wanted(
        everybody: ObjectState | None, mine: ObjectState | None, read: Position | None = None
    ) -> tuple[Request, ...] | None:
        found = before(everybody, mine, read)
        return () if found and found[0].operation is Operation.DELETE else found

    return resync, "wanted", wanted


AWAY_SWITCHES: dict[str, Patch] = {
    patch.__name__.replace("_", "-"): patch for patch in (no_resync, resync_forgets_deletes)
}
"""Found where recipients were away for long (tests.chaos.away_run)."""


def throw(name: str) -> Callable[[], None]:
    """Break the hub in this process; the returned function mends it again."""
    owner, attribute, broken = (SWITCHES | AWAY_SWITCHES)[name]()
    whole = getattr(owner, attribute)
    setattr(owner, attribute, broken)
    return lambda: setattr(owner, attribute, whole)
