"""What each platform is shown of the others: their connection, PLANNED where it may not deal with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.values import PartyId, Role
from routing.agreements import Agreement, Effect, Rules
from routing.clientinfo import Client, Told, shown_to, told_now
from routing.directory import Directory, Party, Platform, Status

CPO, EMSP, OTHER = PartyId("NL", "TNM"), PartyId("DE", "EMS"), PartyId("FR", "ABC")
HUB = PartyId("NL", "HUB")


def platform(id: str, party: PartyId, role: Role, status: Status = Status.CONNECTED, **more: object) -> Platform:
    made = Platform(id, status=status, parties=(Party(party, role),), version="2.2.1")
    return replace(made, **more)  # type: ignore[arg-type]


VIEWER = platform("a", CPO, Role.CPO)
SEEN = Client(EMSP, Role.EMSP)


def shown(*others: Platform, rules: Rules | None = None) -> dict[Client, Status]:
    return shown_to(Directory((VIEWER, *others), hub=HUB, agreements=rules), VIEWER)


@pytest.mark.parametrize(
    ("other", "status"),
    [
        (platform("b", EMSP, Role.EMSP), Status.CONNECTED),
        (platform("b", EMSP, Role.EMSP, Status.OFFLINE), Status.OFFLINE),
        (platform("b", EMSP, Role.EMSP, parties=(Party(EMSP, Role.EMSP, suspended=True),)), Status.OFFLINE),
        (platform("b", EMSP, Role.EMSP, parties=(Party(EMSP, Role.EMSP, removed=True),)), Status.SUSPENDED),
        (platform("b", EMSP, Role.EMSP, removed=True), Status.SUSPENDED),
        (Platform("b", invited=((EMSP, Role.EMSP),)), Status.PLANNED),
    ],
    ids=["connected", "offline", "blocked by the operator", "removed", "platform removed", "invited"],
)
def test_a_party_is_shown_as_it_is_connected(other: Platform, status: Status) -> None:
    assert shown(other) == {SEEN: status}


def test_one_that_came_back_on_another_platform_is_shown_as_it_is_there() -> None:
    gone, back = platform("b", EMSP, Role.EMSP, removed=True, updated=9), platform("c", EMSP, Role.EMSP, updated=5)
    assert shown(gone, back) == shown(back, gone) == {SEEN: Status.CONNECTED}


def test_nobody_is_shown_itself() -> None:
    assert shown(platform("b", CPO, Role.EMSP)) == {}


def test_who_may_not_be_dealt_with_at_all_is_planned_and_who_may_about_something_is_not() -> None:
    other = platform("b", EMSP, Role.EMSP)
    assert shown(other, rules=Rules([Agreement.of(Effect.DENY, CPO, EMSP)], Effect.ALLOW)) == {SEEN: Status.PLANNED}
    some = Rules([Agreement.of(Effect.ALLOW, CPO, EMSP, ["tokens"])], Effect.DENY)
    assert shown(other, rules=some) == {SEEN: Status.CONNECTED}
    gone = platform("b", EMSP, Role.EMSP, removed=True)
    assert shown(gone, rules=Rules((), Effect.DENY)) == {SEEN: Status.SUSPENDED}


def test_a_status_is_told_once_and_again_when_it_changes() -> None:
    first = told_now({}, {SEEN: Status.PLANNED}, 1)
    assert first == {SEEN: Told(Status.PLANNED, 1)}
    taken = {SEEN: replace(first[SEEN], taken=True)}
    assert told_now(taken, {SEEN: Status.PLANNED}, 2) == taken
    assert told_now(taken, {SEEN: Status.CONNECTED}, 3) == {SEEN: Told(Status.CONNECTED, 3)}
    assert told_now(taken, {}, 4) == {SEEN: Told(Status.SUSPENDED, 4)}
