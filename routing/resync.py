"""Resync: what brings a platform up to date that missed something of an object (DESIGN, marks). Pure.

It gets the newest state, once, however much it missed. What goes out is an exchange of its own: it bears the hub's own
correlation id, which names the position that it stands for.
"""

from __future__ import annotations

from typing import Final

import orjson

from connectors.values import Module, PartyId, Role
from routing import resolve
from routing.directory import Directory, Hosted, Status
from routing.event import Event, Operation
from routing.fold import Request
from routing.log.port import Position, TopicPartition
from routing.reading import Sought
from routing.state import ObjectState, requests, untold, whole_for

PREFIX: Final = "resync-"
"""What the correlation id of everything begins with that a resync sends."""


def correlation_id(tp: TopicPartition, position: Position) -> str:
    """It tells where on the log the newest event stands that this brings; at most 36 characters (OCPI 2.2.1, 4.2)."""
    return f"{PREFIX}{tp.topic.removeprefix('ocpi.')}-{tp.partition}-{position.offset}"


def event_of(state: ObjectState, tp: TopicPartition) -> Event:
    """The state, as its owner would say it to everybody now."""
    owner, module, _, variant, _ = state.key
    object_id = _id(state)
    return Event(
        id="", module=module, owner=owner, object_id=object_id, operation=Operation.PUT,
        path=(owner.country_code, owner.party_id, object_id), query=f"type={variant}" if variant else "",
        audience=None, sender=owner, sender_role=Role.OTHER, platform="", accepted=0, expires=0, request_id="",
        correlation_id=correlation_id(tp, state.position), revision=0, payload=b"", variant=variant,
        version=state.version,
    )  # fmt: skip


def wanted(
    everybody: ObjectState | None, mine: ObjectState | None, read: Position | None = None
) -> tuple[Request, ...] | None:
    """What one recipient is sent: nothing where it was told as much, None where only the owner knows what it should be.

    `mine` is what it alone was told; what stands below `read` of that, where the owner was asked, is part of the state.
    Of an object whose whole is not known it gets the parts.
    """
    if mine is not None and read is not None and mine.position < read:
        mine = None
    if everybody is None or everybody.empty or untold(everybody):
        return ()
    if mine is not None and mine.position >= everybody.position:
        return None if mine.unconfirmed else ()
    whole = whole_for(everybody, mine)
    if whole is not None:
        return (whole,)
    return requests(everybody) if mine is None else None


def recipients(directory: Directory, platform: str, owner: PartyId, module: str) -> tuple[Hosted, ...]:
    """Those on this platform that a broadcast of this owner goes to now."""
    found: dict[PartyId, Hosted] = {}
    for hosted in directory.hosted(owner):
        for one in resolve.broadcast(directory, hosted.platform, hosted.party, module):
            if one.platform.id == platform:
                found[one.party.id] = one
    return tuple(found.values())


def may_have(directory: Directory, platform: str, party: PartyId | None = None) -> bool:
    """Whether anything is sent to this platform at all: it is there, not suspended, and its resync is not off.

    Of one party, or of any: a platform all of whose parties are suspended or removed gets nothing either.
    """
    there = directory.platforms.get(platform)
    if there is None or not there.registered or there.status is Status.SUSPENDED or not there.settings.resync:
        return False
    return any(
        party in (None, one.id) and not one.suspended and not one.removed
        for one in (*there.parties, *directory.beyond(platform))
    )  # fmt: skip


def left_out(directory: Directory, platform: str) -> tuple[PartyId, ...]:
    """The parties of this platform that get nothing of what it missed, because they are suspended."""
    there = directory.platforms.get(platform)
    parties = there.parties if there is not None else ()
    return tuple(dict.fromkeys(one.id for one in parties if one.suspended and not one.removed))


def reachable(directory: Directory, platform: str) -> bool:
    """Whether it answered when it was asked last (OCPI 2.2.1, 14.4.2)."""
    there = directory.platforms.get(platform)
    return there is not None and there.status is Status.CONNECTED


def sought(state: ObjectState) -> Sought:
    """The object, as its owner is asked for it."""
    owner, module, object_id, variant, _ = state.key
    written = _written(state)
    return Sought(
        owner, module, object_id if written is None else written, variant, certain=written is not None,
        since=state.last_updated,
    )  # fmt: skip


def _id(state: ObjectState) -> str:
    """The object's id as its owner writes it, where that is known."""
    return _written(state) or state.key.object_id


def _written(state: ObjectState) -> str | None:
    if state.body is not None:
        try:
            body = orjson.loads(state.body)
        except orjson.JSONDecodeError:
            body = None
        found = body.get("uid" if state.key.module == Module.TOKENS else "id") if isinstance(body, dict) else None
        if isinstance(found, str) and found.upper() == state.key.object_id:
            return found
    return None
