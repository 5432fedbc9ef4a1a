"""Sessions through the hub (OCPI 2.2.1, chapter 9): periods that are appended, preferences, and reservations."""

from __future__ import annotations

import orjson
import pytest

from connectors.sample import Canned, Fault, Rule, SamplePlatform
from connectors.values import PartyId
from tests.scenarios import bodies
from tests.scenarios.parties import RECEIVER, SENDER, Parties, check, eventually, got, party_of

LATER = "2026-03-01T12:00:00Z"


def periods(*energies: float) -> list[bodies.Json]:
    return [
        {"start_date_time": LATER, "dimensions": [{"type": "ENERGY", "volume": energy}]} for energy in energies
    ]  # fmt: skip


def volumes(session: bodies.Json) -> list[float]:
    return [period["dimensions"][0]["volume"] for period in session["charging_periods"]]


async def test_a_patch_of_periods_stays_a_patch_that_appends_and_a_put_replaces(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    session = bodies.session(cpo, emsp, charging_periods=periods(1.5))
    path = (*party_of(cpo), session["id"])
    check(await cpo.call("PUT", "sessions", RECEIVER, *path, body=session), 201, 1000)
    for energy in (2.5, 3.5):
        patch = {"charging_periods": periods(energy), "kwh": energy, "last_updated": LATER}
        check(await cpo.call("PATCH", "sessions", RECEIVER, *path, body=patch), 200, 1000)
        assert got(emsp, "sessions", "PATCH")[-1].json == patch
    read = await cpo.call("GET", "sessions", RECEIVER, *path)
    check(read, 200, 1000)
    assert volumes(read.data) == [1.5, 2.5, 3.5]
    corrected = session | {"charging_periods": periods(9.25), "last_updated": "2026-03-01T13:00:00Z"}
    check(await cpo.call("PUT", "sessions", RECEIVER, *path, body=corrected), 200, 1000)
    read = await cpo.call("GET", "sessions", RECEIVER, *path, to=party_of(emsp))
    assert volumes(read.data) == [9.25]


async def test_a_reservation_is_a_session_whose_evse_may_not_be_known_yet(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    session = bodies.session(cpo, emsp, status="RESERVATION", evse_uid="#NA", connector_id="#NA")
    path = (*party_of(cpo), session["id"])
    check(await cpo.call("PUT", "sessions", RECEIVER, *path, body=session), 201, 1000)
    assert got(emsp, "sessions", "PUT")[-1].json == session
    begun = {"status": "ACTIVE", "evse_uid": "E0001-1", "connector_id": "1", "last_updated": LATER}
    check(await cpo.call("PATCH", "sessions", RECEIVER, *path, body=begun), 200, 1000)
    assert got(emsp, "sessions", "PATCH")[-1].json == begun


async def prefer(emsp: SamplePlatform, session_id: str, to: PartyId | None) -> tuple[int, int | None, object]:
    answer = await emsp.call(
        "PUT", "sessions", SENDER, session_id, "charging_preferences", to=to, body={"profile_type": "CHEAP"}
    )
    return answer.http_status, answer.status_code, answer.data


@pytest.mark.parametrize("named", [True, False], ids=["with TO", "without TO"])
async def test_preferences_of_a_session_reach_the_cpo_that_pushed_it(parties: Parties, named: bool) -> None:
    cpo, emsp = await parties.pair()
    session = bodies.session(cpo, emsp)
    cpo.objects.put("sessions", party_of(cpo), session)
    to = party_of(cpo) if named else None
    if not named:
        assert (await prefer(emsp, session["id"], None))[1] == 4001
    path = (*party_of(cpo), session["id"])
    check(await cpo.call("PUT", "sessions", RECEIVER, *path, body=session), 201, 1000)

    async def is_accepted() -> bool:
        return await prefer(emsp, session["id"], to) == (200, 1000, "ACCEPTED")

    await eventually(is_accepted)
    received = got(cpo, "sessions", "PUT")[-1]
    assert received.segments == (session["id"], "charging_preferences")
    assert (received.to, received.sender) == (party_of(cpo), party_of(emsp))


async def test_preferences_that_the_evse_cannot_have_are_the_cpos_404_and_2001(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    body = orjson.dumps({"status_code": 2001, "status_message": "no such capability", "timestamp": bodies.WHEN})
    cpo.faults.set(Rule(Fault.CANNED, module="sessions", canned=Canned(body, 404)))
    assert (await prefer(emsp, "S-0001", party_of(cpo)))[:2] == (404, 2001)


async def test_a_session_is_found_by_nobody_but_those_two_whom_it_concerns(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    third = await parties.emsp()
    session = bodies.session(cpo, emsp)
    cpo.objects.put("sessions", party_of(cpo), session)
    path = (*party_of(cpo), session["id"])
    check(await cpo.call("PUT", "sessions", RECEIVER, *path, body=session), 201, 1000)

    async def is_found() -> bool:
        return (await prefer(emsp, session["id"], None))[1] == 1000

    await eventually(is_found)
    assert (await prefer(third, session["id"], None))[:2] == (200, 4001)
