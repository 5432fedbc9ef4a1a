"""Who may register whom: the rules of onboarding that need no more than values (R 3.4, promise 8)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from connectors.errors import InvalidParameters, MethodNotAllowed
from connectors.values import PartyId, Role
from routing.directory import Directory, Issued, Kind, Party, Platform

Invited = tuple[PartyId, Role]


def check_method(method: str, platform: Platform, issued: Issued) -> None:
    """Whether this credential may be used for this method of the credentials module.

    An invitation registers, and reads; an access credential does everything else. Raises MethodNotAllowed (405).
    """
    if method == "GET":
        return
    invitation = issued.kind is Kind.INVITATION
    if method == "POST":
        if not invitation:
            raise MethodNotAllowed(
                "this platform is registered already: PUT renews its registration, DELETE ends it",
                allowed=("GET", "PUT", "DELETE"),
            )
        return
    if method in ("PUT", "DELETE"):
        if invitation or not platform.registered:
            raise MethodNotAllowed(
                "this platform is not registered yet: POST registers; use the token of its answer from then on",
                allowed=("GET", "POST"),
            )
        return
    raise MethodNotAllowed(f"{method} is not a method of credentials", allowed=("GET", "POST", "PUT", "DELETE"))


def check_roles(parties: Sequence[Party], invited: Collection[Invited], hub: PartyId) -> None:
    """Whether these roles may be registered by who was invited for those. Raises InvalidParameters (2001)."""
    seen: set[Invited] = set()
    for at, party in enumerate(parties):
        role = (party.id, party.role)
        what = f"$.roles[{at}]: {_named(role)}"
        if party.id == hub:
            raise InvalidParameters(f"{what} is the hub itself")
        if role in seen:
            raise InvalidParameters(f"{what} is listed twice")
        seen.add(role)
        if role not in invited:
            names = ", ".join(map(_named, invited)) or "none"
            raise InvalidParameters(f"{what} is not one of the parties that this platform was invited for: {names}")


def check_free(wanted: Sequence[Invited], directory: Directory, platform: str) -> None:
    """Whether no other platform holds one of these parties. Raises InvalidParameters (2001)."""
    for role in wanted:
        for hosted in directory.hosted(role[0]):
            elsewhere = hosted.platform.id != platform and hosted.party.behind is None
            if hosted.party.role is role[1] and elsewhere:
                raise InvalidParameters(taken(_named(role)))


def taken(what: str) -> str:
    """The sentence for a party that another platform holds."""
    return f"{what} is registered through another platform; the hub operator must remove it there first"


def _named(role: Invited) -> str:
    return f"{role[1]} {role[0]}"
