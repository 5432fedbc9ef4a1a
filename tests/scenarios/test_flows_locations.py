"""Locations through the hub (OCPI 2.2.1, chapter 8): three levels, what a receiver lacks, and what is not published."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sample import SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.values import PartyId
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, eventually, got, party_of

LATER = "2026-03-01T12:00:00Z"


async def push(
    cpo: SamplePlatform, method: str, *ids: str, to: PartyId, body: bodies.Json, **more: Any
) -> SampleAnswer:
    return await cpo.call(method, "locations", RECEIVER, *party_of(cpo), *ids, to=to, body=body, **more)


async def test_each_level_is_put_and_patched_and_arrives_at_its_own_url(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    location = bodies.location(party_of(cpo))
    evse = location["evses"][0] | {"uid": "NEW-1", "last_updated": LATER}
    connector = evse["connectors"][0] | {"id": "2", "last_updated": LATER}
    to, top = party_of(emsp), location["id"]
    check(await push(cpo, "PUT", top, to=to, body=location), 201, 1000)
    check(await push(cpo, "PUT", top, "NEW-1", to=to, body=evse), 201, 1000)
    check(await push(cpo, "PUT", top, "NEW-1", "2", to=to, body=connector), 201, 1000)
    patches: list[tuple[tuple[str, ...], bodies.Json]] = [
        ((), {"name": "renamed"}),
        (("NEW-1",), {"status": "REMOVED"}),
        (("NEW-1", "2"), {"tariff_ids": ["AC-REGULAR", "OTHER"]}),
    ]
    for ids, patch in patches:
        body = patch | {"last_updated": "2026-03-01T13:00:00Z"}
        check(await push(cpo, "PATCH", top, *ids, to=to, body=body), 200, 1000)
        received = got(emsp, "locations", "PATCH")[-1]
        assert received.segments == (*party_of(cpo), top, *ids)
        assert received.json == body
    check(await push(cpo, "PUT", top, to=to, body=location), 200, 1000)


async def test_a_patch_of_what_the_receiver_lacks_is_its_own_no_and_then_get_and_put_mend_it(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    location = bodies.location(party_of(cpo))
    to, top = party_of(emsp), location["id"]
    patch = {"name": "x", "last_updated": LATER}
    check(await push(cpo, "PATCH", top, to=to, body=patch), 404, 2003)
    check(await push(cpo, "PUT", top, "E-9", to=to, body=location["evses"][0] | {"uid": "E-9"}), 404, 2003)
    path = (*party_of(cpo), top)
    check(await cpo.call("GET", "locations", RECEIVER, *path, to=to), 404, 2003)
    check(await push(cpo, "PUT", top, to=to, body=location), 201, 1000)
    check(await push(cpo, "PATCH", top, to=to, body=patch), 200, 1000)
    read = await cpo.call("GET", "locations", RECEIVER, *path, to=to)
    check(read, 200, 1000)
    assert read.data == location | patch


@pytest.mark.parametrize("to_all", [True, False], ids=["broadcast", "directed"])
async def test_a_location_that_is_not_to_be_published_is_given_on_with_those_who_may_see_it(
    parties: Parties, to_all: bool
) -> None:
    cpo, emsp = await parties.pair()
    hidden = bodies.location(
        party_of(cpo), publish=False, publish_allowed_to=[{"visual_number": "12345678", "issuer": "Ems Mobility"}]
    )
    answer = await push(cpo, "PUT", hidden["id"], to=HUB if to_all else party_of(emsp), body=hidden)
    assert answer.status_code == 1000, answer.message
    received = await emsp.wait_for(lambda one: one.module == "locations")
    assert received.json == hidden


async def test_an_evse_that_is_gone_is_broadcast_as_removed_and_nothing_can_be_deleted(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    location = bodies.location(party_of(cpo))
    uid = location["evses"][0]["uid"]
    check(await push(cpo, "PUT", location["id"], to=HUB, body=location), 200, 1000)
    await emsp.wait_for(lambda one: one.module == "locations" and one.method == "PUT")
    patch = {"status": "REMOVED", "last_updated": LATER}
    check(await push(cpo, "PATCH", location["id"], uid, to=HUB, body=patch), 200, 1000)
    received = await emsp.wait_for(lambda one: one.module == "locations" and one.method == "PATCH")
    assert (received.segments[2:], received.json) == ((location["id"], uid), patch)
    answer = await cpo.call("DELETE", "locations", RECEIVER, *party_of(cpo), location["id"], to=party_of(emsp))
    check(answer, 405, 2000, "GET", "PUT", "PATCH")


async def test_one_of_three_levels_is_read_from_its_owner_without_a_word_of_who_that_is(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    location = bodies.location(party_of(cpo))
    cpo.objects.put("locations", party_of(cpo), location)
    check(await push(cpo, "PUT", location["id"], to=HUB, body=location), 200, 1000)

    async def is_known() -> bool:
        return (await emsp.call("GET", "locations", SENDER, location["id"])).status_code == 1000

    await eventually(is_known)
    evse = location["evses"][0]
    levels: list[tuple[tuple[str, ...], bodies.Json]] = [
        ((), location),
        ((evse["uid"],), evse),
        ((evse["uid"], evse["connectors"][0]["id"]), evse["connectors"][0]),
    ]
    for ids, whole in levels:
        answer = await emsp.call("GET", "locations", SENDER, location["id"], *ids)
        check(answer, 200, 1000)
        assert answer.data == whole
    check(await emsp.call("GET", "locations", SENDER, location["id"], "NONE"), 404, 2003)  # the owner's own answer
