"""GET all: whose objects a reader finds in one list of everybody's, by the directory and agreements alone."""

from __future__ import annotations

import pytest

from connectors.values import PartyId, Role
from routing.agreements import Agreement, Effect, Rules
from routing.directory import Directory, Party, Platform, Status
from routing.getall import owners, selection
from tests.routing.test_resolve import CPO, EMS, HUB, party, platform

READER = party("DE-EMS", Role.EMSP)
HOME = platform("b", READER)
OTHER = PartyId("FR", "CPO")


def seen(
    *others: Platform,
    reader: Party = READER,
    home: Platform = HOME,
    module: str = "locations",
    rules: Rules | None = None,
    complete: frozenset[PartyId] = frozenset(),
) -> list[str]:
    known = Directory((home, *others), hub=HUB, agreements=rules)
    return [str(one) for one in owners(known, home, reader, module, complete)]


def rules(*agreements: Agreement, default: Effect = Effect.ALLOW) -> Rules:
    return Rules(agreements, default)


def test_everybody_of_the_opposite_role_is_in_it_in_a_stable_order() -> None:
    there = (platform("a", party("NL-TNM", Role.CPO)), platform("c", party("FR-CPO", Role.CPO)))
    assert seen(*there) == ["FR-CPO", "NL-TNM"] == seen(*reversed(there))
    tokens = platform("d", party("FR-EMS", Role.EMSP), party("FR-NSP", Role.NSP))
    cpo = party("NL-TNM", Role.CPO)
    assert seen(tokens, module="tokens", reader=cpo, home=platform("a", cpo)) == ["FR-EMS", "FR-NSP"]


def test_neither_its_own_platform_nor_its_own_role_is_in_it() -> None:
    home = platform("b", READER, party("NL-OWN", Role.CPO))
    assert seen(platform("e", party("FR-EMS", Role.EMSP)), home=home) == []
    assert seen(platform("a", party("NL-TNM", Role.CPO)), module="tokens") == []


@pytest.mark.parametrize("away", [Status.OFFLINE, Status.CONNECTED])
def test_who_is_offline_or_suspended_for_a_while_has_taken_nothing_back(away: Status) -> None:
    assert seen(platform("a", party("NL-TNM", Role.CPO, suspended=True), status=away)) == ["NL-TNM"]


def test_who_was_removed_or_never_registered_is_not_in_it() -> None:
    assert not seen(
        platform("a", party("NL-TNM", Role.CPO), removed=True),
        platform("c", party("FR-CPO", Role.CPO), registered=False),
        platform("d", party("BE-CPO", Role.CPO, removed=True)),
        platform("e", party("LU-CPO", Role.CPO), status=Status.SUSPENDED),
    )


def test_who_only_pushes_is_in_it_all_the_same() -> None:
    assert seen(platform("a", party("NL-TNM", Role.CPO), offers=())) == ["NL-TNM"]


def test_other_roles_are_in_it_where_they_offer_a_list_or_are_known_to_be_complete() -> None:
    nap = party("NL-NAP", Role.NAP)
    assert seen(platform("a", nap)) == ["NL-NAP"]
    assert seen(platform("a", nap, offers=())) == []
    assert seen(platform("a", nap, offers=()), complete=frozenset((nap.id,))) == ["NL-NAP"]


def test_who_is_denied_is_not_in_it_but_for_the_modules_that_are_left() -> None:
    there = (platform("a", party("NL-TNM", Role.CPO)), platform("c", party("FR-CPO", Role.CPO)))
    denied = rules(Agreement(Effect.DENY, EMS, CPO, ("locations",)))
    assert seen(*there, rules=denied) == ["FR-CPO"]
    assert seen(*there, rules=denied, module="tariffs") == ["FR-CPO", "NL-TNM"]
    assert seen(*there, rules=rules(Agreement(Effect.ALLOW, EMS, OTHER), default=Effect.DENY)) == ["FR-CPO"]


def test_an_agreement_that_names_the_reader_makes_up_for_its_role() -> None:
    cpo = party("NL-OWN", Role.CPO)
    there, home = platform("a", party("NL-TNM", Role.CPO)), platform("b", cpo)
    assert seen(there, reader=cpo, home=home) == []
    assert seen(there, reader=cpo, home=home, rules=rules(Agreement(Effect.ALLOW, CPO, cpo.id))) == ["NL-TNM"]


@pytest.mark.parametrize("module", ["sessions", "cdrs"])
def test_sessions_and_cdrs_are_those_that_were_pushed_to_the_reader_whatever_its_role(module: str) -> None:
    there, scsp = platform("a", party("NL-TNM", Role.CPO)), party("NL-SCP", Role.SCSP)
    assert seen(there, module=module, reader=scsp, home=platform("s", scsp)) == ["NL-TNM"]
    known = Directory((HOME, there), hub=HUB)
    assert selection(known, EMS, module, (CPO,), None, None).audience == EMS
    assert selection(known, EMS, "locations", (CPO,), None, None).audience is None


def test_what_is_not_published_is_only_for_whom_an_agreement_names() -> None:
    there = (platform("a", party("NL-TNM", Role.CPO)), platform("c", party("FR-CPO", Role.CPO)))
    named = rules(Agreement(Effect.ALLOW, EMS, CPO))
    known = Directory((HOME, *there), hub=HUB, agreements=named)
    assert selection(known, EMS, "locations", (CPO, OTHER), 1, 2).unpublished == {CPO}
    known = Directory((HOME, *there), hub=HUB, agreements=rules(Agreement(Effect.ALLOW, CPO, None)))
    assert not selection(known, EMS, "locations", (CPO, OTHER), 1, 2).unpublished
