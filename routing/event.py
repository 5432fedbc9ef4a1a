"""An event: an accepted push as it stands on the log, or what was read from an object's owner.

It has a CloudEvents envelope (CloudEvents 1.0, Kafka binding).

The envelope is the same whatever version and URL grammar the push came by; the payload is the sender's own bytes.
Readers accept the envelopes of this and the previous release: fields are added, never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

import orjson

from connectors.values import PartyId, Role
from routing import cloudevents
from routing.log.port import Headers, Position, ReplyTo

TYPE = "org.ocpi-hub.push.v1"
READ_TYPE = "org.ocpi-hub.read.v1"
AGAIN_TYPE = "org.ocpi-hub.again.v1"
_TYPES = (TYPE.encode(), READ_TYPE.encode(), AGAIN_TYPE.encode())
_PUSH_HEADERS = (cloudevents.source(cloudevents.PUSHES), ("ce_type", _TYPES[0]))
_READ_HEADERS = (cloudevents.source(cloudevents.READS), ("ce_type", _TYPES[1]))
_AGAIN_HEADERS = (cloudevents.source(cloudevents.AGAIN), ("ce_type", _TYPES[2]))
_DATA = (cloudevents.JSON,)
_NO_DATA: Headers = ()


VIA: Final = {
    "to": "the OCPI-to headers name it",
    "content": "it is the party of what the call names",
    "url": "it is behind a URL that the hub made",
}
"""What told a message's recipient, by the word for it in records; without a word it is for everyone."""


class Again(NamedTuple):
    """Which dead letter an operator had sent again, and what version of it."""

    letter: str
    version: int


class Operation(StrEnum):
    PUT = "PUT"
    PATCH = "PATCH"
    POST = "POST"
    DELETE = "DELETE"


@dataclass(slots=True)
class Event:
    """One accepted push. Nobody changes it; not frozen, because one is made for every push, at four times the cost.

    `path` is what stood after the receiver's endpoint URL, decoded segment by segment; for objects of three levels
    (locations) it tells the level. `object_id` is the top-level object's id as the sender wrote it, `variant` what
    else tells two objects apart (a token's type), else empty. `audience` is the one recipient of a directed push,
    None for a broadcast. `expires` is the moment until which the edge waits for the log; `deadline`, of a directed
    push, until when its caller waits (both UTC ms). `findings` is what was off in the body, each a JSON path and a
    sentence. `via` is one of VIA. Of what was read `read` is the partition's end before that, and
    `kept_for` whose state it is: of a session or CDR that of its cdr_token's party, else None, which is everybody's.
    `again`: a dead letter is to be sent again to `audience`, as the newest state has it; there is no payload.
    """

    id: str
    module: str
    owner: PartyId
    object_id: str
    operation: Operation
    path: tuple[str, ...]
    query: str
    audience: PartyId | None
    sender: PartyId
    sender_role: Role
    platform: str
    accepted: int
    expires: int
    request_id: str
    correlation_id: str
    revision: int
    payload: bytes
    variant: str = ""
    version: str = "2.2.1"
    deadline: int | None = None
    reply_to: ReplyTo | None = None
    appends: bool = False
    findings: tuple[str, ...] = ()
    last_updated: str | None = None
    via: str = ""
    read: Position | None = None
    kept_for: PartyId | None = None
    again: Again | None = None

    @property
    def key(self) -> bytes:
        """`CC*PID/module/ID`, upper case: all that concerns one object keeps its order."""
        return key(self.owner, self.module, self.object_id)

    @property
    def topic(self) -> str:
        return f"ocpi.{self.module}"


def key(owner: PartyId, module: str, object_id: str) -> bytes:
    """The key under which all stands on the log that concerns one object: `CC*PID/module/ID`, upper case."""
    return f"{owner.country_code}*{owner.party_id}/{module}/{object_id.upper()}".encode()


