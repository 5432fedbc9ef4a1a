"""What each step of onboarding makes of a platform's record: pure, old record in, new record out.

The order of `Platform.issued` is the order of issue; an access credential's first use ends all that stand before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from connectors.authorization import Form
from hub.onboarding.rules import Invited
from routing.directory import Endpoint, Issued, Kind, Party, Platform, PlatformSettings, Status

MAX_ISSUED = 4
"""Access credentials that may live beside each other, while a platform repeats a POST or PUT whose answer was lost."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one handshake found out: everything of a registration but the credential that the hub issues for it."""

    version: str
    versions_url: str
    endpoints: tuple[Endpoint, ...]
    origins: tuple[str, ...]
    parties: tuple[Party, ...]
    presents: bytes = field(repr=False)
    form: Form


def invited(id: str, parties: Sequence[Invited], digest: bytes, *, now: int, expires: int) -> Platform:
    """A platform that may register these parties with the invitation of this digest. Times in UTC ms."""
    invitation = Issued(digest, Kind.INVITATION, now, expires)
    return Platform(id, invited=tuple(parties), issued=(invitation,), created=now, updated=now)


def invited_again(platform: Platform, digest: bytes, *, now: int, expires: int) -> Platform:
    """The same for one that was invited before and has not registered: the former invitation ends."""
    return replace(platform, issued=(Issued(digest, Kind.INVITATION, now, expires),), updated=now)


def approached(id: str, digest: bytes, versions_url: str, form: Form, *, now: int) -> Platform:
    """A platform that the hub is about to register with: the credential it will call back with works already."""
    access = Issued(digest, Kind.ACCESS, now)
    return Platform(id, versions_url=versions_url, form=form, issued=(access,), created=now, updated=now)


def _applied(platform: Platform, facts: Facts, now: int) -> Platform:
    named = {(party.id, party.role) for party in facts.parties}
    before = {(party.id, party.role): party for party in platform.parties}
    # A suspension is the operator's, so it outlives the party's being named again, or left out for a while.
    parties = [
        replace(party, suspended=before[party.id, party.role].suspended) if (party.id, party.role) in before else party
        for party in facts.parties
    ]
    parties += [replace(party, removed=True) for key, party in before.items() if key not in named]
    return replace(
        platform,
        status=Status.CONNECTED,
        version=facts.version,
        versions_url=facts.versions_url,
        endpoints=facts.endpoints,
        origins=facts.origins,
        parties=tuple(parties),
        presents=facts.presents,
        form=facts.form,
        updated=now,
    )


def registered(platform: Platform, facts: Facts, digest: bytes, *, now: int) -> Platform:
    """After POST: the new access credential beside the invitation, which lives until that one is used."""
    issued = _bounded((*platform.issued, Issued(digest, Kind.ACCESS, now)), spare=())
    return replace(_applied(platform, facts, now), issued=issued)


def renewed(platform: Platform, facts: Facts, digest: bytes, *, by: bytes, now: int, grace_ms: int) -> Platform:
    """After PUT: the new access credential, and the old ones for `grace_ms` more at most, never longer than before.

    `by` is the digest of the credential that asked, so it is used, and the invitation is over.
    """
    until = now + grace_ms
    old = tuple(
        replace(
            issued,
            used=issued.used or issued.digest == by,
            expires=until if issued.expires is None else min(issued.expires, until),
        )
        for issued in platform.issued
        if issued.kind is Kind.ACCESS and (issued.expires is None or issued.expires > now)
    )
    issued = _bounded((*old, Issued(digest, Kind.ACCESS, now)), spare=(by,))
    return replace(_applied(platform, facts, now), issued=issued)


def _bounded(issued: tuple[Issued, ...], spare: tuple[bytes, ...]) -> tuple[Issued, ...]:
    """Without the oldest access credentials above MAX_ISSUED, but for those in `spare`."""
    surplus = sum(one.kind is Kind.ACCESS for one in issued) - MAX_ISSUED
    kept = []
    for one in issued:
        if surplus > 0 and one.kind is Kind.ACCESS and one.digest not in spare:
            surplus -= 1
        else:
            kept.append(one)
    return tuple(kept)


def connected(platform: Platform, facts: Facts, *, now: int) -> Platform:
    """After the hub itself registered with a platform: the roles it named are those that it may have."""
    roles = tuple((party.id, party.role) for party in facts.parties)
    return replace(_applied(platform, facts, now), invited=roles)


def ended_by_use(platform: Platform, digest: bytes) -> tuple[bytes, ...]:
    """The credentials that end when this one is used first: every invitation, and the access credentials before it."""
    ended: list[bytes] = []
    for at, issued in enumerate(platform.issued):
        if issued.digest == digest and issued.kind is Kind.ACCESS:
            ended += [earlier.digest for earlier in platform.issued[:at]]
            ended += [later.digest for later in platform.issued[at + 1 :] if later.kind is Kind.INVITATION]
    return tuple(ended)


def used(platform: Platform, digest: bytes) -> Platform:
    """After the first use of an access credential; unchanged when it was used before or is gone."""
    ended = set(ended_by_use(platform, digest))
    if all(issued.digest != digest or issued.used for issued in platform.issued):
        return platform
    return replace(
        platform,
        issued=tuple(
            replace(issued, used=True) if issued.digest == digest else issued
            for issued in platform.issued
            if issued.digest not in ended
        ),
    )


def removed(platform: Platform, *, now: int) -> Platform:
    """The platform is gone: no credential works either way; it and its parties stay listed as SUSPENDED."""
    return replace(
        platform,
        status=Status.SUSPENDED,
        parties=tuple(replace(party, removed=True) for party in platform.parties),
        invited=(),
        version="",
        endpoints=(),
        origins=(),
        presents=None,
        issued=(),
        settings=PlatformSettings(),
        beyond=(),
        removed=True,
        updated=now,
    )
