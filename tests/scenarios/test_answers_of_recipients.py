"""The answers table of DESIGN 3, row by row: what a caller reads when its recipient misbehaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from connectors.sample import Canned, Fault, Rule, SamplePlatform, sample_cpo
from connectors.sample.client import SampleAnswer
from connectors.values import InterfaceRole, PartyId
from tests.scenarios import bodies
from tests.scenarios.parties import RECEIVER, SENDER, Parties, asked, check, got, new_party, party_of, since

Way = Callable[[SamplePlatform, SamplePlatform], Awaitable[SampleAnswer]]


async def get(cpo: SamplePlatform, emsp: SamplePlatform) -> SampleAnswer:
    """A relay that reads."""
    return await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo))


async def command(cpo: SamplePlatform, emsp: SamplePlatform) -> SampleAnswer:
    """A relay that does something."""
    body = bodies.command(cpo, emsp, "STOP_SESSION")
    return await emsp.call("POST", "commands", RECEIVER, "STOP_SESSION", to=party_of(cpo), body=body)


async def put(cpo: SamplePlatform, emsp: SamplePlatform) -> SampleAnswer:
    """A directed push."""
    body = bodies.token(emsp)
    return await emsp.call("PUT", "tokens", RECEIVER, *party_of(emsp), body["uid"], to=party_of(cpo), body=body)


async def patch(cpo: SamplePlatform, emsp: SamplePlatform) -> SampleAnswer:
    """A directed push of a part."""
    body = {"valid": True, "last_updated": bodies.WHEN}
    uid = bodies.token(emsp)["uid"]
    return await emsp.call("PATCH", "tokens", RECEIVER, *party_of(emsp), uid, to=party_of(cpo), body=body)


async def profile(cpo: SamplePlatform, emsp: SamplePlatform) -> SampleAnswer:
    """A relay with DELETE."""
    query = {"response_url": emsp.response_url("chargingprofiles")}
    return await emsp.call("DELETE", "chargingprofiles", RECEIVER, "S-1", to=party_of(cpo), query=query)


WAYS: tuple[Way, ...] = (get, command, put)
MODULE: dict[Way, str] = {
    get: "locations",
    command: "commands",
    put: "tokens",
    patch: "tokens",
    profile: "chargingprofiles",
}
every_way = pytest.mark.parametrize("way", WAYS)


@every_way
async def test_refused_is_4003_and_nothing_was_sent(hasty: Parties, way: Way) -> None:
    cpo, emsp = await hasty.pair()
    await cpo.offline()
    check(await way(cpo, emsp), 200, 4003, "refused")
    await cpo.online()
    await asyncio.sleep(0.2)
    assert not got(cpo, MODULE[way])


@every_way
@pytest.mark.parametrize("base", ["http://party.invalid", "https://127.0.0.1:{port}"], ids=["DNS", "TLS"])
async def test_dns_or_tls_that_fails_is_4003(hasty: Parties, way: Way, base: str) -> None:
    cpo = await hasty.start(sample_cpo(new_party()))
    listed = [{"identifier": "credentials", "role": "SENDER", "url": f"{cpo.origin}/ocpi/2.2.1/credentials"}]
    for module in ("locations", "commands", "tokens"):
        for role in InterfaceRole:
            url = f"{base.format(port=cpo.port)}/{role.lower()}/{module}"
            listed.append({"identifier": module, "role": role.value, "url": url})
    data = {"version": "2.2.1", "endpoints": listed}
    canned = Canned(orjson.dumps({"status_code": 1000, "timestamp": bodies.WHEN, "data": data}))
    cpo.faults.set(Rule(Fault.CANNED, canned=canned, when=lambda one: one.path == "/ocpi/2.2.1"))
    invitation = await hasty.hub.invite((party_of(cpo), cpo.parties[0].role))
    await cpo.register(invitation.versions_url, invitation.token)
    check(await way(cpo, await hasty.emsp()), 200, 4003)
    assert not got(cpo, MODULE[way])


@every_way
async def test_begun_and_then_the_deadline_is_4002(hasty: Parties, way: Way) -> None:
    cpo, emsp = await hasty.pair()
    cpo.faults.set(Rule(Fault.HANG, module=MODULE[way]))
    began = time.monotonic()
    check(await way(cpo, emsp), 200, 4002)
    assert 1.1 < time.monotonic() - began < 6
    await asyncio.sleep(0.2)
    assert len(got(cpo, MODULE[way])) == 1


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.TRUNCATE])
@pytest.mark.parametrize("way", [*WAYS, patch, profile])
async def test_begun_and_then_the_connection_lost_is_4002_with_one_request_on_the_wire(
    hasty: Parties, way: Way, fault: Fault
) -> None:
    cpo, emsp = await hasty.pair()
    # The hub holds a connection already, as it would in life: what was sent on it is not sent again on another.
    await get(cpo, emsp)
    before = since(cpo)
    cpo.faults.set(Rule(fault))
    check(await way(cpo, emsp), 200, 4002)
    await asyncio.sleep(0.2)
    assert len(asked(cpo, after=before)) == 1


NO_ENVELOPE = (
    (Rule(Fault.HTML), "text/html"),
    (Rule(Fault.EMPTY), "empty"),
    (Rule(Fault.HTTP_204), "204"),
    (Rule(Fault.NO_STATUS_CODE), "instead of an OCPI envelope"),
    (Rule(Fault.NOT_JSON), "instead of an OCPI envelope"),
    (Rule(Fault.HUGE, size=4 << 20), "1048576"),
    (Rule(Fault.HTTP_401), "401"),
    (Rule(Fault.HTTP_403), "403"),
    (Rule(Fault.REDIRECT_OTHER), "another origin"),
    (Rule(Fault.CANNED, canned=Canned(http_status=302, headers={"Location": "/elsewhere"})), "302"),
    (Rule(Fault.CANNED, canned=Canned(b'[{"status_code":1000}]')), "instead of an OCPI envelope"),
    (Rule(Fault.CANNED, canned=Canned(b'{"status_code":"1000"}')), "instead of an OCPI envelope"),
)


@every_way
async def test_no_envelope_is_4000_saying_what_came(hasty: Parties, way: Way) -> None:
    cpo, emsp = await hasty.pair()
    for rule, said in NO_ENVELOPE:
        struck = cpo.faults.set(Rule(rule.fault, module=MODULE[way], size=rule.size, canned=rule.canned))
        answer = await way(cpo, emsp)
        assert (answer.http_status, answer.status_code) == (200, 4000), (rule, answer.message)
        assert said in answer.message, (rule, answer.message)
        assert struck.hits == 1, rule
        cpo.faults.clear(struck)


def _envelope(http_status: int, code: int, **headers: str) -> Rule:
    body = b'{"status_code": %d,"status_message":"as it is","timestamp":"2026-01-01T00:00:00Z", "extra": 1.10}' % code
    given = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Rule(Fault.CANNED, canned=Canned(body, http_status, given))


ENVELOPES = (
    _envelope(200, 2000), _envelope(200, 3001), _envelope(404, 2003), _envelope(400, 2001), _envelope(500, 3000),
    _envelope(503, 3000, Retry_After="7"), _envelope(429, 2000, Retry_After="120"), _envelope(201, 1000),
    _envelope(200, 2999), _envelope(418, 1999),
)  # fmt: skip


@every_way
async def test_an_envelope_with_any_other_status_is_passed_unchanged(hasty: Parties, way: Way) -> None:
    cpo, emsp = await hasty.pair()
    for rule in ENVELOPES:
        struck = cpo.faults.set(Rule(Fault.CANNED, module=MODULE[way], canned=rule.canned))
        answer = await way(cpo, emsp)
        assert (answer.http_status, answer.body) == (rule.canned.http_status, rule.canned.body)
        assert answer.headers.get("Retry-After") == rule.canned.headers.get("Retry-After")
        cpo.faults.clear(struck)


@pytest.mark.parametrize("way", [*WAYS, patch, profile])
@pytest.mark.parametrize("fault", [Fault.REDIRECT_307, Fault.REDIRECT_308])
async def test_a_redirect_to_the_same_origin_is_followed_once_with_method_and_body(
    hasty: Parties, way: Way, fault: Fault
) -> None:
    cpo, emsp = await hasty.pair()
    await put(cpo, emsp)
    before = since(cpo)
    cpo.faults.set(Rule(fault, module=MODULE[way]))
    answer = await way(cpo, emsp)
    assert answer.status_code == 1000, answer.message
    first, second = asked(cpo, after=before)[:2]
    assert second.path == f"/moved{first.path}"
    assert (first.method, first.body) == (second.method, second.body)


@every_way
@pytest.mark.parametrize("to", [PartyId("ZZ", "ZZZ"), PartyId("NL", "ZZZ")])
async def test_an_unknown_receiver_is_4001(hasty: Parties, way: Way, to: PartyId) -> None:
    cpo, emsp = await hasty.pair()
    stranger = SamplePlatform([type(cpo.parties[0])(to, cpo.parties[0].role)])
    check(await way(stranger, emsp), 200, 4001, str(to))


@every_way
async def test_a_receiver_that_is_only_invited_is_4003(hasty: Parties, way: Way) -> None:
    emsp, invited = await hasty.emsp(), await hasty.start(sample_cpo(new_party()))
    await hasty.hub.invite((party_of(invited), invited.parties[0].role))
    check(await way(invited, emsp), 200, 4003, str(party_of(invited)), "invited")


@every_way
async def test_a_module_that_the_recipient_lacks_is_4000(hasty: Parties, way: Way) -> None:
    lacking: list[tuple[str, Any]] = [("locations", SENDER), ("commands", RECEIVER), ("tokens", RECEIVER)]
    cpo, emsp = await hasty.cpo(without=lacking), await hasty.emsp()
    check(await way(cpo, emsp), 200, 4000, MODULE[way], str(party_of(cpo)))


@every_way
async def test_a_receiver_that_is_suspended_is_4003(hasty: Parties, way: Way) -> None:
    cpo, emsp = await hasty.pair()
    await hasty.hub.act(party_of(cpo), "suspend")
    check(await way(cpo, emsp), 200, 4003, "suspended")
    assert not got(cpo, MODULE[way])


async def test_during_an_answer_of_a_gigabyte_the_hubs_memory_grows_by_at_most_32_mib(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    check(await get(cpo, emsp), 200, 1000)
    cpo.faults.set(Rule(Fault.HUGE, module="locations", size=1 << 30))
    before = most = parties.hub.memory()
    call = asyncio.ensure_future(get(cpo, emsp))
    while not call.done():
        most = max(most, parties.hub.memory())
        await asyncio.sleep(0.001)
    check(await call, 200, 4000, "16777216")
    assert most - before <= 32 << 20, (most - before) >> 20
