"""Calls without TO over HTTP: the hub finds the receiver by what they name (OCPI 2.2.1, 4.4.2.3)."""

from __future__ import annotations

from connectors.sample import SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.values import PartyId
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, eventually, got, party_of


async def pushed(owner: SamplePlatform, module: str, body: bodies.Json) -> None:
    id = body["uid"] if module == "tokens" else body["id"]
    answer = await owner.call("PUT", module, RECEIVER, *party_of(owner), id, to=HUB, body=body)
    check(answer, 200, 1000)


async def authorize(cpo: SamplePlatform, uid: str) -> SampleAnswer:
    return await cpo.call("POST", "tokens", SENDER, uid, "authorize")


def by(answer: SampleAnswer) -> PartyId:
    """Who answered, by the FROM headers."""
    return PartyId(answer.headers["OCPI-from-country-code"], answer.headers["OCPI-from-party-id"])


async def test_a_driver_charges_from_authorize_to_stop_without_one_header_that_says_to_whom(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    await parties.cpo()
    await parties.emsp()
    token = bodies.token(emsp) | {"uid": bodies.new_id("TOKEN")}
    emsp.objects.put("tokens", party_of(emsp), token)
    check(await authorize(cpo, token["uid"]), 404, 2004, token["uid"])
    await pushed(emsp, "tokens", token)

    async def allowed() -> bool:
        answer = await authorize(cpo, token["uid"])
        return answer.status_code == 1000 and by(answer) == party_of(emsp)

    await eventually(allowed)
    location = bodies.location(party_of(cpo))
    await pushed(cpo, "locations", location)
    start = bodies.command(cpo, emsp, "START_SESSION") | {"token": token, "location_id": location["id"]}

    async def started() -> bool:
        answer = await emsp.call("POST", "commands", RECEIVER, "START_SESSION", body=start)
        return answer.status_code == 1000

    await eventually(started)
    assert got(cpo, "commands")[-1].json["location_id"] == location["id"]
    session = bodies.session(cpo, emsp)
    path = (*party_of(cpo), session["id"])
    check(await cpo.call("PUT", "sessions", RECEIVER, *path, body=session), 201, 1000)
    patch = {"kwh": 1.5, "last_updated": bodies.WHEN}
    check(await cpo.call("PATCH", "sessions", RECEIVER, *path, body=patch), 200, 1000)
    assert got(emsp, "sessions", "PATCH")[-1].json == patch
    stop = bodies.command(cpo, emsp, "STOP_SESSION") | {"session_id": session["id"]}
    answer = await emsp.call("POST", "commands", RECEIVER, "STOP_SESSION", body=stop)
    check(answer, 200, 1000)
    assert got(cpo, "commands")[-1].json["session_id"] == session["id"]


async def test_what_two_parties_have_is_4001_and_both_are_named_unless_one_of_them_is_denied(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.cpo()
    location = bodies.location(party_of(cpo))
    await pushed(cpo, "locations", location)
    await pushed(other, "locations", bodies.location(party_of(other), location["id"]))

    async def is_ambiguous() -> bool:
        answer = await emsp.call("GET", "locations", SENDER, location["id"])
        names = (str(party_of(cpo)), str(party_of(other)))
        return answer.status_code == 4001 and all(name in answer.message for name in names)

    await eventually(is_ambiguous, within=10)
    rule = {"effect": "deny", "one": str(party_of(other)), "other": str(party_of(emsp)), "modules": ["locations"]}
    assert (await parties.hub.operate("PUT", "/api/agreements", rule))[0] == 200

    async def is_found() -> bool:
        answer = await emsp.call("GET", "locations", SENDER, location["id"])
        return by(answer) == party_of(cpo)

    await eventually(is_found)


async def test_a_reservation_is_cancelled_by_its_id_alone(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    reserve = bodies.command(cpo, emsp, "RESERVE_NOW")
    check(await emsp.call("POST", "commands", RECEIVER, "RESERVE_NOW", to=party_of(cpo), body=reserve), 200, 1000)
    cancel = bodies.command(cpo, emsp, "CANCEL_RESERVATION") | {"reservation_id": reserve["reservation_id"]}
    check(await emsp.call("POST", "commands", RECEIVER, "CANCEL_RESERVATION", body=cancel), 200, 1000)
    assert got(cpo, "commands")[-1].json["reservation_id"] == reserve["reservation_id"]
    check(
        await emsp.call("POST", "commands", RECEIVER, "CANCEL_RESERVATION", body=cancel | {"reservation_id": "none"}),
        200, 4001, "reservation_id",
    )  # fmt: skip
