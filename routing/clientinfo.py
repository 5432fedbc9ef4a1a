"""HubClientInfo: which parties there are and how they are connected, as one platform may see it (OCPI 2.2.1, 14). Pure.

Whom a platform may not deal with at all is shown to it as PLANNED. When a status changed is remembered for each
platform that looks (`Told`), because it depends on who looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.values import Module, PartyId, Role
from routing.directory import Directory, Party, Platform, Status

_ABOUT: Final = tuple(module for module in Module if module is not Module.CREDENTIALS)


class Client(NamedTuple):
    """A party in one role: what a ClientInfo object is about."""

    party: PartyId
    role: Role


@dataclass(frozen=True, slots=True)
class Told:
    """A status, since when (UTC ms) it is shown, and whether the platform that looks has taken it."""

    status: Status
    since: int
    taken: bool = False


def status_of(platform: Platform, party: Party) -> Status:
    """The ConnectionStatus of this party, for whoever may deal with it (14.4.2)."""
    if platform.removed or party.removed:
        return Status.SUSPENDED
    if party.said not in (None, Status.CONNECTED):
        return party.said or Status.OFFLINE
    if party.suspended:
        return Status.OFFLINE
    return platform.status if platform.registered else Status.PLANNED


def shown_to(directory: Directory, viewer: Platform) -> dict[Client, Status]:
    """Every party but the viewer's own, in an order that does not change with their statuses.

    Another hub is not shown who is behind a hub, itself or a third: it would tell them on, and calls would go round.
    """
    mine = {party.id for party in viewer.parties if not party.removed}
    found: dict[Client, Status] = {}
    for platform in sorted(directory.platforms.values(), key=_newest_last):
        if platform.id == viewer.id:
            continue
        for party in platform.parties:
            if party.id not in mine:
                found[Client(party.id, party.role)] = status_of(platform, party)
        if not platform.removed:
            for id, role in platform.invited:
                if id not in mine:
                    found.setdefault(Client(id, role), Status.PLANNED)
    if not any(party.role is Role.HUB for party in viewer.parties):
        for platform in directory.platforms.values():
            for party in directory.beyond(platform.id) if platform.id != viewer.id else ():
                if party.id not in mine:
                    found[Client(party.id, party.role)] = status_of(platform, party)
    return {
        client: status if status is Status.SUSPENDED or _may_deal(directory, mine, client.party) else Status.PLANNED
        for client, status in sorted(found.items())
    }


def told_now(before: Mapping[Client, Told], shown: Mapping[Client, Status], now: int) -> dict[Client, Told]:
    """What was told, brought up to what is shown: a status that changed is so since `now`, and not taken yet.

    Nothing is ever taken from the list, as OCPI's clients are not (14.2): one that is not shown any more was never
    the viewer's to see again, and is SUSPENDED.
    """
    after: dict[Client, Told] = {}
    for client in sorted({*before, *shown}):
        status = shown.get(client, Status.SUSPENDED)
        known = before.get(client)
        after[client] = known if known is not None and known.status is status else Told(status, now)
    return after


def _newest_last(platform: Platform) -> tuple[bool, int, str]:
    """A platform that is gone gives way to one that came back with the same parties."""
    return not platform.removed, platform.updated, platform.id


def _may_deal(directory: Directory, mine: Iterable[PartyId], other: PartyId) -> bool:
    allows = directory.agreements.allows
    return any(allows(one, other, module) for one in mine for module in _ABOUT)
