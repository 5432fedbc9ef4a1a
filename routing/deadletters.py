"""Dead letters: what the hub gave up on, for one recipient, kept with its history so that it can be looked at and sent
again (DESIGN, promises 1 and 13). Values, and what makes them; pure.

A letter has no header of any call and no URL of a party, and no bytes of an answer in which the recipient's credential
stands: so no secret gets into one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from connectors.errors import OcpiError
from connectors.values import PartyId
from routing.outbound import Answered, NoEnvelope

MOST_ATTEMPTS: Final = 50
"""Of more than these the first and the newest are kept."""

ANSWER_BYTES: Final = 500
BODY_BYTES: Final = 64 * 1024
"""How many bytes are kept of an answer, and of what was to be sent."""

_LONGEST: Final = 500


class Reason(StrEnum):
    """Why the hub gave up.

    `result`: an asynchronous result could not be delivered in its time. `resync`: a recipient answers one object with
    errors while it takes others. `custody`: the time of a CDR in custody has run out. `unknown`: an attempt of a CDR in
    custody ended without an outcome, so it may have arrived.
    """

    RESULT = "result"
    RESYNC = "resync"
    CUSTODY = "custody"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attempted:
    """One request: when it was begun (UTC ms), HTTP status (0: no answer), OCPI status code, words, milliseconds.

    `answer` are the first bytes of what came, as text.
    """

    at: int
    http_status: int
    status_code: int
    words: str = ""
    ms: int = 0
    answer: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event that the hub gave up on for one recipient. `id` is made of what it is about, so it is written once.

    `at` is when that was (UTC ms); `version` grows each time that it is given up again. `stood` names where the event
    stands on the log, for a look; of what never stood there it is empty. `path` is what comes after the endpoint URL.
    `body` is what was to be sent, as much as is kept of its `size`. `redriven` is when an operator had it sent again
    (UTC ms), of this version.
    """

    id: str
    at: int
    reason: Reason
    detail: str
    module: str
    method: str
    path: tuple[str, ...]
    owner: PartyId | None
    object_id: str
    variant: str
    sender: PartyId
    recipient: PartyId
    platform: str
    correlation_id: str
    request_id: str = ""
    stood: str = ""
    attempts: tuple[Attempted, ...] = ()
    version: int = 1
    redriven: int | None = None
    size: int = 0
    body: bytes = b""

    @property
    def again(self) -> str | None:
        """Why it cannot be sent again; None where it can."""
        if self.reason is Reason.RESULT:
            return "a result means nothing once the time of its command is over: it is kept for a look"
        return None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters; what is left out does not matter. `party` is sender, owner or recipient; from `since` on, before
    `until` (UTC ms). `open` leaves out those that were redriven.
    """

    party: PartyId | None = None
    module: str = ""
    reason: Reason | None = None
    since: int | None = None
    until: int | None = None
    open: bool = False

    def fits(self, letter: DeadLetter) -> bool:
        """Whether it is one of these."""
        return (
            (self.party is None or self.party in (letter.sender, letter.owner, letter.recipient))
            and self.module in ("", letter.module)
            and self.reason in (None, letter.reason)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and not (self.open and letter.redriven is not None)
        )


def id_of(*about: object) -> str:
    """The same for the same thing, whoever asks and however often."""
    text = "\0".join(map(str, about))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def attempted(at: int, came: Answered | OcpiError, now: int) -> Attempted:
    """What is kept of an attempt that was begun at `at` and ended `now` (UTC ms)."""
    if isinstance(came, Answered):
        shown = "" if came.echoes else text_of(came.body)
        return Attempted(at, came.http_status, came.status_code, "", int(came.ms), shown)
    ms = max(now - at, 0)
    if isinstance(came, NoEnvelope):
        return Attempted(at, came.came_status, came.status_code, came.message[:_LONGEST], ms, text_of(came.came))
    return Attempted(at, 0, came.status_code, came.message[:_LONGEST], ms)


def text_of(body: bytes) -> str:
    """The first bytes, as text that can be shown."""
    return body[:ANSWER_BYTES].decode("utf-8", "replace")


def bounded(attempts: Sequence[Attempted]) -> tuple[Attempted, ...]:
    """As many as are kept: the first ones, and the newest."""
    if len(attempts) <= MOST_ATTEMPTS:
        return tuple(attempts)
    first = MOST_ATTEMPTS // 2
    return (*attempts[:first], *attempts[first - MOST_ATTEMPTS :])


# --- how it stands in a store ----------------------------------------------------------------------------------------


def attempts_document(attempts: Sequence[Attempted]) -> list[list[Any]]:
    return [[one.at, one.http_status, one.status_code, one.words, one.ms, one.answer] for one in attempts]


def attempts_of(document: Sequence[Sequence[Any]]) -> tuple[Attempted, ...]:
    return tuple(Attempted(*one) for one in document)


def encode(letter: DeadLetter) -> bytes:
    """All but its body, and what a store looks for: a JSON document."""
    return orjson.dumps(
        {
            "detail": letter.detail, "method": letter.method, "path": letter.path, "object": letter.object_id,
            "variant": letter.variant, "platform": letter.platform, "correlation": letter.correlation_id,
            "request": letter.request_id, "stood": letter.stood, "size": letter.size,
            "attempts": attempts_document(letter.attempts),
        }
    )  # fmt: skip


def decode(
    record: bytes, *, id: str, at: int, reason: str, module: str, owner: str, sender: str, recipient: str, version: int,
    redriven: int | None, body: bytes,
) -> DeadLetter:  # fmt: skip
    """The letter of such a document and of what stands beside it."""
    told = orjson.loads(record)
    return DeadLetter(
        id=id, at=at, reason=Reason(reason), detail=told["detail"], module=module, method=told["method"],
        path=tuple(told["path"]), owner=party_of(owner), object_id=told["object"], variant=told["variant"],
        sender=PartyId.parse(sender), recipient=PartyId.parse(recipient), platform=told["platform"],
        correlation_id=told["correlation"], request_id=told["request"], stood=told["stood"],
        attempts=attempts_of(told["attempts"]), version=version, redriven=redriven, size=told["size"], body=body,
    )  # fmt: skip


def party_text(party: PartyId | None) -> str:
    return "" if party is None else f"{party}"


def party_of(text: str) -> PartyId | None:
    return PartyId.parse(text) if text else None
