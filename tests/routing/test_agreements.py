"""Who may deal with whom: the most specific rule decides, both ways, and the default where none fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.values import PartyId
from routing.agreements import Agreement, Effect, Rules

CPO, EMSP, OTHER = PartyId("NL", "TNM"), PartyId("DE", "EMS"), PartyId("FR", "ABC")
ALLOW, DENY = Effect.ALLOW, Effect.DENY
PARTIES = st.sampled_from((CPO, EMSP, OTHER, None))
MODULES = st.sampled_from((("locations",), ("sessions", "cdrs"), ()))
AGREEMENTS = st.builds(Agreement.of, st.sampled_from(Effect), PARTIES, PARTIES, MODULES)


def rules(*agreements: Agreement, default: Effect = ALLOW) -> Rules:
    return Rules(agreements, default)


@pytest.mark.parametrize("default", Effect)
def test_without_rules_the_default_decides(default: Effect) -> None:
    assert rules(default=default).allows(CPO, EMSP, "locations") is (default is ALLOW)


def test_a_denied_pair_is_denied_both_ways_and_no_other_pair_is() -> None:
    found = rules(Agreement.of(DENY, EMSP, CPO))
    assert not found.allows(CPO, EMSP, "locations")
    assert not found.allows(EMSP, CPO, "tokens")
    assert found.allows(CPO, OTHER, "locations")


def test_a_rule_about_modules_leaves_the_others_alone() -> None:
    found = rules(Agreement.of(DENY, CPO, EMSP, ["tariffs"]))
    assert not found.allows(CPO, EMSP, "tariffs")
    assert found.allows(CPO, EMSP, "locations")


@pytest.mark.parametrize(
    ("agreements", "allowed"),
    [
        ([Agreement.of(DENY, None, None), Agreement.of(ALLOW, CPO, None)], True),
        ([Agreement.of(DENY, None, None, ["locations"]), Agreement.of(ALLOW, CPO, None)], True),
        ([Agreement.of(ALLOW, None, None), Agreement.of(DENY, None, None, ["locations"])], False),
        ([Agreement.of(DENY, CPO, None, ["locations"]), Agreement.of(ALLOW, CPO, EMSP)], True),
        ([Agreement.of(ALLOW, CPO, EMSP, ["locations"]), Agreement.of(DENY, CPO, EMSP)], True),
        ([Agreement.of(ALLOW, CPO, None), Agreement.of(DENY, EMSP, None)], False),
        ([Agreement.of(DENY, CPO, EMSP, ["locations"]), Agreement.of(ALLOW, CPO, EMSP, ["locations", "cdrs"])], False),
    ],
    ids=["party", "party before modules", "modules", "both", "modules of a pair", "denial of equals", "overlapping"],
)
def test_the_most_specific_rule_decides(agreements: list[Agreement], allowed: bool) -> None:
    assert rules(*agreements, default=ALLOW).allows(CPO, EMSP, "locations") is allowed
    assert rules(*reversed(agreements), default=DENY).allows(EMSP, CPO, "locations") is allowed


def test_what_is_not_for_everyone_is_given_by_name_only() -> None:
    assert not rules(default=ALLOW).names(CPO, OTHER, "sessions")
    assert not rules(Agreement.of(ALLOW, CPO, None)).names(CPO, OTHER, "sessions")
    assert not rules(Agreement.of(ALLOW, CPO, OTHER, ["locations"])).names(CPO, OTHER, "sessions")
    found = rules(Agreement.of(ALLOW, CPO, OTHER, ["sessions"]), default=DENY)
    assert found.names(CPO, OTHER, "sessions")
    assert not found.names(EMSP, OTHER, "sessions")
    assert rules(Agreement.of(ALLOW, None, OTHER)).names(CPO, OTHER, "sessions")
    assert not rules(Agreement.of(ALLOW, None, OTHER), Agreement.of(DENY, CPO, OTHER)).names(CPO, OTHER, "sessions")


def test_one_rule_is_written_in_one_way() -> None:
    one = Agreement.of(ALLOW, CPO, EMSP, ["tariffs", "locations", "tariffs"])
    assert one == Agreement.of(ALLOW, EMSP, CPO, ["locations", "tariffs"])
    assert one.id == "DE-EMS/NL-TNM/locations,tariffs"
    assert Agreement.of(DENY, None, CPO).id == "NL-TNM/any/*"
    assert Agreement.of(DENY, None, None, created=5).id == "any/any/*"


@given(st.lists(AGREEMENTS, max_size=8), st.sampled_from(Effect), st.sampled_from(("locations", "cdrs", "tokens")))
def test_order_of_writing_and_side_of_asking_change_nothing(
    agreements: list[Agreement], default: Effect, module: str
) -> None:
    found, again = Rules(agreements, default), Rules(reversed(agreements), default)
    assert found.allows(CPO, EMSP, module) == found.allows(EMSP, CPO, module) == again.allows(CPO, EMSP, module)
