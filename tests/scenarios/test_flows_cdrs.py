"""CDRs through the hub (OCPI 2.2.1, chapter 10): their Location whatever the eMSP makes of it, and corrections."""

from __future__ import annotations

import orjson

from connectors.sample import Canned, Fault, Rule, SamplePlatform
from connectors.sample.client import SampleAnswer
from tests.scenarios import bodies
from tests.scenarios.parties import RECEIVER, Parties, check, got, party_of

JSON = {"Content-Type": "application/json"}


async def post(cpo: SamplePlatform, cdr: bodies.Json) -> SampleAnswer:
    return await cpo.call("POST", "cdrs", RECEIVER, body=cdr)


def answers(emsp: SamplePlatform, method: str, http_status: int, data: object = None, **headers: str) -> None:
    """Have the eMSP answer with this."""
    body = orjson.dumps({"status_code": 1000, "timestamp": bodies.WHEN, "data": data})
    canned = Canned(body, http_status, JSON | headers)
    emsp.faults.set(Rule(Fault.CANNED, module="cdrs", method=method, canned=canned))


async def test_a_relative_location_is_read_at_the_emsp_that_gave_it(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    cdr = bodies.cdr(cpo, emsp)
    answers(emsp, "POST", 201, Location="/ocpi/2.2.1/receiver/cdrs/ITS-OWN?x=1")
    answer = await post(cpo, cdr)
    check(answer, 201, 1000)
    location = answer.headers["Location"]
    assert location.startswith(parties.hub.public_url + "/")
    answers(emsp, "GET", 200, cdr)
    read = await cpo.call_url("GET", location)
    check(read, 200, 1000)
    assert read.data == cdr
    asked = got(emsp, "cdrs", "GET")[-1]
    assert asked.path == "/ocpi/2.2.1/receiver/cdrs/ITS-OWN?x=1"
    assert (asked.to, asked.sender) == (party_of(emsp), party_of(cpo))


async def test_an_answer_without_a_location_is_given_on_without_one_and_the_cdr_is_taken(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    cdr = bodies.cdr(cpo, emsp)
    answers(emsp, "POST", 200)
    for _ in range(2):  # the second time from the hub's memory
        answer = await post(cpo, cdr)
        check(answer, 200, 1000)
        assert "Location" not in answer.headers
    assert len(got(emsp, "cdrs", "POST")) == 1


async def test_a_cdr_is_corrected_by_a_credit_and_a_new_one(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    first = bodies.cdr(cpo, emsp)
    cost = {name: -value for name, value in first["total_cost"].items()}
    credit = first | {
        "id": (first["id"] + "-CREDIT").ljust(39, "0"),
        "credit": True,
        "credit_reference_id": first["id"],
        "total_cost": cost,
    }
    corrected = first | {"id": first["id"] + "-B", "total_energy": 5.25}
    for cdr in (first, credit, corrected):
        check(await post(cpo, cdr), 201, 1000)
        assert got(emsp, "cdrs", "POST")[-1].json == cdr
    locations = {(await post(cpo, cdr)).headers["Location"] for cdr in (first, credit, corrected)}
    assert len(locations) == 3 and len(got(emsp, "cdrs", "POST")) == 3


async def test_a_cdr_of_a_place_that_was_never_published_is_given_on(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    cdr = bodies.cdr(cpo, emsp)
    cdr["cdr_location"] |= {"id": bodies.new_id("HOME"), "evse_uid": "#NA", "evse_id": "#NA", "connector_id": "#NA"}
    check(await post(cpo, cdr), 201, 1000)
    assert got(emsp, "cdrs", "POST")[-1].json == cdr


async def test_what_was_billed_is_not_changed_by_any_method(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    location = (await post(cpo, bodies.cdr(cpo, emsp))).headers["Location"]
    for method in ("PUT", "PATCH", "DELETE"):
        check(await cpo.call_url(method, location, body={"last_updated": bodies.WHEN}), 405, 2000, "GET")
    assert len(got(emsp, "cdrs")) == 1
