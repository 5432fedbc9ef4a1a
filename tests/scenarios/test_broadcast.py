"""Broadcast pushes (R 2.4): who gets them, who does not, and what is never broadcast; what the hub cannot do yet."""

from __future__ import annotations

import asyncio
import time

import pytest

from connectors.sample import Fault, Received, Rule, SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.values import InterfaceRole, PartyId, Role
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, got, party_of


async def put(platform: SamplePlatform, module: str, body: bodies.Json, to: PartyId | None = HUB) -> SampleAnswer:
    owner = PartyId(body["country_code"], body["party_id"])
    id = body["uid" if module == "tokens" else "id"]
    return await platform.call("PUT", module, RECEIVER, *owner, id, to=to, sender=owner, body=body)


async def test_opposite_roles_that_implement_the_module_get_it_and_nobody_else(parties: Parties) -> None:
    cpo = await parties.cpo()
    there = [await parties.emsp(), await parties.platform(Role.NSP), await parties.platform(Role.OTHER)]
    not_there = [
        await parties.cpo(),
        await parties.platform(Role.SCSP),
        await parties.emsp(without=[("locations", RECEIVER)]),
    ]
    body = bodies.location(party_of(cpo))
    check(await put(cpo, "locations", body), 200, 1000)
    for platform in there:
        received = await platform.wait_for(lambda one: one.module == "locations")
        assert received.segments[2] == body["id"]
    # Who gets a token of an eMSP: CPOs alone. It is sent after the location, so nothing else is under way behind it.
    token = bodies.token(there[0])
    check(await put(there[0], "tokens", token), 200, 1000)
    for platform in (cpo, not_there[0]):
        await platform.wait_for(lambda one: one.module == "tokens")
    await asyncio.sleep(0.1)
    for platform in (cpo, *not_there):
        assert not got(platform, "locations")
    for platform in (*there, *not_there[1:]):
        assert not got(platform, "tokens")


async def test_one_request_a_party_and_never_back_to_the_senders_platform(parties: Parties) -> None:
    both = await parties.platform(Role.CPO, Role.EMSP)
    two = await parties.platform(Role.EMSP, Role.EMSP)
    body = bodies.location(both.party(Role.CPO))
    check(await put(both, "locations", body), 200, 1000)
    seen = set()
    for party in two.parties:
        await two.wait_for(lambda one, to=party.id: one.module == "locations" and one.to == to)  # type: ignore[misc]
        seen.add(party.id)
    await asyncio.sleep(0.1)
    assert {one.to for one in got(two, "locations")} == seen and len(got(two, "locations")) == 2
    assert not got(both, "locations")


