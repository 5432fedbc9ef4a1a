"""Charging profiles through the hub (OCPI 2.2.1, chapter 14): who set one hears of its changes, nobody else."""

from __future__ import annotations

import orjson
import pytest

from connectors.sample import Canned, Fault, Rule, SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.values import PartyId
from tests.scenarios import bodies
from tests.scenarios.parties import RECEIVER, SENDER, Parties, check, got, party_of

ACTIVE = {"start_date_time": bodies.WHEN, "charging_profile": bodies.PROFILE}


async def set_profile(emsp: SamplePlatform, session_id: str, to: PartyId) -> SampleAnswer:
    body = {"charging_profile": bodies.PROFILE, "response_url": emsp.response_url("chargingprofiles")}
    return await emsp.call("PUT", "chargingprofiles", RECEIVER, session_id, to=to, body=body)


@pytest.mark.parametrize("named", [True, False], ids=["with TO", "without TO"])
async def test_the_active_profile_is_told_to_whoever_set_one(parties: Parties, named: bool) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.emsp()
    # An id of which only whoever uses it knows what it means: the hub gives it on as it is.
    session_id = bodies.new_id("S/chained #")
    check(await set_profile(emsp, session_id, party_of(cpo)), 200, 1000)
    assert got(cpo, "chargingprofiles", "PUT")[-1].segments == (session_id,)
    to = party_of(emsp) if named else None
    told = await cpo.call("PUT", "chargingprofiles", SENDER, session_id, to=to, body=ACTIVE)
    check(told, 200, 1000)
    received = got(emsp, "chargingprofiles", "PUT")[-1]
    assert (received.segments, received.json) == ((session_id,), ACTIVE)
    assert (received.to, received.sender) == (party_of(emsp), party_of(cpo))
    assert not got(other, "chargingprofiles")


async def test_an_active_profile_that_nobody_set_is_4001(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    session_id = bodies.new_id("S")
    refusal = Canned(orjson.dumps({"status_code": 2001, "timestamp": bodies.WHEN}))
    rule = cpo.faults.set(Rule(Fault.CANNED, module="chargingprofiles", canned=refusal))
    check(await set_profile(emsp, session_id, party_of(cpo)), 200, 2001)
    cpo.faults.clear(rule)
    check(await cpo.call("PUT", "chargingprofiles", SENDER, session_id, body=ACTIVE), 200, 4001)
    assert not got(emsp, "chargingprofiles", "PUT")


async def test_one_that_the_cpo_declined_takes_no_active_profile_from_whoever_set_one_before(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.emsp()
    session_id = bodies.new_id("S")
    check(await set_profile(emsp, session_id, party_of(cpo)), 200, 1000)
    said = {"data": {"result": "REJECTED", "timeout": 0}, "status_code": 1000, "timestamp": bodies.WHEN}
    rule = cpo.faults.set(Rule(Fault.CANNED, module="chargingprofiles", canned=Canned(orjson.dumps(said))))
    check(await set_profile(other, session_id, party_of(cpo)), 200, 1000)
    cpo.faults.clear(rule)
    check(await cpo.call("PUT", "chargingprofiles", SENDER, session_id, body=ACTIVE), 200, 1000)
    assert got(emsp, "chargingprofiles", "PUT") and not got(other, "chargingprofiles", "PUT")


async def test_the_cpos_own_limit_is_its_answer(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    said = {"data": {"result": "TOO_OFTEN", "timeout": 60}, "status_code": 1000, "timestamp": bodies.WHEN}
    canned = Canned(orjson.dumps(said))
    cpo.faults.set(Rule(Fault.CANNED, module="chargingprofiles", canned=canned))
    query = {"duration": "60", "response_url": emsp.response_url("chargingprofiles")}
    for method in ("GET", "DELETE"):
        answer = await emsp.call(method, "chargingprofiles", RECEIVER, "S-0001", to=party_of(cpo), query=query)
        assert (answer.http_status, answer.body) == (200, canned.body)
