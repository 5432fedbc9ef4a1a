"""Tokens through the hub (OCPI 2.2.1, chapter 12): real-time authorisation in each of its answers, and types."""

from __future__ import annotations

import time

import orjson
import pytest

from connectors.sample import Canned, Fault, Rule, SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.values import PartyId
from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, eventually, got, party_of

AT = {"location_id": "LOC0001", "evse_uids": ["E0001-1"]}


async def authorize(
    cpo: SamplePlatform, uid: str, *, to: PartyId | None = None, type: str | None = None
) -> SampleAnswer:
    query = {} if type is None else {"type": type}
    return await cpo.call("POST", "tokens", SENDER, uid, "authorize", to=to, query=query, body=AT)


def by(answer: SampleAnswer) -> PartyId:
    """Who answered, by the FROM headers."""
    return PartyId(answer.headers["OCPI-from-country-code"], answer.headers["OCPI-from-party-id"])


async def push(emsp: SamplePlatform, token: bodies.Json, *, to: PartyId | None = HUB) -> None:
    answer = await emsp.call(
        "PUT", "tokens", RECEIVER, *party_of(emsp), token["uid"], to=to, body=token, query={"type": token["type"]}
    )
    assert answer.status_code == 1000, answer.message


async def test_the_emsp_that_is_named_is_asked_with_the_place_and_answers_for_itself(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    token = bodies.token(emsp)
    answer = await authorize(cpo, token["uid"], to=party_of(emsp))
    check(answer, 200, 1000)
    assert (answer.data["allowed"], answer.data["token"], answer.data["location"]) == ("ALLOWED", token, AT)
    assert answer.data["authorization_reference"] and by(answer) == party_of(emsp)
    assert got(emsp, "tokens", "POST")[-1].json == AT
    check(await authorize(cpo, "NO-SUCH-TOKEN", to=party_of(emsp)), 404, 2004)


@pytest.mark.parametrize("allowed", ["BLOCKED", "EXPIRED", "NO_CREDIT", "NOT_ALLOWED"])
async def test_a_no_to_a_known_token_is_an_answer_like_any_other(parties: Parties, allowed: str) -> None:
    cpo, emsp = await parties.pair()
    said = {"allowed": allowed, "token": bodies.token(emsp)}
    canned = Canned(orjson.dumps({"data": said, "status_code": 1000, "timestamp": bodies.WHEN}))
    emsp.faults.set(Rule(Fault.CANNED, module="tokens", canned=canned))
    answer = await authorize(cpo, bodies.token(emsp)["uid"], to=party_of(emsp))
    assert (answer.http_status, answer.body) == (200, canned.body)


async def test_an_emsp_that_needs_the_place_says_2002(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    canned = Canned(b'{"status_code":2002,"status_message":"where?","timestamp":"2026-01-01T00:00:00Z"}')
    emsp.faults.set(Rule(Fault.CANNED, module="tokens", canned=canned))
    uid = bodies.token(emsp)["uid"]
    check(await cpo.call("POST", "tokens", SENDER, uid, "authorize", to=party_of(emsp)), 200, 2002, "where?")
    assert got(emsp, "tokens", "POST")[-1].body == b""


async def test_a_uid_of_two_types_is_two_tokens_and_rfid_is_meant_when_none_is_said(parties: Parties) -> None:
    cpo = await parties.cpo()
    card, app = await parties.emsp(), await parties.emsp()
    uid = bodies.new_id("UID")
    for emsp, type in ((card, "RFID"), (app, "APP_USER")):
        token = bodies.token(emsp) | {"uid": uid, "type": type}
        emsp.objects.put("tokens", party_of(emsp), token)
        await push(emsp, token)

    def told() -> set[tuple[str, str]]:
        mine = [one for one in got(cpo, "tokens") if one.segments[-1] == uid]
        return {(one.query["type"], one.json["type"]) for one in mine}

    await eventually(lambda: told() == {("RFID", "RFID"), ("APP_USER", "APP_USER")})

    async def are_found() -> bool:
        answers = [await authorize(cpo, uid, type=type) for type in (None, "RFID", "APP_USER")]
        return [by(one) for one in answers] == [party_of(card), party_of(card), party_of(app)]

    await eventually(are_found)
    assert got(card, "tokens", "POST")[-1].query == {"type": "RFID"}
    assert got(app, "tokens", "POST")[-1].query == {"type": "APP_USER"}
    check(await authorize(cpo, uid, type="OTHER"), 404, 2004)


async def test_the_emsp_that_cannot_be_reached_is_said_at_once_so_that_an_offline_list_can_decide(
    parties: Parties,
) -> None:
    cpo, emsp = await parties.pair()
    await emsp.offline()
    began = time.monotonic()
    check(await authorize(cpo, bodies.token(emsp)["uid"], to=party_of(emsp)), 200, 4003)
    assert time.monotonic() - began < 4, "its deadline is five seconds"


async def test_where_it_is_set_everybody_is_asked_for_a_token_that_nobody_pushed(make_hub: MakeHub) -> None:
    with make_hub(ask_for_unknown_tokens=True) as hub:
        async with Parties(hub) as parties:
            cpo, blocking, allowing, without = [await parties.cpo(), *[await parties.emsp() for _ in range(3)]]
            uid = bodies.new_id("UID")
            for emsp, valid in ((blocking, False), (allowing, True)):
                emsp.objects.put("tokens", party_of(emsp), bodies.token(emsp) | {"uid": uid, "valid": valid})
            answer = await authorize(cpo, uid)
            check(answer, 200, 1000)
            assert (by(answer), answer.data["allowed"]) == (party_of(allowing), "ALLOWED")
            await allowing.offline()
            answer = await authorize(cpo, uid)
            assert (by(answer), answer.data["allowed"]) == (party_of(blocking), "BLOCKED")
            check(await authorize(cpo, "NO-SUCH-TOKEN"), 404, 2004, "1 of them could not be asked")
            assert got(without, "tokens", "POST")


async def test_a_token_is_made_invalid_and_never_deleted(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    token = bodies.token(emsp) | {"uid": bodies.new_id("UID")}
    await push(emsp, token, to=party_of(cpo))
    path = (*party_of(emsp), token["uid"])
    patch = {"valid": False, "last_updated": "2026-03-01T12:00:00Z"}
    check(await emsp.call("PATCH", "tokens", RECEIVER, *path, to=party_of(cpo), body=patch), 200, 1000)
    read = await emsp.call("GET", "tokens", RECEIVER, *path, to=party_of(cpo))
    assert read.data == token | patch
    check(await emsp.call("DELETE", "tokens", RECEIVER, *path, to=party_of(cpo)), 405, 2000, "PATCH")
