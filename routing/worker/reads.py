"""What was read from owners: its place in object state, with what came in meanwhile laid over it, and no recipient.

What is kept for one party (sessions, CDRs) is left as it is where that was told of it meanwhile, or is being told: only
its answer says what it has, and periods that a PATCH appends must not be there twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from routing.event import Event, Poison, decode
from routing.log.port import Consumer, LogError, Position
from routing.pulled import after_pull, needs_later
from routing.state import ObjectState
from routing.worker.owned import Item
from routing.worker.ports import Observer

_MOST: Final = 5000
"""Records that are looked through for what came in meanwhile; where there are more, the object is read again."""
_WITHIN: Final = 3.0


class Reads:
    """One instance a worker."""

    def __init__(self, *, consumer: Consumer, observer: Observer) -> None:
        self._consumer = consumer
        self._observer = observer

    async def next_state(self, item: Item, event: Event, before: ObjectState | None) -> tuple[ObjectState | None, bool]:
        """The state for everybody after what was read, None: it stays as it is; and whether it has what was read."""
        position = item.entry.position
        later: Sequence[tuple[Event, Position]] | None = None
        if event.kept_for is None:
            later = await self._later(item, event) if needs_later(before, event) else ()
        return after_pull(before, event, position, later), later is not None

    async def _later(self, item: Item, event: Event) -> Sequence[tuple[Event, Position]] | None:
        """The broadcasts of this object from the beginning of the reading on; None where the log does not tell."""
        if event.read is None:
            return ()
        end, key = item.entry.position, item.record.key
        try:
            async with asyncio.timeout(_WITHIN):
                records = await self._consumer.fetch(item.owned.tp, event.read, max_records=_MOST)
        except (LogError, TimeoutError) as error:
            self._observer.trouble(f"what came in while {event.object_id} was read cannot be looked up: {error}")
            return None
        if len(records) >= _MOST and records[-1].position < end:
            return None
        found: list[tuple[Event, Position]] = []
        for record in records:
            if record.position >= end:
                break
            if record.key == key:
                try:
                    each = decode(record.headers, record.value)
                except Poison:
                    continue
                same = each.audience is None and each.read is None and each.variant == event.variant
                if same and record.append_time <= each.expires:
                    found.append((each, record.position))
        return found


def being_told(item: Item, event: Event) -> bool:
    """Whether this was read for one party, and a directed push of the object that came in since is not settled."""
    if event.read is None or event.kept_for is None:
        return False
    for entry in reversed(item.owned.tracker.entries):
        if entry.position < event.read:
            return False
        if entry.directed and not entry.settled and entry.key == item.record.key:
            return True
    return False
