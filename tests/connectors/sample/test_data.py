"""The sample data: as much as was promised, real places, the same for the same seed, and flawless OCPI 2.2.1."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from connectors.sample import sample_cpo, sample_emsp
from connectors.sample.data import locations, tokens
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.v2_2_1.judge import judge
from connectors.values import InterfaceRole, PartyId


def test_the_cpo_has_50_locations_in_three_countries_with_200_evses() -> None:
    sites = locations()
    evses = [evse for site in sites for evse in site["evses"]]
    assert len(sites) == len({site["id"] for site in sites}) == len({site["city"] for site in sites}) == 50
    assert len(evses) == len({evse["uid"] for evse in evses}) == 200
    assert {site["country"] for site in sites} == {"NLD", "DEU", "FRA"}
    assert all(evse["connectors"] for evse in evses)


def test_the_emsp_has_500_tokens_of_which_10_are_blocked() -> None:
    drivers = tokens()
    assert len({(token["uid"], token["type"]) for token in drivers}) == 500
    assert sum(not token["valid"] for token in drivers) == 10


def test_the_same_seed_makes_the_same_and_another_does_not() -> None:
    assert locations(seed=1) == locations(seed=1) != locations(seed=2)
    assert tokens(seed=1) == tokens(seed=1) != tokens(seed=2)


def test_coordinates_have_the_form_that_ocpi_asks() -> None:
    for site in locations():
        assert re.fullmatch(r"-?[0-9]{1,2}\.[0-9]{5,7}", site["coordinates"]["latitude"])
        assert re.fullmatch(r"-?[0-9]{1,3}\.[0-9]{5,7}", site["coordinates"]["longitude"])


def _objects() -> list[Any]:
    cpo, emsp = sample_cpo(), sample_emsp()
    modules = ("locations", "tariffs", "sessions", "cdrs")
    return [pytest.param(m, cpo.objects.all(m), id=m) for m in modules] + [
        pytest.param("tokens", emsp.objects.all("tokens"), id="tokens")
    ]


@pytest.mark.parametrize(("module", "items"), _objects())
def test_a_strict_judge_finds_nothing(module: str, items: list[Any]) -> None:
    for item in items:
        path = (item["country_code"], item["party_id"], item["uid"] if module == "tokens" else item["id"])
        method, segments = ("POST", ()) if module == "cdrs" else ("PUT", path)
        match = CATALOGUE.match(module, InterfaceRole.RECEIVER, method, segments)
        judgement = judge(match.row, match.params, item.get("type") if module == "tokens" else None, orjson.dumps(item))
        assert judgement.findings == ()
        assert judgement.owner == PartyId(*path[:2])
