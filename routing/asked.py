"""Everything once more: what an operator asks for a party that is newly connected, newly allowed, or lost what it had.

A mark of that party alone for each partition that has anything for it, worked off like every other mark; beside them a
small fact in the store for each platform and module, which tells how many objects that is and what became of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from connectors.values import Module, PartyId
from routing.directory import Directory, Platform
from routing.event import key
from routing.log.port import Log, Position, TopicPartition, partition_of
from routing.resync import recipients
from routing.state import untold
from routing.store.port import Conflict, Mark, MarkKey, Store

MODULES: Final = (Module.LOCATIONS, Module.TARIFFS, Module.TOKENS)
"""Those whose objects are for everybody, and so can be sent again."""

WHY: Final = "an operator asked for it"
OVERLAP_MS: Final = 5_000
"""So much earlier than it is said a resync since a moment begins: clocks differ."""

_PREFIX: Final = "resync/"
_PAGE: Final = 500
_LAST: Final = Position(2**62, 0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for one party on one platform, of one module. Moments are UTC ms.

    `since`: only what changed since then; None: everything. `of` is how many objects that is, by partition; `ended`
    the partitions that are done: how many of them were brought, and how many were skipped, since the party is not to
    have them any more.
    """

    party: PartyId
    platform: str
    module: str
    asked: int
    since: int | None = None
    of: Mapping[int, int] = field(default_factory=dict)
    ended: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def objects(self) -> int:
        return sum(self.of.values())

    @property
    def skipped(self) -> int:
        return sum(skipped for _, skipped in self.ended.values())

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return all(partition in self.ended for partition, count in self.of.items() if count)

    def done(self, marks: Iterable[Mark]) -> int:
        """How many objects were brought by now, as far as the marks tell."""
        sent = {partition: brought for partition, (brought, _) in self.ended.items()}
        for mark in marks:
            if mark.asked == self.asked and mark.key == self.key(mark.tp.partition):
                sent[mark.tp.partition] = min(mark.sent, self.of.get(mark.tp.partition, 0))
        return sum(sent.values())

    def key(self, partition: int) -> MarkKey:
        """Of the mark in this partition."""
        return MarkKey(self.platform, TopicPartition(f"ocpi.{self.module}", partition), self.party)


@dataclass(frozen=True, slots=True)
class Counted:
    """What would be sent, and from which position on in each partition."""

    asked: Asked
    starts: Mapping[int, Position]


async def read(store: Store, party: PartyId) -> Sequence[Asked]:
    """What was asked for this party, the last of each platform and module. Raises StoreAway."""
    stored = await store.list_meta(f"{_PREFIX}{party}/")
    return [_decode(stored[name]) for name in sorted(stored)]


class Asking:
    """Has it counted, and done. `directory` gives the current snapshot."""

    def __init__(self, store: Store, log: Log, directory: Callable[[], Directory], now: Callable[[], int]) -> None:
        self._store = store
        self._log = log
        self._directory = directory
        self._now = now

    async def count(self, platform: Platform, party: PartyId, module: str, since: int | None) -> Counted:
        """How many objects it would be. Raises StoreAway, LogAway. It looks at every object that changed `since`."""
        partitions = self._log.partitions
        begins: Mapping[int, Position] = {}
        if since is not None:
            begins = await self._log.at(f"ocpi.{module}", since - OVERLAP_MS)
        starts = {partition: begins.get(partition, Position(0, 0)) for partition in range(partitions)}
        asked = Asked(party, platform.id, module, self._now(), since)
        before = _LAST
        of: Counter[int] = Counter()
        gets: dict[PartyId, bool] = {}
        while states := await self._store.list_changed(module, since=min(starts.values()), before=before, limit=_PAGE):
            for state in states:
                owner = state.key.owner
                if owner not in gets:
                    told = recipients(self._directory(), platform.id, owner, module)
                    gets[owner] = any(one.party.id == party for one in told)
                partition = partition_of(key(owner, module, state.key.object_id), partitions)
                if gets[owner] and state.position >= starts[partition] and not state.empty and not untold(state):
                    of[partition] += 1
            before = states[-1].position
        return Counted(replace(asked, of=dict(of)), starts)

    async def ask(self, counted: Counted) -> None:
        """Have the workers send it; what was asked for before of the same is over with it. Raises StoreAway."""
        asked = counted.asked
        await self._store.set_meta(_name(asked.party, asked.module, asked.platform), _encode(asked))
        for partition, objects in asked.of.items():
            if objects:
                await self._mark(asked, partition, counted.starts[partition])

    async def _mark(self, asked: Asked, partition: int, start: Position) -> None:
        platform, tp, party = asked.key(partition)
        while True:
            known = {mark.key: mark for mark in await self._store.load_marks()}.get(asked.key(partition))
            wanted = Mark(platform, tp, start, asked.asked, WHY, party=party, asked=asked.asked)
            if known is not None:  # whoever works it off meets another revision, and begins anew
                wanted = replace(wanted, revision=known.revision)
            try:
                await self._store.save_mark(wanted)
            except Conflict:
                continue
            return


async def ended(store: Store, mark: Mark, sent: int, *, skipped: bool = False) -> None:
    """Keep what became of a mark that is over; of one that was asked for anew meanwhile nothing. Raises StoreAway."""
    if mark.party is None:
        return
    name = _name(mark.party, mark.tp.topic.removeprefix("ocpi."), mark.platform)
    stored = await store.get_meta(name)
    while stored:
        before = _decode(stored)
        if before.asked != mark.asked:
            return
        objects = before.of.get(mark.tp.partition, 0)
        told = (min(sent, objects), max(objects - sent, 0)) if skipped else (objects, 0)
        after = _encode(replace(before, ended={**before.ended, mark.tp.partition: told}))
        now = await store.add_meta(name, after, after=stored)
        if now == after:
            return
        stored = now


def _name(party: PartyId, module: str, platform: str) -> str:
    return f"{_PREFIX}{party}/{module}/{platform}"


def _encode(asked: Asked) -> bytes:
    return orjson.dumps(
        {
            "party": str(asked.party),
            "platform": asked.platform,
            "module": asked.module,
            "asked": asked.asked,
            "since": asked.since,
            "of": {str(partition): objects for partition, objects in sorted(asked.of.items())},
            "ended": {str(partition): told for partition, told in sorted(asked.ended.items())},
        }
    )


def _decode(stored: bytes) -> Asked:
    found: dict[str, Any] = orjson.loads(stored)
    return Asked(
        PartyId.parse(found["party"]), found["platform"], found["module"], found["asked"], found["since"],
        {int(partition): objects for partition, objects in found["of"].items()},
        {int(partition): (told[0], told[1]) for partition, told in found["ended"].items()},
    )  # fmt: skip
