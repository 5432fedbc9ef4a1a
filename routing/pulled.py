"""What the hub read from an object's owner, as it goes into object state: an event for nobody. Pure.

Sessions and CDRs go into that of the party of their cdr_token.

It names the end of the partition before the owner was asked, so what came in from there on may be newer than what was
read, and is laid over it; what came in before is part of it. The object's position moves only where its content does:
whoever waits for what it missed is not sent the same again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from connectors import digits
from connectors.errors import InvalidParameters
from routing.event import Event, Operation
from routing.log.port import Position
from routing.state import ObjectState, StateKey, after, key_of, unpublished


def read_key(event: Event) -> StateKey:
    """The key of the state that was read."""
    return key_of(event, event.kept_for)


def told_since(before: ObjectState | None, read: Position) -> bool:
    """Whether the whole object was PUT or DELETEd since, so that what was read of it is of no use."""
    if before is None or before.position < read:
        return False
    return before.deleted or (before.base is not None and before.base >= read)


def needs_later(before: ObjectState | None, event: Event) -> bool:
    """Whether parts came in since, which are to be laid over what was read."""
    if event.read is None or event.operation is Operation.DELETE or before is None:
        return False
    return before.position >= event.read and not told_since(before, event.read)


def after_pull(
    before: ObjectState | None, event: Event, position: Position, later: Iterable[tuple[Event, Position]] | None
) -> ObjectState | None:
    """The state for everybody once this was read; None: it stays as it is.

    `later` are the broadcasts of the object from `event.read` on, below `position`, in order; asked for where
    `needs_later`, None where nobody can say. `before` and the state are those of `event.kept_for`.
    """
    if event.read is None:
        raise ValueError("this event was not read from anybody")
    if before is not None and (before.position >= position or told_since(before, event.read)):
        return None
    if event.operation is Operation.DELETE:
        if before is None or before.deleted or before.position >= event.read:
            return None
        return ObjectState(read_key(event), position, event.version, deleted=True, base=event.read)
    state = ObjectState(
        read_key(event), event.read, event.version, body=event.payload, last_updated=event.last_updated,
        base=event.read, unpublished=unpublished(event.module, event.payload),
    )  # fmt: skip
    if needs_later(before, event):
        if later is None:
            return None
        for each, at in later:
            state = after(state, each, at, audience=None, last_updated=each.last_updated)
    if before is not None and not (before.deleted or before.parts or before.unconfirmed or state.parts):
        if _same(before.body, state.body):
            return None
    return replace(state, position=position)


def stored(state: ObjectState | None, read: Position) -> bool:
    """Whether the object state has at least what was read at `read`, as far as can be told from outside."""
    if state is None or state.body is None or state.parts:
        return state is not None and state.deleted and state.position >= read
    return True


def _same(one: bytes | None, other: bytes | None) -> bool:
    if one is None or other is None:
        return False
    if one == other:
        return True
    try:
        return digits.decode(one) == digits.decode(other)
    except InvalidParameters:
        return False
