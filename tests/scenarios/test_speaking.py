"""P8: nobody speaks for another. P6: the same bytes arrive."""

from __future__ import annotations

import orjson
import pytest

from connectors import headers as names
from connectors.sample import SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.values import PartyId, Role
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, got, party_of


def as_(party: PartyId) -> dict[str, str]:
    """FROM headers."""
    return {names.FROM_COUNTRY: party.country_code, names.FROM_PARTY: party.party_id}


async def put(cpo: SamplePlatform, owner: PartyId, body: bodies.Json | bytes, id: str, to: PartyId) -> SampleAnswer:
    return await cpo.call("PUT", "locations", RECEIVER, *owner, id, to=to, body=body)


# --- P8 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["another party", "the hub", "nobody"])
async def test_p8_from_is_a_party_of_the_platform_that_holds_the_credential(parties: Parties, who: str) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.emsp()
    claimed = {"another party": party_of(other), "the hub": HUB, "nobody": PartyId("ZZ", "ZZZ")}[who]
    body = bodies.token(emsp)
    for answer in (
        await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo), headers=as_(claimed)),
        await emsp.call(
            "PUT", "tokens", RECEIVER, *party_of(emsp), body["uid"], to=HUB, body=body, headers=as_(claimed)
        ),
        await emsp.call(
            "POST", "commands", RECEIVER, "STOP_SESSION", to=party_of(cpo), headers=as_(claimed),
            body=bodies.command(cpo, emsp, "STOP_SESSION"),
        ),
    ):  # fmt: skip
        check(answer, 200, 2001, str(claimed), str(party_of(emsp)), names.FROM_COUNTRY)
    assert not [one for one in cpo.received if one.interface]


@pytest.mark.parametrize("to_all", [True, False], ids=["broadcast", "directed"])
async def test_p8_the_owner_in_the_url_is_a_party_of_the_platform(parties: Parties, to_all: bool) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.cpo()
    to, theirs = HUB if to_all else party_of(emsp), bodies.location(party_of(other))
    check(await put(cpo, party_of(other), theirs, theirs["id"], to), 200, 2001, str(party_of(other)))
    answer = await cpo.call("DELETE", "tariffs", RECEIVER, *party_of(other), "T", to=to)
    check(answer, 200, 2001, str(party_of(other)))
    # The URL names oneself, the body another.
    check(await put(cpo, party_of(cpo), theirs, theirs["id"], to), 200, 2001, "$.")
    answer = await cpo.call("GET", "locations", RECEIVER, *party_of(other), "L", to=party_of(emsp))
    check(answer, 200, 2001, str(party_of(other)))
    assert not got(emsp, "locations")


async def test_p8_a_cdr_names_its_owner_in_the_body_alone(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.cpo()
    answer = await cpo.call("POST", "cdrs", RECEIVER, to=party_of(emsp), body=bodies.cdr(other, emsp))
    check(answer, 200, 2001, str(party_of(other)))
    assert not got(emsp, "cdrs")


async def test_p8_a_token_in_a_command_is_the_senders_own(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.emsp()
    body = bodies.command(cpo, emsp, "START_SESSION") | {"token": bodies.token(other)}
    answer = await emsp.call("POST", "commands", RECEIVER, "START_SESSION", to=party_of(cpo), body=body)
    check(answer, 200, 2001, "$.token", str(party_of(other)))
    assert not got(cpo, "commands")


async def test_p8_one_party_of_a_platform_may_push_what_another_of_it_owns(parties: Parties) -> None:
    two = await parties.platform(Role.CPO, Role.CPO)
    emsp = await parties.emsp()
    first, second = (party.id for party in two.parties)
    body = bodies.location(second)
    answer = await two.call(
        "PUT", "locations", RECEIVER, *second, body["id"], to=party_of(emsp), sender=first, body=body
    )
    check(answer, 201, 1000)
    assert got(emsp, "locations")[0].sender == first


# --- P6 --------------------------------------------------------------------------------------------------------------


def odd_bytes(owner: PartyId, id: str) -> bytes:
    """A location as no library would write it, with fields and numbers that must survive as they stand."""
    whole = orjson.dumps(bodies.location(owner, id)).decode()
    odd = (
        '\n\t "x-own" : {"b":1.10 , "a":[ 0.1234567890123456789012, 12345678901234567.89, 1E5, -0, 1.0e-7 ]},'
        '"x-text":"\\u00e9\\/\\ud83d\\ude00 \\"quoted\\"", "x-dup":1, "x-dup":2 ,\r\n"x-null" : null '
    )
    return f"  {whole[:-1]},{odd}\n}} \n".encode()


@pytest.mark.parametrize("to_all", [True, False], ids=["broadcast", "directed"])
async def test_p6_a_push_arrives_with_the_bytes_that_were_sent(parties: Parties, to_all: bool) -> None:
    cpo, emsp = await parties.pair()
    id = bodies.new_id("L")
    body = odd_bytes(party_of(cpo), id)
    answer = await put(cpo, party_of(cpo), body, id, HUB if to_all else party_of(emsp))
    assert answer.status_code == 1000, answer.message
    received = await emsp.wait_for(lambda one: one.module == "locations")
    assert received.body == body


async def test_p6_a_patch_arrives_as_a_patch_with_its_bytes(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    location = bodies.location(party_of(cpo))
    check(await put(cpo, party_of(cpo), location, location["id"], party_of(emsp)), 201, 1000)
    body = b'{ "last_updated":"2026-03-01T11:00:00Z" , "x": 1.10, "coordinates":{"latitude":"1.10","longitude":"2"} }'
    for to in (party_of(emsp), HUB):
        after = emsp.recorder.count
        answer = await cpo.call("PATCH", "locations", RECEIVER, *party_of(cpo), location["id"], to=to, body=body)
        check(answer, 200, 1000)
        received = await emsp.wait_for(lambda one: one.module == "locations", after=after)
        assert (received.method, received.body) == ("PATCH", body)


async def test_p6_a_relays_body_query_and_answer_pass_as_they_are(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    body = b' {"location_id" :"LOC0001","evse_uids":[ ], "x":1.10} '
    answer = await cpo.call(
        "POST", "tokens", SENDER, bodies.token(emsp)["uid"], "authorize", to=party_of(emsp), body=body,
        query={"type": "RFID", "x": "a&b=c é"},
    )  # fmt: skip
    check(answer, 200, 1000)
    received = got(emsp, "tokens")[0]
    assert received.body == body
    assert received.path.endswith("?type=RFID&x=a%26b%3Dc%20%C3%A9")
    assert answer.data["location"]["x"] == 1.1
