"""How far a list of a platform was read: a small fact in the store, and what is to be done next.

A list is a module of a platform. It is read whole after a registration and when an operator asks, by dates once a day
where that is set. Who reads on, after a failure or in another process, begins with the page that comes next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final, NamedTuple

import orjson

from connectors.values import InterfaceRole, PartyId
from routing.complete import MODULES
from routing.directory import Directory, Party, Platform
from routing.getall import ISSUERS, OWN
from routing.resolve import serving
from routing.store.port import Lease, Store

PULLED: Final = MODULES
"""The modules whose lists are read: all of which the hub keeps the objects."""

DAY_MS: Final = 86_400_000
STALE_MS: Final = 3_600_000
"""A list that nobody could read on for so long is begun anew: what was read of it may have changed."""
OVERLAP_MS: Final = 300_000
"""So much earlier than the last reading began another one by dates begins: clocks differ."""
BACKOFF_MS: Final = (2_000, 5_000, 15_000, 60_000, 300_000)

_READ: Final = "pull/"
_ASKED: Final = "pull-asked/"


class Plan(StrEnum):
    """What is to be done about a list now."""

    WHOLE = "whole"
    DELTA = "delta"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Progress:
    """Moments are UTC ms.

    `since` is where a reading by dates begins, None: whole. `covered` are the owners whose lists were read, `owners`
    all that there are; `readers` are those for whom it is read, of sessions and CDRs. `next` is the URL of the next
    page of the owner whose list is being read, None: the first one; `listed` is how many it has on the pages so far,
    `first` tells its first page from others, or that of the owner before. `moved` is when the last page was read,
    `tried` when one was asked for. `gone` are objects that the list has no more, `foreign` those of others than this
    platform's parties, or for nobody here, which are passed over. `last` and `whole` are the beginnings of the last
    reading that ended, and of the last whole one.
    """

    started: int
    owners: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    since: int | None = None
    next: str | None = None
    listed: int = 0
    first: str = ""
    covered: tuple[str, ...] = ()
    moved: int = 0
    tried: int = 0
    pages: int = 0
    objects: int = 0
    total: int | None = None
    gone: int = 0
    foreign: int = 0
    failures: int = 0
    reason: str = ""
    ended: int | None = None
    last: int | None = None
    whole: int | None = None


_FIELDS: Final = frozenset(field.name for field in fields(Progress))


class Whose(NamedTuple):
    """Whose a list is, and for whom it is read: the parties that may own what is kept for one alone, else nobody."""

    owners: tuple[str, ...]
    readers: tuple[str, ...] = ()


def due(progress: Progress | None, asked: int | None, whose: Whose, now: int, *, daily: bool) -> Plan | None:
    """What is to be done about a list; None: nothing now."""
    owners = whose.owners
    if progress is None or (asked is not None and asked > progress.started):
        return Plan.WHOLE
    if progress.ended is None:
        if progress.failures:
            wait = BACKOFF_MS[min(progress.failures, len(BACKOFF_MS)) - 1]
            if now < progress.tried + wait:
                return None
        stale = progress.pages > 0 and now - progress.moved > STALE_MS and progress.since is None
        return Plan.WHOLE if stale or progress.owners != owners else Plan.RESUME
    if not (set(owners) <= set(progress.owners) and set(whose.readers) <= set(progress.readers)):
        return Plan.WHOLE
    return Plan.DELTA if daily and now - progress.started >= DAY_MS else None


def begun(before: Progress | None, plan: Plan, whose: Whose, now: int) -> Progress:
    """The progress of a reading that begins."""
    last, whole = (before.last, before.whole) if before is not None else (None, None)
    since = last - OVERLAP_MS if plan is Plan.DELTA and last is not None else None
    return Progress(
        started=now, owners=whose.owners, readers=whose.readers, since=since, moved=now, last=last, whole=whole
    )


def owners_of(platform: Platform, module: str) -> tuple[Party, ...]:
    """The parties of a platform that own what it lists of a module, in order; none where it offers no list.

    Whoever is suspended is not asked.
    """
    if platform.endpoint(module, InterfaceRole.SENDER) is None:
        return ()
    fit = serving(module, InterfaceRole.SENDER)
    found = {
        party.id: party for party in platform.parties
        if party.role in fit and not party.removed and not party.suspended
    }  # fmt: skip
    return tuple(found[id] for id in sorted(found))


def whose(platform: Platform, module: str, readers: tuple[str, ...]) -> Whose:
    """Whose the list of a platform is, and for whom of these `readers` it is read."""
    owners = tuple(str(party.id) for party in owners_of(platform, module))
    return Whose(owners, readers if module in OWN else ())


def readers(directory: Directory) -> tuple[str, ...]:
    """For whom lists are read that are kept for one party alone."""
    found = {
        hosted.party.id
        for hosted in directory.everyone()
        if hosted.party.role in ISSUERS and hosted.platform.registered
    }
    return tuple(str(id) for id in sorted(found))


# --- in the store ----------------------------------------------------------------------------------------------------


async def read(store: Store) -> dict[tuple[str, str], Progress]:
    """By platform id and module. Raises StoreAway."""
    return {_named(name, _READ): _decode(value) for name, value in (await store.list_meta(_READ)).items()}


async def write(store: Store, platform: str, module: str, progress: Progress, lease: Lease | None = None) -> None:
    """Raises StoreAway, and LeaseLost."""
    await store.set_meta(_name(_READ, platform, module), orjson.dumps(asdict(progress)), lease=lease)


async def forget(store: Store, platform: str, module: str) -> None:
    """Raises StoreAway."""
    await store.remove_meta(_name(_READ, platform, module))
    await store.remove_meta(_name(_ASKED, platform, module))


async def ask(store: Store, platform: str, module: str, now: int) -> None:
    """Have the list read anew, by whichever process reads. Raises StoreAway."""
    await store.set_meta(_name(_ASKED, platform, module), str(now).encode())


async def asked(store: Store) -> dict[tuple[str, str], int]:
    """When it was asked for last, by platform id and module. Raises StoreAway."""
    return {_named(name, _ASKED): int(value) for name, value in (await store.list_meta(_ASKED)).items()}


def of_platforms(known: Mapping[tuple[str, str], Progress], platforms: set[str]) -> dict[tuple[str, str], Progress]:
    """Those of these platforms only."""
    return {key: progress for key, progress in known.items() if key[0] in platforms}


def next_owner(progress: Progress) -> PartyId | None:
    """Whose list is read now; None: all were."""
    left = [owner for owner in progress.owners if owner not in progress.covered]
    return PartyId.parse(left[0]) if left else None


def _decode(value: bytes) -> Progress:
    given: dict[str, Any] = {name: one for name, one in orjson.loads(value).items() if name in _FIELDS}
    for name in ("owners", "readers", "covered"):
        given[name] = tuple(given.get(name, ()))
    return Progress(**given)


def _name(prefix: str, platform: str, module: str) -> str:
    return f"{prefix}{module}/{platform}"


def _named(name: str, prefix: str) -> tuple[str, str]:
    module, _, platform = name.removeprefix(prefix).partition("/")
    return platform, module
