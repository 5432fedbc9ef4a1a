"""Reads one list of one platform, page by page, onto the log; the worker has each object stored before the next page.

So whoever reads keeps pace with everything else, may stop after any page, and is resumed by whoever comes next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urljoin

from uuid_utils import uuid7

from connectors import headers
from connectors.client.origins import known
from connectors.errors import HubError, InvalidParameters
from connectors.values import InterfaceRole, Module, PartyId
from hub.edge.ports import Outbound, Signs
from hub.edge.rewriting import next_page
from hub.pulling import asking, page, progress
from hub.pulling.memory import Memory
from hub.pulling.page import Listed
from hub.pulling.progress import Progress
from routing import complete
from routing.clock import Clock
from routing.directory import Directory, Hosted, Party, Platform
from routing.event import Event, Operation, encode
from routing.getall import OWN
from routing.log.port import Log, Position, partition_of
from routing.outbound import Answered, limited, target
from routing.pulled import read_key, stored
from routing.state import StateKey
from routing.store.port import Lease, Selection, Store

PAGE: Final = 100
REST_SECONDS: Final = 0.1
"""The least rest between two pages; a platform that takes longer to answer rests as long as that took."""
STORED_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = (0.02, 0.05, 0.1, 0.25, 0.5)
_EXPIRES_MS: Final = 3_600_000
_PUBLISH_SECONDS: Final = 10.0
_STATES: Final = 500
_BEFORE_ALL: Final = 1_262_304_000_000
"""2010: there was no OCPI yet."""


class Reader:
    """Of one process. `hub` is the hub party, `within` the deadline of a page in seconds."""

    def __init__(
        self,
        *,
        store: Store,
        log: Log,
        client: Outbound,
        signs: Signs,
        directory: Callable[[], Directory],
        authorize: Callable[[Platform], str],
        clock: Clock,
        within: float,
    ) -> None:
        self._store = store
        self._log = log
        self._client = client
        self._signs = signs
        self._directory = directory
        self._authorize = authorize
        self._clock = clock
        self._within = within
        self._memory: dict[tuple[str, str], Memory] = {}

    def remembers(self, platform: str, module: str, so_far: Progress) -> bool:
        """Whether this process saw the list that is being read from its beginning, and can tell what it lacks."""
        memory = self._known((platform, module), so_far)
        return memory is not None and memory.ends is not None

    def _known(self, key: tuple[str, str], so_far: Progress) -> Memory | None:
        """What this process saw of it, unless another one read on meanwhile."""
        memory = self._memory.get(key)
        known = memory is not None and (memory.started, memory.pages) == (so_far.started, so_far.pages)
        return memory if known else None

    async def read(self, platform: str, module: str, so_far: Progress, lease: Lease) -> Progress:
        """Read on to the end of the list; how far it came is in the store. Raises OcpiError, LogError, StoreError."""
        key = platform, module
        memory = self._known(key, so_far)
        if memory is None:
            whole = so_far.since is None and not so_far.pages
            ends = await self._log.ends(_topic(module)) if whole else None
            memory = self._memory[key] = Memory(so_far.started, so_far.pages, ends)
        while (owner := progress.next_owner(so_far)) is not None:
            so_far = await self._page(platform, module, owner, so_far, memory, lease)
        gone = 0
        if memory.ends is not None and module not in OWN:  # what was charged and billed does not cease to be
            gone = await self._gone(platform, module, so_far, memory, memory.ends)
        ended = replace(so_far, ended=self._clock.utc(), gone=gone, last=so_far.started)
        if so_far.since is None:
            readers = map(PartyId.parse, so_far.readers) if module in OWN else None
            known = None if readers is None else frozenset(readers)
            for owner in map(PartyId.parse, so_far.owners):
                await complete.pulled(self._store, owner, module, so_far.started, known)
            ended = replace(ended, whole=so_far.started)
        await progress.write(self._store, platform, module, ended, lease)
        self._memory.pop(key, None)
        return ended

    async def _page(
        self, id: str, module: str, owner: PartyId, so_far: Progress, memory: Memory, lease: Lease
    ) -> Progress:
        """One page of this owner's list, onto the log and stored; how far that is then, in the store too."""
        to, owners = self._hosted(id, module, owner)
        ends = await self._log.ends(_topic(module))
        url = so_far.next or _first(to, module, so_far)
        answered = await self._get(to, url)
        listed = page.read(answered.body, module)
        sign = page.sign(listed)
        memory.check(owner, sign)
        following = following_page(to, url, answered.headers) or page.further(url, len(listed), answered.headers)
        if so_far.next is not None:
            following = page.back(url, so_far.total, answered.headers) or following
        first, same = so_far.first, False
        if so_far.next is None:
            first = page.first(listed, answered.headers, last=following is None)
            same = bool(first) and first == so_far.first
            if same:
                # this platform has one list of everybody's, whoever it is asked for, and it was read already
                listed, following = (), None
        if following is None and not same and so_far.since is None:
            page.check_whole(so_far.listed + len(listed), answered.headers)
        kept = [one for one in listed if one.owner in owners and self._here(one.reader)]
        events = [self._event(to.platform, owners[one.owner], module, one, Operation.PUT) for one in kept]
        await self._put(module, events, ends)
        await self._until_stored(events)
        now = self._clock.utc()
        so_far = replace(
            so_far, next=following, moved=now, tried=now, pages=so_far.pages + 1, first=first,
            covered=(*so_far.covered, str(owner)) if following is None else so_far.covered,
            listed=0 if following is None else so_far.listed + len(listed),
            objects=so_far.objects + len(events), total=page.total(answered.headers),
            foreign=so_far.foreign + len(listed) - len(events), failures=0, reason="",
        )  # fmt: skip
        await progress.write(self._store, id, module, so_far, lease)
        memory.add([read_key(event) for event in events])
        memory.came(owner, sign)
        memory.pages = so_far.pages
        await asyncio.sleep(max(REST_SECONDS, answered.ms / 1000))
        return so_far

    def _here(self, reader: PartyId | None) -> bool:
        """Whether what is kept for this party alone is anybody's here: nothing is kept of those who are not."""
        return reader is None or any(hosted.platform.registered for hosted in self._directory().hosted(reader))

    def _hosted(self, id: str, module: str, owner: PartyId) -> tuple[Hosted, Mapping[PartyId, Party]]:
        platform = self._directory().platforms.get(id)
        owners = {party.id: party for party in progress.owners_of(platform, module)} if platform is not None else {}
        if platform is None or not platform.registered or owner not in owners:
            raise HubError("it is suspended, not registered any more, or offers no such list")
        return Hosted(platform, owners[owner]), owners

    # --- the platform ------------------------------------------------------------------------------------------------

    async def _get(self, to: Hosted, url: str) -> Answered:
        sent = headers.write(to.party.id, self._directory().hub, str(uuid7()), str(uuid7()))
        sent["Authorization"] = self._authorize(to.platform)
        return await asking.get(self._client, self._signs, to, url, sent, within=self._within)

    # --- the log and the store ---------------------------------------------------------------------------------------

    async def _put(self, module: str, events: Sequence[Event], ends: Mapping[int, Position]) -> None:
        for event in events:
            event.read = ends[partition_of(event.key, len(ends))]
        records = [(event.key, encode(event), event.payload) for event in events]
        if records:
            await asyncio.shield(self._log.publish_all(_topic(module), records, within=_PUBLISH_SECONDS))

    def _event(self, platform: Platform, owner: Party, module: str, one: Listed, operation: Operation) -> Event:
        now = self._clock.utc()
        return Event(
            id=str(uuid7()), module=module, owner=one.owner, object_id=one.id, operation=operation,
            path=(*one.owner, one.id), query=f"type={one.variant}" if one.variant else "", audience=None,
            sender=one.owner, sender_role=owner.role, platform=platform.id, accepted=now, expires=now + _EXPIRES_MS,
            request_id=str(uuid7()), correlation_id=str(uuid7()), revision=self._directory().revision,
            payload=one.body, variant=one.variant, version=platform.version, last_updated=one.last_updated,
            kept_for=one.reader,
        )  # fmt: skip

    async def _until_stored(self, events: Sequence[Event]) -> None:
        """Raises HubError where that takes too long: no worker may be there. The page is asked for again then."""
        left = {read_key(event): event.read for event in events if event.read is not None}
        until = self._clock.monotonic() + STORED_SECONDS
        for pause in _pauses():
            states = await self._store.read_states(list(left))
            left = {key: end for key, end in left.items() if not stored(states.get(key), end)}
            if not left:
                return
            if self._clock.monotonic() > until:
                raise HubError(f"{len(left)} objects of a page are not stored yet: no worker has come to them")
            await asyncio.sleep(pause)

    async def _gone(self, id: str, module: str, so_far: Progress, memory: Memory, ends: Mapping[int, Position]) -> int:
        """What was known before the list was read, and is not in it, becomes a tombstone; how many."""
        count = 0
        for owner in map(PartyId.parse, so_far.owners):
            to, owners = self._hosted(id, module, owner)
            wanted = Selection(module, None, (owner,), frozenset((owner,)))
            after: StateKey | None = None
            while states := await self._store.list_states(wanted, after=after, limit=_STATES):
                after = states[-1].key
                lost: list[Event] = []
                for state in states:
                    if state.key not in memory:
                        gone = Listed(owner, state.key.object_id, state.key.variant, None, b"")
                        event = self._event(to.platform, owners[owner], module, gone, Operation.DELETE)
                        if state.position < ends[partition_of(event.key, len(ends))]:
                            lost.append(event)
                await self._put(module, lost, ends)
                count += len(lost)
        return count


