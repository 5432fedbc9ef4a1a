"""What a directed push leaves behind: the state at its audience, as a function of what is known when it is written.

All of this is pure. It is worked out when the store is asked for what it builds on, which may be later than the
answer of the recipient: a store that is away holds up no push.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from routing.classify import FOR_EVERYONE
from routing.event import Event
from routing.log.port import Position
from routing.outbound import Answered
from routing.state import ObjectState, StateKey, after, key_of, needs_base

Known = Mapping[StateKey, ObjectState]


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The state of `key` is what `make` gives of those of `bases` that are known; `size` is about its bytes."""

    key: StateKey
    bases: tuple[StateKey, ...]
    make: Callable[[Known], ObjectState]
    size: int


def answered(event: Event, position: Position, answer: Answered) -> Aftermath:
    """After an answer of the recipient: what it took, or what it had."""
    if 1000 <= answer.status_code < 2000:
        return _taken(event, position)
    return touched(event, position)


def touched(event: Event, position: Position, *, unconfirmed: bool = False) -> Aftermath:
    """What this audience had before, as of now: something as new was begun, so nothing older may follow it.

    `unconfirmed` where nobody knows what became of it.
    """
    key = key_of(event, event.audience)

    def make(known: Known) -> ObjectState:
        there = known.get(key)
        if there is None:
            return ObjectState(key, position, event.version, unconfirmed=unconfirmed)
        newest = max(there.position, position)
        return replace(there, position=newest, unconfirmed=unconfirmed or there.unconfirmed)

    return Aftermath(key, (key,), make, 0)


def _taken(event: Event, position: Position) -> Aftermath:
    """A part is laid over the newer of what everybody and what this audience was told before it."""
    key = key_of(event, event.audience)
    bases: tuple[StateKey, ...] = ()
    if needs_base(event):
        bases = (key, key_of(event, None)) if event.module in FOR_EVERYONE else (key,)

    def make(known: Known) -> ObjectState:
        told = [state for state in known.values() if not state.empty and state.position < position]
        before = max(told, key=lambda state: state.position, default=None)
        return after(before, event, position, audience=event.audience, last_updated=event.last_updated)

    return Aftermath(key, bases, make, len(event.payload))
