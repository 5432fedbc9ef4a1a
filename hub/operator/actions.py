"""What an operator decides of a party, as changes of its platform's record: pure."""

from __future__ import annotations

from dataclasses import replace

from connectors.values import PartyId
from hub.onboarding import records
from routing.directory import Platform


def concerns(platform: Platform, party: PartyId) -> bool:
    """Whether this platform hosts the party, or is invited to."""
    return not platform.removed and (hosts(platform, party) or any(id == party for id, _ in platform.invited))


def hosts(platform: Platform, party: PartyId) -> bool:
    """Whether this platform has registered the party, in any role."""
    return any(one.id == party and not one.removed for one in platform.parties)


def suspended(platform: Platform, party: PartyId, *, on: bool, now: int) -> Platform:
    """With the party blocked, or no longer, in every role; unchanged when it is so already."""
    parties = tuple(replace(one, suspended=on) if one.id == party else one for one in platform.parties)
    return platform if parties == platform.parties else replace(platform, parties=parties, updated=now)


def removed(platform: Platform, party: PartyId, *, now: int) -> Platform:
    """Without the party, which stays listed; a platform without a party left is removed whole, credentials too."""
    if not concerns(platform, party):
        return platform
    parties = tuple(replace(one, removed=True) if one.id == party else one for one in platform.parties)
    invited = tuple(role for role in platform.invited if role[0] != party)
    without = replace(platform, parties=parties, invited=invited, updated=now)
    if not invited and all(one.removed for one in parties):
        return records.removed(without, now=now)
    return without
