"""Who answers, judges (DESIGN 4): findings, what the hub refuses, what the recipient decides."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sample import SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.values import PartyId
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, Parties, check, got, party_of


async def put(cpo: SamplePlatform, to: PartyId, body: Any, *, method: str = "PUT", id: str = "") -> SampleAnswer:
    segments = (*party_of(cpo), id or body["id"])
    return await cpo.call(method, "locations", RECEIVER, *segments, to=to, body=body)


def lacking(cpo: SamplePlatform) -> bodies.Json:
    """A location that lacks required fields and has wrong JSON types, two levels down."""
    body = bodies.location(party_of(cpo))
    del body["city"], body["coordinates"]["latitude"]
    del body["evses"][0]["connectors"][0]["standard"]
    return body | {"publish": "yes"}


PATHS = ("$.city", "$.coordinates.latitude", "$.evses[0].connectors[0].standard", "$.publish")

ODD: dict[str, Any] = {
    "name": 5, "city": 12.5, "postal_code": "much too long for a postal code", "parking_type": "ON_THE_MOON",
    "opening_times": None, "x-own": {"a": 1}, "last_updated": "2026-03-01T10:00:00+01:00",
}  # fmt: skip
"""What is found and never refused: numbers for strings, too long, unknown values, null, unknown, an offset."""


async def test_a_broadcast_that_lacks_what_is_required_is_refused_with_every_path(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    check(await put(cpo, HUB, lacking(cpo)), 200, 2001, *PATHS)
    body = bodies.location(party_of(cpo))
    check(await put(cpo, HUB, body), 200, 1000)
    await emsp.wait_for(lambda one: one.module == "locations")
    assert [one.json["id"] for one in got(emsp, "locations")] == [body["id"]]


async def test_no_more_than_the_first_20_paths_are_named(parties: Parties) -> None:
    cpo = await parties.cpo()
    body = bodies.location(party_of(cpo), images=[{}] * 30)
    answer = await put(cpo, HUB, body)
    check(answer, 200, 2001, "$.images[0].url")
    assert answer.message.count("$.images[") == 20, answer.message


async def test_a_directed_push_with_the_same_goes_on_and_its_recipient_decides(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    body = lacking(cpo)
    check(await put(cpo, party_of(emsp), body), 201, 1000)
    assert got(emsp, "locations")[0].json == body


async def test_what_is_only_odd_is_never_refused(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    body = bodies.location(party_of(cpo), **ODD)
    body["evses"][0]["status"] = "SHINY"
    check(await put(cpo, HUB, body), 200, 1000)
    assert (await emsp.wait_for(lambda one: one.module == "locations")).json == body
    check(await put(cpo, party_of(emsp), body), 200, 1000)


async def test_findings_are_counted(parties: Parties) -> None:
    cpo = await parties.cpo()
    before = parties.hub.metrics()
    await put(cpo, HUB, lacking(cpo))
    await put(cpo, HUB, bodies.location(party_of(cpo), **ODD))
    after = parties.hub.metrics()

    def grown(kind: str) -> float:
        name = f"ocpi_hub_findings_total{{kind={kind},module=locations}}"
        return after.get(name, 0) - before.get(name, 0)

    assert grown("fatal") == len(PATHS)
    assert grown("noted") >= 5


@pytest.mark.parametrize(("validate", "to_all", "directed"), [("refuse", 2001, 2001), ("report", 1000, 1000)])
async def test_a_setting_of_the_platform_overrides_both(
    parties: Parties, validate: str, to_all: int, directed: int
) -> None:
    cpo, emsp = await parties.pair()
    await parties.hub.change(party_of(cpo), validate=validate)
    assert (await put(cpo, HUB, lacking(cpo))).status_code == to_all
    assert (await put(cpo, party_of(emsp), lacking(cpo))).status_code == directed


@pytest.mark.parametrize("validate", ["default", "report"])
@pytest.mark.parametrize("to_all", [True, False], ids=["broadcast", "directed"])
async def test_what_nobody_could_use_is_refused_always(parties: Parties, validate: str, to_all: bool) -> None:
    cpo, emsp = await parties.pair()
    if validate != "default":
        await parties.hub.change(party_of(cpo), validate=validate)
    to, body = HUB if to_all else party_of(emsp), bodies.location(party_of(cpo))

    def without(field: str) -> bodies.Json:
        return {name: value for name, value in body.items() if name != field}

    for wrong, said in (
        (without("id"), "$.id"),
        (body | {"id": "another"}, "$.id"),
        (body | {"id": ["x"]}, "$.id"),
        (without("country_code"), "$.country_code"),
        (without("party_id"), "$.party_id"),
        (body | {"party_id": "ZZZ"}, "$.party_id"),
        ([body], "object"),
    ):
        check(await put(cpo, to, wrong, id=body["id"]), 200, 2001, said)
    for patch, said in (
        ({"name": "x"}, "$.last_updated"),
        ({"name": "x", "last_updated": None}, "$.last_updated"),
        ({"id": "another", "last_updated": bodies.WHEN}, "$.id"),
        ({"country_code": "ZZ", "last_updated": bodies.WHEN}, "$.country_code"),
    ):
        check(await put(cpo, to, patch, method="PATCH", id=body["id"]), 200, 2001, said)
    assert not got(emsp, "locations")
    upper = body | {"id": body["id"].lower(), "country_code": body["country_code"].lower()}
    assert (await put(cpo, to, upper, id=body["id"].upper())).status_code == 1000  # CiStrings
