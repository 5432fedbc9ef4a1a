"""Which terms hold for a delivery: the most specific policy decides each, and what cannot be meant is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.values import PartyId
from routing.policies import NAMES, Policies, Policy, Terms
from routing.store.codec import decode_policy, encode_policy

EMS, OTHER = PartyId("DE", "EMS"), PartyId("FR", "ABC")
PARTIES = st.sampled_from((None, EMS, OTHER))
MODULES = st.sampled_from(("", "locations", "tokens"))
TERMS = st.fixed_dictionaries(
    {},
    optional={
        "attempts": st.integers(1, 20),
        "attempt_seconds": st.floats(0.5, 30),
        "backoff_seconds": st.floats(0.05, 1),
        "backoff_most_seconds": st.floats(1, 30),
        "refused_again": st.booleans(),
    },
).filter(bool)
POLICIES = st.builds(lambda party, module, terms: Policy.of(party, module, **terms), PARTIES, MODULES, TERMS)


def test_without_policies_the_default_holds() -> None:
    default = Terms(attempt_seconds=4.0)
    assert Policies((), default).terms(EMS, "locations") is default
    assert default.by == "the hub's default"


def test_a_partys_module_goes_before_a_party_before_a_module_before_the_hub() -> None:
    hub, module = Policy.of(attempts=3), Policy.of(None, "locations", attempts=4)
    party, both = Policy.of(EMS, attempts=5), Policy.of(EMS, "locations", attempts=6)
    for fewer in ((hub, module, party, both), (hub, module, party), (hub, module), (hub,)):
        terms = Policies(fewer).terms(EMS, "locations")
        assert (terms.attempts, terms.policies) == (fewer[-1].attempts, (fewer[-1].id,))
    policies = Policies((hub, module, party, both))
    assert policies.terms(OTHER, "locations").attempts == 4
    assert policies.terms(EMS, "tokens").attempts == 5
    assert policies.terms(OTHER, "tokens").attempts == 3
    assert policies.about(OTHER) == (hub, module)


def test_each_term_is_decided_for_itself() -> None:
    policies = Policies(
        [Policy.of(EMS, "locations", attempts=6), Policy.of(EMS, backoff_seconds=2.0), Policy.of(attempts=1)],
        Terms(attempt_seconds=7.0),
    )
    terms = policies.terms(EMS, "locations")
    assert terms == Terms(6, 7.0, 2.0, policies=("DE-EMS/locations", "DE-EMS/*"))
    assert terms.by == "policy DE-EMS/locations, policy DE-EMS/*"


@given(st.lists(POLICIES, max_size=9), PARTIES, MODULES)
def test_every_term_comes_from_the_most_specific_policy_that_sets_it(
    some: list[Policy], party: PartyId | None, module: str
) -> None:
    policies = Policies(some)
    terms = policies.terms(party, module)
    fitting = [one for one in policies.all if one.party in (None, party) and one.module in ("", module)]
    fitting.sort(key=lambda one: (one.party is not None, one.module != ""), reverse=True)
    for name in NAMES:
        said = [value for one in fitting if (value := getattr(one, name)) is not None]
        assert getattr(terms, name) == (said[0] if said else getattr(policies.default, name))


@given(POLICIES)
def test_a_policy_comes_back_from_its_record(policy: Policy) -> None:
    assert decode_policy(encode_policy(policy)) == policy


def test_a_term_of_a_later_release_is_passed_over() -> None:
    record = b'{"party": ["DE", "EMS"], "module": "", "created": 1, "attempts": 3, "patience": 9}'
    assert decode_policy(record) == Policy(EMS, attempts=3, created=1)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({}, "a policy sets at least one of attempts, attempt_seconds"),
        ({"attempts": 0}, "attempts is 0; a number of 1 to 20 belongs there"),
        ({"attempts": 21}, "attempts is 21"),
        ({"attempt_seconds": 31.0}, "attempt_seconds is 31; seconds of 0.5 to 30 belong there"),
        ({"attempt_seconds": float("nan")}, "attempt_seconds is nan"),
        ({"backoff_seconds": 0.0}, "backoff_seconds is 0;"),
        ({"backoff_most_seconds": 3600.0}, "backoff_most_seconds is 3600;"),
        ({"backoff_seconds": 5.0, "backoff_most_seconds": 2.0}, "backoff_most_seconds (2) is less than"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_sentence(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="^" + said.replace("(", r"\(").replace(")", r"\)")):
        Policy.of(EMS, **terms)


def test_a_module_is_one_that_the_hub_knows() -> None:
    assert Policy.of(EMS, "Locations", attempts=1).id == "DE-EMS/locations"
    with pytest.raises(ValueError, match="'locatoins' is no module of OCPI"):
        Policy.of(EMS, "locatoins", attempts=1)
