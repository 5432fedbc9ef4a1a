"""Custody: a CDR that its eMSP could not be given is the hub's to deliver, for seven days (DESIGN, delivery). Pure.

A value and what becomes of it. Whoever changes it counts `turn` up by one, and the store takes a change only of the
turn before: so of two workers that both believe they own a CDR one at most may begin an attempt of it (promise 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import orjson

from connectors.errors import NotConnected, OcpiError, OutcomeUnknown
from connectors.values import PartyId, Role
from routing.deadletters import Attempted, attempts_document, attempts_of, bounded
from routing.event import Event, Operation
from routing.outbound import Answered, NoEnvelope
from routing.policy import Outcome, ended, retry_after

KEPT_MS: Final = 7 * 86_400_000
"""So long a CDR is tried; then it is a dead letter."""

PAUSES: Final = (10, 30, 60, 120, 300, 900, 1800, 3600, 7200, 14_400, 21_600)
"""Seconds from one attempt to the next; the last one goes on."""

_NOT_TAKEN: Final = frozenset((401, 403, 404, 405, 413, 429, 503))
"""HTTP statuses without an OCPI envelope that say by themselves that nothing was taken."""


class Held(StrEnum):
    """How it stands: it WAITS for its next attempt, is ATTEMPTED at this moment, is PARKED because an attempt ended
    without an outcome, is GIVEN_UP, or has ENDED with its recipient's answer, or because an operator dropped it."""

    WAITING = "waiting"
    ATTEMPTING = "attempting"
    PARKED = "parked"
    GIVEN_UP = "given_up"
    ENDED = "ended"


class Came(StrEnum):
    """What came of an attempt: it was TAKEN, or REFUSED for good; nothing of it arrived (NOTHING); its recipient
    answered that it could not now (LATER); or nobody knows (UNKNOWN)."""

    TAKEN = "taken"
    REFUSED = "refused"
    NOTHING = "nothing"
    LATER = "later"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Custody:
    """`since` is when it was taken, or was begun anew (UTC ms), `due` when it is to be looked at next, None: never.

    `begun` counts the attempts since then, `by` names the last one, for who wrote that. What its event was stands
    beside: `partition` of its topic, id, sender, role, platform, path, query, ids of the call, version.
    """

    held: Held
    turn: int
    since: int
    due: int | None
    begun: int
    by: str
    attempts: tuple[Attempted, ...]
    partition: int
    event: str
    object_id: str
    sender: PartyId
    sender_role: Role
    platform: str
    path: tuple[str, ...]
    query: str
    request_id: str
    correlation_id: str
    accepted: int
    version: str

    @property
    def live(self) -> bool:
        """Whether the hub is still to deliver it by itself."""
        return self.held in (Held.WAITING, Held.ATTEMPTING)


def taken(event: Event, partition: int, now: int, jitter: float, first: Attempted) -> Custody:
    """The custody that begins `now`, the first attempt having been in vain."""
    begun = Custody(
        held=Held.WAITING, turn=0, since=now, due=None, begun=1, by="", attempts=(first,), partition=partition,
        event=event.id, object_id=event.object_id, sender=event.sender, sender_role=event.sender_role,
        platform=event.platform, path=event.path, query=event.query, request_id=event.request_id,
        correlation_id=event.correlation_id, accepted=event.accepted, version=event.version,
    )  # fmt: skip
    return replace(begun, due=next_due(begun, now, jitter))


def event_of(custody: Custody, owner: PartyId, recipient: PartyId, module: str, payload: bytes) -> Event:
    """The event that it was, without a caller that waits."""
    return Event(
        id=custody.event, module=module, owner=owner, object_id=custody.object_id, operation=Operation.POST,
        path=custody.path, query=custody.query, audience=recipient, sender=custody.sender,
        sender_role=custody.sender_role, platform=custody.platform, accepted=custody.accepted, expires=0,
        request_id=custody.request_id, correlation_id=custody.correlation_id, revision=0, payload=payload,
        version=custody.version,
    )  # fmt: skip


# --- when ------------------------------------------------------------------------------------------------------------


def ends(custody: Custody) -> int:
    """Until when it is tried (UTC ms)."""
    return custody.since + KEPT_MS


def next_due(custody: Custody, now: int, jitter: float, asked: float | None = None) -> int:
    """When the next attempt is due, after `begun` were made; never after its end. `jitter` is uniform in [0, 1).

    What the recipient `asked` for in seconds (Retry-After) is given to it, up to the longest pause.
    """
    pause = PAUSES[min(max(custody.begun, 1), len(PAUSES)) - 1] * (0.8 + 0.4 * jitter)
    if asked is not None:
        pause = max(pause, min(asked, PAUSES[-1]))
    return min(now + int(pause * 1000), ends(custody))