async def test_a_broadcast_needs_no_to_where_the_data_is_for_everyone(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    tariff = bodies.tariff(party_of(cpo))
    check(await put(cpo, "tariffs", tariff, to=None), 200, 1000)
    await emsp.wait_for(lambda one: one.module == "tariffs" and one.method == "PUT")
    answer = await cpo.call("DELETE", "tariffs", RECEIVER, *party_of(cpo), tariff["id"], to=HUB)
    check(answer, 200, 1000)
    await emsp.wait_for(lambda one: one.module == "tariffs" and one.method == "DELETE")
    token = bodies.token(emsp)
    patch = {"valid": False, "last_updated": bodies.WHEN}
    check(await put(emsp, "tokens", token, to=None), 200, 1000)
    await cpo.wait_for(lambda one: one.module == "tokens")
    check(await emsp.call("PATCH", "tokens", RECEIVER, *party_of(emsp), token["uid"], body=patch), 200, 1000)
    patched = await cpo.wait_for(lambda one: one.module == "tokens" and one.method == "PATCH")
    assert patched.json == patch


async def test_recipients_are_served_at_the_same_time_and_the_sender_waits_for_none(parties: Parties) -> None:
    cpo = await parties.cpo()
    slow = [await parties.emsp() for _ in range(4)]
    quick = await parties.emsp()
    for emsp in slow:
        emsp.faults.set(Rule(Fault.SLOW, module="locations", delay=5))
    began = time.monotonic()
    check(await put(cpo, "locations", bodies.location(party_of(cpo))), 200, 1000)
    assert time.monotonic() - began < 2
    received = [await emsp.wait_for(lambda one: one.module == "locations") for emsp in (quick, *slow)]
    assert max(one.at for one in received) - min(one.at for one in received) < 2


async def test_an_error_of_one_recipient_is_not_told_to_the_sender(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    emsp.faults.set(Rule(Fault.HTTP_500, module="locations"))
    check(await put(cpo, "locations", bodies.location(party_of(cpo))), 200, 1000)
    await emsp.wait_for(lambda one: one.module == "locations")


async def test_updates_of_one_object_reach_a_recipient_in_order(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    body = bodies.location(party_of(cpo))
    for number in range(20):
        check(await put(cpo, "locations", body | {"name": f"state {number}"}), 200, 1000)
    await emsp.wait_for(lambda one: one.module == "locations" and one.json["name"] == "state 19")
    names = [int(one.json["name"].split()[1]) for one in got(emsp, "locations")]
    assert names == sorted(set(names))


@pytest.mark.parametrize(
    ("method", "module", "segments"),
    [
        ("PUT", "sessions", ("own", "S-1")),
        ("POST", "cdrs", ()),
        ("POST", "commands", ("START_SESSION",)),
        ("PUT", "chargingprofiles", ("S-1",)),
        ("DELETE", "chargingprofiles", ("S-1",)),
    ],
)
async def test_what_is_one_partys_is_not_broadcast(
    parties: Parties, method: str, module: str, segments: tuple[str, ...]
) -> None:
    cpo, emsp = await parties.pair()
    caller = cpo if module in ("sessions", "cdrs") else emsp
    path = [part for segment in segments for part in (party_of(cpo) if segment == "own" else (segment,))]
    body: bodies.Json | None = {
        "sessions": bodies.session(cpo, emsp, "S-1"),
        "cdrs": bodies.cdr(cpo, emsp),
        "commands": bodies.command(cpo, emsp, "START_SESSION"),
        "chargingprofiles": {"charging_profile": bodies.PROFILE, "response_url": emsp.response_url(module)},
    }[module]
    answer = await caller.call(method, module, RECEIVER, *path, to=HUB, body=None if method == "DELETE" else body)
    check(answer, 200, 2001, "not broadcast", str(HUB))


@pytest.mark.parametrize(
    ("call", "to", "code", "said"),
    [
        (("GET", "locations", SENDER), None, 2001, "OCPI-to-country-code"),
        (("GET", "locations", SENDER, "LOC0001"), HUB, 2001, "OCPI-to-country-code"),
        (("GET", "tokens", RECEIVER, "DE", "EMS", "T"), HUB, 2001, "RECEIVER"),
        (("GET", "tariffs", RECEIVER, "DE", "EMS", "T"), None, 4001, "OCPI-to-country-code"),
    ],
)
async def test_what_has_no_receiver_is_said_clearly(
    parties: Parties, call: tuple[str, str, InterfaceRole, *tuple[str, ...]], to: PartyId | None, code: int, said: str
) -> None:
    emsp = await parties.emsp()
    method, module, interface, *segments = call
    if "EMS" in segments:
        segments[:2] = party_of(emsp)
    body = {"session_id": "S-1", "response_url": emsp.response_url("commands", "x"), "profile_type": "CHEAP"}
    answer = await emsp.call(method, module, interface, *segments, to=to, body=None if method == "GET" else body)
    check(answer, 200, code, said)


async def test_sessions_and_cdrs_without_to_find_the_emsp_of_their_cdr_token(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.emsp()
    session, cdr = bodies.session(cpo, emsp), bodies.cdr(cpo, emsp)
    check(await put(cpo, "sessions", session, to=None), 201, 1000)
    answer = await cpo.call("POST", "cdrs", RECEIVER, body=cdr)
    check(answer, 201, 1000)
    found: list[Received] = [*got(emsp, "sessions"), *got(emsp, "cdrs")]
    assert [one.sender for one in found] == [party_of(cpo)] * 2
    assert not got(other, "sessions") and not got(other, "cdrs")
