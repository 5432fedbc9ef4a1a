"""Object state: what the hub knows to be the newest state of an object, for everybody or for one recipient.

The value is the newest PUT as received, with what was PUT or PATCHed in it since laid over it, every digit kept.
Where no PUT is known the parts stand alone. Written only by the owner of the object's partition, conditional on a
greater position. All of this is pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from connectors.values import PartyId
from routing.log.port import Position


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


@dataclass(frozen=True, slots=True)
class ObjectState:
    """The newest state of one object for one audience.

    `body` is the whole object where its base is known: a PUT as received, or (`composed`) that with parts laid over
    it. Without a base it is None and `parts` holds what is known, oldest first. `deleted` marks a tombstone.
    `unconfirmed` says that a push whose outcome is unknown may have changed it at the audience.
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