# --- what becomes of it ----------------------------------------------------------------------------------------------


def came(result: Answered | OcpiError) -> Came:
    """What an attempt came to."""
    if isinstance(result, Answered):
        if 1000 <= result.status_code < 2000:
            return Came.TAKEN
        return Came.REFUSED if ended(result) is Outcome.REFUSED else Came.LATER
    if isinstance(result, NoEnvelope):
        return Came.LATER if result.came_status in _NOT_TAKEN else Came.UNKNOWN
    if isinstance(result, OutcomeUnknown):
        return Came.UNKNOWN
    return Came.NOTHING  # refused, or it never came to a request


def attempting(custody: Custody, now: int, by: str) -> Custody:
    """An attempt is about to begin. From here on nobody knows its outcome until that is written."""
    return replace(
        custody, held=Held.ATTEMPTING, turn=custody.turn + 1, due=now, begun=custody.begun + 1, by=by
    )  # fmt: skip


def unsent(custody: Custody, now: int) -> Custody:
    """The attempt was never begun: it is due as before."""
    return replace(custody, held=Held.WAITING, turn=custody.turn + 1, due=now, begun=max(custody.begun - 1, 1))


def waits(custody: Custody, now: int, jitter: float, result: Answered | OcpiError | None, tried: Attempted) -> Custody:
    """It was not taken, and is tried again by the schedule."""
    asked = retry_after(result, now) if result is not None else None
    attempts = bounded((*custody.attempts, tried))
    due = next_due(custody, now, jitter, asked)
    return replace(custody, held=Held.WAITING, turn=custody.turn + 1, due=due, attempts=attempts)


def parked(custody: Custody, tried: Attempted) -> Custody:
    """Nobody knows what came of an attempt: nothing is sent any more until somebody says so."""
    attempts = bounded((*custody.attempts, tried))
    return replace(custody, held=Held.PARKED, turn=custody.turn + 1, due=None, attempts=attempts)


def given_up(custody: Custody) -> Custody:
    """Its time has run out."""
    return replace(custody, held=Held.GIVEN_UP, turn=custody.turn + 1, due=None)


def over(custody: Custody, tried: Attempted) -> Custody:
    """Its recipient has answered for good."""
    attempts = bounded((*custody.attempts, tried))
    return replace(custody, held=Held.ENDED, turn=custody.turn + 1, due=None, attempts=attempts)


def dropped(custody: Custody) -> Custody:
    """Somebody has decided that nothing more is done for it."""
    return replace(custody, held=Held.ENDED, turn=custody.turn + 1, due=None)


def anew(custody: Custody, now: int) -> Custody:
    """Somebody has it sent again: its time begins anew, with an attempt at once."""
    return replace(custody, held=Held.WAITING, turn=custody.turn + 1, since=now, due=now, begun=0)


def moved(custody: Custody, partition: int) -> Custody:
    """Its object's pushes stand in another partition now."""
    return replace(custody, turn=custody.turn + 1, partition=partition)


def cut_off(at: int, why: str) -> Attempted:
    """The attempt of which nothing is known but when it was begun."""
    return Attempted(at, 0, OutcomeUnknown.status_code, why)


def never_begun(at: int, error: NotConnected) -> Attempted:
    """The attempt of the push itself, of which nothing was sent."""
    return Attempted(at, 0, error.status_code, error.message[:500])


# --- how it stands in a store ----------------------------------------------------------------------------------------


def encode(custody: Custody) -> bytes:
    """A JSON list: a form, and the fields in their order."""
    values: Sequence[Any] = (
        1, custody.held, custody.turn, custody.since, custody.due, custody.begun, custody.by,
        attempts_document(custody.attempts), custody.partition, custody.event, custody.object_id, [*custody.sender],
        custody.sender_role, custody.platform, custody.path, custody.query, custody.request_id,
        custody.correlation_id, custody.accepted, custody.version,
    )  # fmt: skip
    return orjson.dumps(values)


def decode(record: bytes | None) -> Custody | None:
    if record is None:
        return None
    (
        _, held, turn, since, due, begun, by, attempts, partition, event, object_id, sender, role, platform, path,
        query, request_id, correlation_id, accepted, version, *_,
    ) = orjson.loads(record)  # fmt: skip
    return Custody(
        Held(held), turn, since, due, begun, by, attempts_of(attempts), partition, event, object_id, PartyId(*sender),
        Role(role), platform, tuple(path), query, request_id, correlation_id, accepted, version,
    )  # fmt: skip
