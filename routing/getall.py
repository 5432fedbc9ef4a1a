"""GET all: whose objects a caller reads in one list of everybody's (OCPI 2.2.1, 4.4.2.4). Pure.

A list without somebody's objects would have its reader delete them, so an owner that may have some is in it, whether
the hub has them or not; what it lacks is said by `complete`.
"""

from __future__ import annotations

from typing import Final

from connectors.values import InterfaceRole, Module, PartyId, Role
from routing.directory import Directory, Hosted, Party, Platform, Status
from routing.resolve import receives, serving
from routing.store.port import Selection

_ALWAYS: Final = frozenset((Role.CPO, Role.EMSP, Role.NSP))
"""Roles that own what they serve, even where their version details offer no list of it: they may push it only."""

OWN: Final = frozenset((Module.SESSIONS, Module.CDRS))
"""Modules of which a list has those of its reader, whatever its role, and no others."""

ISSUERS: Final = (Role.EMSP, Role.OTHER)
"""Roles that are named in a cdr_token; who gets sessions and CDRs by an agreement has only those that are pushed."""


def owners(
    directory: Directory, platform: Platform, reader: Party, module: str, complete: frozenset[PartyId]
) -> tuple[PartyId, ...]:
    """Everyone that may own objects of `module` which `reader`, of `platform`, may see.

    As with broadcasts: opposite roles, never the reader's own platform, whom an agreement allows; one that names the
    reader makes up for a role. Other roles than the usual ones own where they offer a list, or are `complete`. Who is
    suspended or offline has not taken back what it said; who was removed has.
    """
    fit = serving(module, InterfaceRole.SENDER)
    found = {
        hosted.party.id: None
        for hosted in directory.everyone()
        if hosted.party.role in fit
        and hosted.platform.id != platform.id
        and hosted.party.id != reader.id
        and hosted.platform.registered
        and hosted.platform.status is not Status.SUSPENDED
        and _owns(hosted, module, complete)
        and _sees(directory, hosted.party, reader, module)
    }
    return tuple(found)


def _owns(hosted: Hosted, module: str, complete: frozenset[PartyId]) -> bool:
    if hosted.party.role in _ALWAYS or hosted.party.id in complete:
        return True
    return hosted.platform.endpoint(module, InterfaceRole.SENDER) is not None


def _sees(directory: Directory, owner: Party, reader: Party, module: str) -> bool:
    if not directory.agreements.allows(reader.id, owner.id, module):
        return False
    if module in OWN or receives(owner.role, reader.role, module):
        return True
    return directory.agreements.names(owner.id, reader.id, module)


def selection(
    directory: Directory,
    reader: PartyId,
    module: str,
    owners: tuple[PartyId, ...],
    since: int | None,
    before: int | None,
) -> Selection:
    """What the list of these owners has: what was said to everybody, or what is the reader's (`OWN`)."""
    named = frozenset(owner for owner in owners if directory.agreements.names(owner, reader, module))
    return Selection(module, reader if module in OWN else None, owners, named, since, before)