def _first(to: Hosted, module: str, so_far: Progress) -> str:
    """The URL of the first page. Raises HubError."""
    query = f"offset=0&limit={PAGE}"
    since = so_far.since
    if since is None and module == Module.SESSIONS:
        since = _BEFORE_ALL  # a list of sessions cannot be asked for without it (9.2.1.1)
    if since is not None:
        moment = datetime.fromtimestamp(since / 1000, UTC).isoformat(timespec="seconds")
        query = f"date_from={moment.replace('+00:00', 'Z')}&{query}"
    return target(to.platform, module, InterfaceRole.SENDER, (), limited(to.platform, query))


def following_page(to: Hosted, url: str, answered: Mapping[str, str]) -> str | None:
    """The next page's URL, None on the last one. Raises HubError where it cannot be followed."""
    following = next_page(answered)
    if following is None:
        return None
    try:
        following = urljoin(url, following)
        trusted = known(following, to.platform.known_origins)
    except (InvalidParameters, ValueError):
        trusted = False
    if not trusted:
        raise HubError("its next page (Link) is not at an origin that it registered")
    if following == url:
        raise HubError("its next page (Link) is the page itself")
    return following


def _pauses() -> Iterator[float]:
    yield from _LOOK_SECONDS
    while True:
        yield _LOOK_SECONDS[-1]


def _topic(module: str) -> str:
    return f"ocpi.{module}"
