"""Two hubs in a row: what another hub says of the parties behind it, and the rules by which nothing goes round. Pure.

OCPI says only that the routing headers stay as they are (2.2.1, 4.4); a chain has two hubs here, never three.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from connectors.values import PartyId, Role
from routing.directory import Beyond, Directory, Hosted, Party, Platform, Status

MAX_BEYOND: Final = 5_000
"""Parties behind one hub at most: they stand in its record."""

_SILENT: Final = frozenset((Status.SUSPENDED, Status.PLANNED))


class TooMany(ValueError):
    """A hub told of more parties than are kept of one."""


def learnt(platform: Platform, told: Iterable[Beyond], *, whole: bool) -> Platform:
    """After this platform told of parties behind it; unchanged where it may not speak for any.

    The newest of what it said of a party holds, in whatever order it comes. Who is not in the `whole` list is not
    behind it any more. Its own parties are not behind it, and a third hub is none of its parties. Raises TooMany.
    """
    if platform.in_front is None:
        return platform
    own = {party.id for party in platform.parties if not party.removed}
    before = {(one.id, one.role): one for one in platform.beyond}
    after = {} if whole else dict(before)
    for one in told:
        key = one.id, one.role
        if one.id in own or one.role is Role.HUB:
            continue
        known = before.get(key)
        after[key] = known if known is not None and known.updated > one.updated else one
    if len(after) > MAX_BEYOND:
        raise TooMany(f"it told of {len(after)} parties behind it, and at most {MAX_BEYOND} are kept")
    beyond = tuple(after[key] for key in sorted(after))
    return platform if beyond == platform.beyond else replace(platform, beyond=beyond)


def may_speak(party: Party) -> bool:
    """Whether the hub in front may speak for this one: one that it called OFFLINE is back, then."""
    return party.said not in _SILENT


def goes_round(directory: Directory, sender: PartyId, to: Hosted) -> bool:
    """Whether a call came by another hub and would go to one: to the same again, or on to a third."""
    here = to.platform.id
    for one in directory.hosted(sender):
        if one.party.behind is not None and (to.party.behind is not None or one.platform.id == here):
            return True
        if to.party.behind is not None and (one.party.role is Role.HUB or one.platform.id == here):
            return True
    return False


def by_another_hub(directory: Directory, sender: PartyId) -> bool:
    """Whether this party is behind another hub, or is one."""
    return any(one.party.behind is not None or one.party.role is Role.HUB for one in directory.hosted(sender))
