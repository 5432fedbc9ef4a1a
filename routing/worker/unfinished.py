"""What still waits for a platform and builds on what a mark covered: while it does, the mark may not end."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.values import PartyId
from routing.event import Event
from routing.fold import Request, replaces_all
from routing.log.port import Position
from routing.state import needs_base
from routing.store.port import Mark
from routing.worker.lane import Lane
from routing.worker.owned import Owned
from routing.worker.ports import Resolver
from routing.worker.slot import SlotKey, Wave, object_name


def lowest_part(mark: Mark, owned: Owned, lane: Lane | None, resolver: Resolver) -> Position | None:
    """Where the first part waits that this worker would send whole because of `mark`; None where there is none.

    A resync leaves such an object out, since its newest state is that part. Were the mark gone when another worker
    takes over, that one would send the part alone, to somebody who never got what it belongs to.
    """
    return min(_parts(mark, owned, lane, resolver), default=None)


def _parts(mark: Mark, owned: Owned, lane: Lane | None, resolver: Resolver) -> Iterator[Position]:
    def arrived(key: SlotKey) -> bool:
        """As a whole since the mark stands: parts after that lack nothing."""
        whole = None if lane is None else lane.whole(owned.tp, key)
        return whole is not None and whole >= mark.position

    for item in owned.backlog:
        event = item.event
        if event is not None and event.audience is None and needs_base(event):
            parties = _parties(mark, event, resolver)
            if not all(arrived(SlotKey(object_name(event), party)) for party in parties):
                yield item.record.position
    for slot in [] if lane is None else lane.of(owned.tp):
        if mark.party in (None, slot.key.recipient) and not arrived(slot.key):
            for wave in slot.queue:
                if isinstance(wave, Wave) and not all(map(_is_own, wave.requests)):
                    yield wave.entries[0].position


def _is_own(request: Request) -> bool:
    """Whether it is the whole object, or its end, as its owner said it: what was made whole here was a part."""
    return replaces_all(request) and not request.composed


def _parties(mark: Mark, event: Event, resolver: Resolver) -> list[PartyId]:
    hosted = resolver.resynced(mark.platform, event.owner, event.module)
    return [one.party.id for one in hosted if mark.party in (None, one.party.id)]