_OPERATIONS: Final = {operation.value: operation for operation in Operation}  # a third of the time of asking the class
_ROLES: Final = {role.value: role for role in Role}


class Poison(ValueError):
    """A record that is no event this release can read; it is set aside, never retried."""


class Carrying(tuple[tuple[str, bytes], ...]):
    """Headers that remember the event they were made of, for a reader in the same process that gets this very value.

    A log that writes them down gives plain headers back, and those are decoded.
    """

    event: Event


def encode(event: Event) -> Headers:
    """The record headers of an event: CloudEvents attributes, and one extension that carries the hub's own."""
    hub = {
        "owner": str(event.owner),
        "module": event.module,
        "object": event.object_id,
        "variant": event.variant,
        "op": event.operation,
        "path": event.path,
        "query": event.query,
        "to": str(event.audience) if event.audience else None,
        "from": str(event.sender),
        "role": event.sender_role,
        "platform": event.platform,
        "accepted": event.accepted,
        "expires": event.expires,
        "deadline": event.deadline,
        "reply": [event.reply_to.edge, event.reply_to.partition] if event.reply_to else None,
        "request": event.request_id,
        "correlation": event.correlation_id,
        "revision": event.revision,
        "version": event.version,
        "appends": event.appends,
        "findings": event.findings,
        "last_updated": event.last_updated,
        "via": event.via,
        "read": [*event.read] if event.read else None,
        "for": str(event.kept_for) if event.kept_for else None,
        "again": [*event.again] if event.again else None,
    }
    kind = _PUSH_HEADERS if event.read is None else _READ_HEADERS
    if event.again is not None:
        kind = _AGAIN_HEADERS
    headers = Carrying(
        (
            cloudevents.SPECVERSION,
            ("ce_id", event.id.encode()),
            *kind,
            ("ce_ocpihub", orjson.dumps(hub)),
            *(_DATA if event.payload else _NO_DATA),
        )
    )
    headers.event = event
    return headers


def decode(headers: Headers, value: bytes) -> Event:
    """The event of a record; raises Poison with the reason."""
    if type(headers) is Carrying and headers.event.payload is value:
        return headers.event
    fields = dict(headers)
    if fields.get("ce_type") not in _TYPES:
        raise Poison(f"type {fields.get('ce_type')!r} is not {TYPE}, {READ_TYPE} or {AGAIN_TYPE}")
    try:
        hub = orjson.loads(fields["ce_ocpihub"])
        reply = hub["reply"]
        to = hub["to"]
        return Event(
            id=fields["ce_id"].decode(),
            module=hub["module"],
            owner=_party(hub["owner"]),
            object_id=hub["object"],
            variant=hub["variant"],
            operation=_OPERATIONS[hub["op"]],
            path=tuple(hub["path"]),
            query=hub["query"],
            audience=_party(to) if to else None,
            sender=_party(hub["from"]),
            sender_role=_ROLES[hub["role"]],
            platform=hub["platform"],
            accepted=hub["accepted"],
            expires=hub["expires"],
            deadline=hub["deadline"],
            reply_to=ReplyTo(*reply) if reply else None,
            request_id=hub["request"],
            correlation_id=hub["correlation"],
            revision=hub["revision"],
            version=hub["version"],
            appends=hub["appends"],
            findings=tuple(findings) if (findings := hub["findings"]) else (),
            last_updated=hub["last_updated"],
            via=hub.get("via", ""),
            read=Position(*read) if (read := hub.get("read")) else None,
            kept_for=_party(whose) if (whose := hub.get("for")) else None,
            again=Again(*again) if (again := hub.get("again")) else None,
            payload=value,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Poison(f"the envelope cannot be read: {type(error).__name__} {error}") from error


@lru_cache(maxsize=4096)
def _party(text: str) -> PartyId:
    """The party of `NL-TNM`, which was a PartyId when it was written."""
    return PartyId(text[:2], text[3:])
