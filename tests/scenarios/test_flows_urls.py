"""Ids in URLs (OCPI 2.2.1, 4.1.3 and 16.1): parties and objects in any case, and signs that a URL must encode."""

from __future__ import annotations

import pytest

from connectors.sample import SamplePlatform
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, eventually, got, party_of


def lower(platform: SamplePlatform) -> tuple[str, str]:
    country, party = party_of(platform)
    return country.lower(), party.lower()


async def test_an_owner_in_another_case_is_the_same_owner_and_an_id_the_same_object(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    location = bodies.location(party_of(cpo))
    id = location["id"]
    check(await cpo.call("PUT", "locations", RECEIVER, *lower(cpo), id, to=party_of(emsp), body=location), 201, 1000)
    answer = await cpo.call(
        "PATCH", "locations", RECEIVER, *party_of(cpo), id.lower(), to=party_of(emsp),
        body={"name": "x", "last_updated": bodies.WHEN},
    )  # fmt: skip
    check(answer, 200, 1000)
    read = await cpo.call("GET", "locations", RECEIVER, *lower(cpo), id.lower(), to=party_of(emsp))
    assert read.data == location | {"name": "x", "last_updated": bodies.WHEN}


@pytest.mark.parametrize("id", ["#NA", "a/b", "*1 2", "100%", "ü-1", "a+b&c=d?e"])
async def test_an_id_of_signs_that_urls_encode_is_the_same_at_its_receiver(parties: Parties, id: str) -> None:
    cpo, emsp = await parties.pair()
    id = f"{id}{bodies.new_id('')}"
    for to in (party_of(emsp), HUB):
        after = emsp.recorder.count
        location = bodies.location(party_of(cpo), id)
        answer = await cpo.call("PUT", "locations", RECEIVER, *party_of(cpo), id, to=to, body=location)
        assert answer.status_code == 1000, answer.message
        received = await emsp.wait_for(lambda one: one.module == "locations", after=after)
        assert (received.segments, received.json["id"]) == ((*party_of(cpo), id), id)
    cpo.objects.put("locations", party_of(cpo), location)

    async def is_found() -> bool:
        return (await emsp.call("GET", "locations", SENDER, id)).status_code == 1000

    await eventually(is_found)
    assert got(cpo, "locations")[-1].segments == (id,)
