"""Object state: what the hub knows to be the newest state of an object, for everybody or for one recipient.

The value is the newest PUT as received, with what was PUT or PATCHed in it since laid over it, every digit kept.
Where no PUT is known the parts stand alone. Written only by the owner of the object's partition, conditional on a
greater position. All of this is pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from connectors import digits
from connectors.errors import InvalidParameters
from connectors.values import Module, PartyId
from routing.event import Event, Operation
from routing.fold import Request, covered, fold, lay, request_of
from routing.log.port import Position

DELETABLE: Final = frozenset((Module.TARIFFS,))
"""Modules whose objects a recipient can be told to delete; others are only gone from their owner's list."""

_PUBLISH: Final = b'"publish"'
_TRUE: Final = re.compile(rb'"publish"\s*:\s*true')


class StateKey(NamedTuple):
    """`object_id` in upper case; `variant` a token's type, else empty; `audience` None for broadcasts (`*`)."""

    owner: PartyId
    module: str
    object_id: str
    variant: str
    audience: PartyId | None


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of an object below a base that is not: the fields (PATCH) or the sub-object (PUT) at `path`.

    `path` are the ids below the object: (), (evse_uid,) or (evse_uid, connector_id), as the sender wrote them.
    """

    path: tuple[str, ...]
    whole: bool
    body: bytes


@dataclass(slots=True)
class ObjectState:
    """The newest state of one object for one audience. A value; not frozen, because one is made for every broadcast.

    `body` is the whole object where its base is known: a PUT as received, or (`composed`) that with parts laid over
    it; `base` is the position of that PUT. Without one it is None and `parts` holds what is known, oldest first.
    `deleted` marks a tombstone. `unconfirmed` says that a push whose outcome is unknown may have changed it at the
    audience. `unpublished` says of a location that its owner has it in no list but for those an agreement names.
    """

    key: StateKey
    position: Position
    version: str
    body: bytes | None = None
    composed: bool = False
    parts: tuple[Part, ...] = ()
    last_updated: str | None = None
    deleted: bool = False
    unconfirmed: bool = False
    base: Position | None = None
    unpublished: bool = False

    @property
    def empty(self) -> bool:
        """Nothing is known but that something was begun at this position."""
        return self.body is None and not self.parts and not self.deleted


def key_of(event: Event, audience: PartyId | None) -> StateKey:
    """The key of the object that an event is about, for this audience."""
    return StateKey(event.owner, event.module, event.object_id.upper(), event.variant, audience)


def needs_base(event: Event) -> bool:
    """Whether the state after this event depends on the state before it."""
    return event.operation is Operation.PATCH or (event.operation is Operation.PUT and len(event.path) > 3)


def after(
    before: ObjectState | None,
    event: Event,
    position: Position,
    *,
    audience: PartyId | None,
    last_updated: str | None = None,
) -> ObjectState:
    """The state once `event` at `position` is applied to `before`."""
    key = key_of(event, audience)
    if event.operation is Operation.DELETE:
        return ObjectState(key, position, event.version, deleted=True, base=position)
    if not needs_base(event):
        return ObjectState(
            key, position, event.version, body=event.payload, last_updated=last_updated, base=position,
            unpublished=unpublished(event.module, event.payload),
        )  # fmt: skip
    new = request_of(event, position)
    if before is None or before.deleted or before.empty:
        return ObjectState(key, position, event.version, parts=(_part(new),), last_updated=last_updated)
    if before.body is not None:
        laid = lay(before.body, new.path, new, level=0)
        if laid is not None:
            hidden = unpublished(event.module, laid)
            parts = tuple(part for part in before.parts if not covered(new, _request(part, before.position)))
            return replace(
                before, key=key, position=position, body=laid, composed=True, parts=parts, last_updated=last_updated,
                unpublished=hidden,
            )  # fmt: skip
    folded = fold(tuple(_request(part, before.position) for part in before.parts), new)
    return replace(before, key=key, position=position, parts=tuple(_part(r) for r in folded), last_updated=last_updated)


def unpublished(module: str, body: bytes) -> bool:
    """Whether this is a location whose `publish` is false (OCPI 2.2.1, 8.3.1); one that cannot be read counts as such.

    Asked of every location that is broadcast, so what is plainly published is told without reading it.
    """
    if module != Module.LOCATIONS:
        return False
    at = body.find(_PUBLISH)
    if at >= 0 and body.find(_PUBLISH, at + 1) < 0 and _TRUE.match(body, at) is not None:
        return False
    try:
        location = digits.decode(body)
    except InvalidParameters:
        return True
    return not isinstance(location, dict) or location.get("publish") is False


def requests(state: ObjectState) -> tuple[Request, ...]:
    """What brings a recipient up to this state: one PUT or DELETE where the whole is known, else its parts."""
    if state.deleted:
        return (Request(Operation.DELETE, (), b"", state.position, composed=True),)
    whole: tuple[Request, ...] = ()
    if state.body is not None:
        whole = (Request(Operation.PUT, (), state.body, state.position, composed=True),)
    return whole + tuple(_request(part, state.position) for part in state.parts)


def untold(state: ObjectState) -> bool:
    """Whether it is gone, and nobody can be told so: its owner lists it no more."""
    return state.deleted and state.key.module not in DELETABLE


def whole_for(everybody: ObjectState | None, mine: ObjectState | None) -> Request | None:
    """The one request that brings a recipient to the state of everybody, if there is one that takes nothing back.

    `mine` is what this recipient alone was told: where that is newer than the PUT that the whole is built on, nobody
    but the owner knows what the recipient should have now. What it refused it does not have. The base of what was read
    from an owner is where the partition ended before it was asked: what stands just there came after its answer.
    """
    if everybody is None or everybody.empty or everybody.parts or untold(everybody):
        return None
    nothing = mine is None or (mine.empty and not mine.unconfirmed)
    if mine is not None and not nothing and (everybody.base is None or mine.position >= everybody.base):
        return None
    return requests(everybody)[0]


def _part(request: Request) -> Part:
    return Part(request.path, request.operation is Operation.PUT, request.body)


def _request(part: Part, position: Position) -> Request:
    operation = Operation.PUT if part.whole else Operation.PATCH
    return Request(operation, part.path, part.body, position, composed=True)
