"""Commands through the hub (OCPI 2.2.1, chapter 13): both answers as they are, a URL a call, reservations by sender."""

from __future__ import annotations

import orjson
import pytest

from connectors.sample import Canned, Fault, Rule, SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.values import PartyId
from tests.scenarios import bodies
from tests.scenarios.parties import RECEIVER, Parties, check, got, party_of


async def send(emsp: SamplePlatform, to: PartyId | None, command: str, body: bodies.Json) -> SampleAnswer:
    return await emsp.call("POST", "commands", RECEIVER, command, to=to, body=body)


async def test_the_first_answer_is_the_cpos_bytes_whatever_it_decides(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    said = {"result": "REJECTED", "timeout": 30, "message": [{"language": "de", "text": "belegt"}], "x-own": 1.5}
    canned = Canned(orjson.dumps({"data": said, "status_code": 1000, "timestamp": bodies.WHEN}))
    rule = cpo.faults.set(Rule(Fault.CANNED, module="commands", canned=canned))
    answer = await send(emsp, party_of(cpo), "START_SESSION", bodies.command(cpo, emsp, "START_SESSION"))
    assert (answer.http_status, answer.body) == (200, canned.body)
    cpo.faults.clear(rule)
    body = bodies.command(cpo, emsp, "BOOK_A_TABLE")
    answer = await send(emsp, party_of(cpo), "BOOK_A_TABLE", body)
    check(answer, 200, 1000)
    assert answer.data == {"result": "NOT_SUPPORTED", "timeout": 0}


async def test_each_call_has_a_url_of_its_own_though_its_sender_gives_the_same_one(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    cpo.result_delay = 3600
    body = bodies.command(cpo, emsp, "UNLOCK_CONNECTOR")
    for _ in range(3):
        check(await send(emsp, party_of(cpo), "UNLOCK_CONNECTOR", body), 200, 1000)
    urls = {one.json["response_url"] for one in got(cpo, "commands")}
    assert len(urls) == 3 and max(map(len, urls)) <= 255
    for url in urls:
        check(await cpo.call_url("POST", url, to=party_of(emsp), body={"result": "ACCEPTED"}), 200, 1000)
    assert len(got(emsp, "commands", "POST")) == 3


async def test_a_result_is_a_request_of_its_own_and_its_receivers_answer_comes_back(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    cpo.result_delay = 3600
    body = bodies.command(cpo, emsp, "STOP_SESSION")
    check(await send(emsp, party_of(cpo), "STOP_SESSION", body), 200, 1000)
    url = got(cpo, "commands")[0].json["response_url"]
    refusal = Canned(b'{"status_code":2001,"status_message":"which one?","timestamp":"2026-01-01T00:00:00Z"}', 404)
    rule = emsp.faults.set(Rule(Fault.CANNED, module="commands", canned=refusal))
    result = b'{ "result":"FAILED" ,"message":[{"language":"en","text":"no \\u00e9"}], "n":1.10}'
    ids = {"X-Request-ID": "result-1", "X-Correlation-ID": "chain-1"}
    answer = await cpo.call_url("POST", url, to=party_of(emsp), body=result, headers=ids)
    assert (answer.http_status, answer.body) == (404, refusal.body)
    assert answer.headers["X-Request-ID"] == "result-1"
    received = got(emsp, "commands", "POST")[-1]
    assert received.body == result, "bare, as it came: no envelope around it"
    assert received.headers["X-Correlation-ID"] == "chain-1"
    assert received.headers["X-Request-ID"] != "result-1"
    emsp.faults.clear(rule)
    check(await cpo.call_url("POST", url, to=party_of(emsp), body=result), 200, 1000)


async def test_the_same_reservation_id_of_two_emsps_is_two_reservations(parties: Parties) -> None:
    one, other = await parties.cpo(), await parties.cpo()
    first, second = await parties.emsp(), await parties.emsp()
    number = bodies.new_id("R")
    pairs = ((first, one), (second, other))
    for emsp, cpo in pairs:
        body = bodies.command(cpo, emsp, "RESERVE_NOW") | {"reservation_id": number}
        check(await send(emsp, party_of(cpo), "RESERVE_NOW", body), 200, 1000)
    for emsp, cpo in pairs:
        body = bodies.command(cpo, emsp, "CANCEL_RESERVATION") | {"reservation_id": number}
        answer = await send(emsp, None, "CANCEL_RESERVATION", body)
        check(answer, 200, 1000)
        assert answer.headers["OCPI-from-party-id"] == party_of(cpo).party_id
        received = got(cpo, "commands")[-1]
        assert (received.segments, received.sender) == (("CANCEL_RESERVATION",), party_of(emsp))


@pytest.mark.parametrize("command", ["START_SESSION", "STOP_SESSION", "CANCEL_RESERVATION", "UNLOCK_CONNECTOR"])
async def test_one_that_names_nothing_that_anybody_has_is_4001_and_reaches_nobody(
    parties: Parties, command: str
) -> None:
    cpo, emsp = await parties.pair()
    unknown = {"location_id": "NONE", "session_id": "NONE", "reservation_id": "NONE"}
    body = bodies.command(cpo, emsp, command)
    body |= {name: value for name, value in unknown.items() if name in body}
    check(await send(emsp, None, command, body), 200, 4001, "OCPI-to-party-id")
    assert not got(cpo, "commands")
