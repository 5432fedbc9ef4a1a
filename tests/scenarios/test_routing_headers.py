"""The header matrix of R 2.3: who a message is for and from on every leg, and the ids it is followed by (R 2.8)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import pytest

from connectors import headers as names
from connectors.sample import Received, SamplePlatform, wire
from connectors.values import PartyId, Role
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, party_of

ROUTING = (names.TO_COUNTRY, names.TO_PARTY, names.FROM_COUNTRY, names.FROM_PARTY)


def legs(headers: Mapping[str, str]) -> tuple[PartyId | None, PartyId | None]:
    """TO and FROM."""
    return (
        wire.party(headers, names.TO_COUNTRY, names.TO_PARTY),
        wire.party(headers, names.FROM_COUNTRY, names.FROM_PARTY),
    )


def ids() -> dict[str, str]:
    return {names.REQUEST_ID: f"req-{uuid.uuid4()}", names.CORRELATION_ID: f"corr-{uuid.uuid4()}"}


async def relay(
    cpo: SamplePlatform, emsp: SamplePlatform, given: Mapping[str, str]
) -> tuple[Mapping[str, str], Received]:
    answer = await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo), headers=given)
    check(answer, 200, 1000)
    return answer.headers, cpo.received[-1]


async def directed(
    cpo: SamplePlatform, emsp: SamplePlatform, given: Mapping[str, str]
) -> tuple[Mapping[str, str], Received]:
    body = bodies.token(emsp)
    answer = await emsp.call(
        "PUT", "tokens", RECEIVER, *party_of(emsp), body["uid"], to=party_of(cpo), body=body, headers=given
    )
    check(answer, 201, 1000)
    return answer.headers, cpo.received[-1]


@pytest.mark.parametrize("way", [relay, directed])
@pytest.mark.parametrize("lower", [False, True], ids=["as written", "lower case"])
async def test_direct_legs(parties: Parties, way: object, lower: bool) -> None:
    cpo, emsp = await parties.pair()
    given = ids()
    if lower:
        to, sender = party_of(cpo), party_of(emsp)
        routing = zip(ROUTING, (*to, *sender), strict=True)
        given = {name.lower(): value for name, value in given.items()} | {n.lower(): v.lower() for n, v in routing}
    answered, received = await way(cpo, emsp, given)  # type: ignore[operator]
    assert legs(received.headers) == (party_of(cpo), party_of(emsp))
    assert legs(answered) == (party_of(emsp), party_of(cpo))
    sent = {name.lower(): value for name, value in given.items()}
    assert answered[names.REQUEST_ID] == sent["x-request-id"]
    assert answered[names.CORRELATION_ID] == received.headers[names.CORRELATION_ID] == sent["x-correlation-id"]
    assert received.headers[names.REQUEST_ID] not in ("", sent["x-request-id"])


async def test_broadcast_legs_keep_the_owner_in_the_url(parties: Parties) -> None:
    cpo, first = await parties.pair()
    second = await parties.emsp()
    given, body = ids(), bodies.location(party_of(cpo))
    answer = await cpo.call("PUT", "locations", RECEIVER, *party_of(cpo), body["id"], to=HUB, body=body, headers=given)
    check(answer, 200, 1000)
    assert legs(answer.headers) == (party_of(cpo), HUB)
    assert answer.headers[names.REQUEST_ID] == given[names.REQUEST_ID]
    seen = set()
    for emsp in (first, second):
        received = await emsp.wait_for(lambda one: one.module == "locations")
        assert legs(received.headers) == (party_of(emsp), HUB)
        assert received.segments == (*party_of(cpo), body["id"])
        assert received.json["party_id"] == party_of(cpo).party_id
        assert received.headers[names.CORRELATION_ID] == given[names.CORRELATION_ID]
        seen.add(received.headers[names.REQUEST_ID])
    assert len(seen | {given[names.REQUEST_ID]}) == 3


async def test_ids_that_lack_are_made_up_and_answered(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    without = (names.REQUEST_ID, names.CORRELATION_ID)
    answer = await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo), leave_out=without)
    check(answer, 200, 1000)
    received = cpo.received[-1].headers
    assert answer.headers[names.CORRELATION_ID] == received[names.CORRELATION_ID]
    uuid.UUID(answer.headers[names.REQUEST_ID])
    assert answer.headers[names.REQUEST_ID] != received[names.REQUEST_ID]
    url = f"{parties.hub.public_url}/ocpi/nowhere"
    answer = await emsp.call_url("GET", url, leave_out=(*without, "Authorization"))
    assert uuid.UUID(answer.headers[names.REQUEST_ID]) and uuid.UUID(answer.headers[names.CORRELATION_ID])


async def test_configuration_modules_have_no_routing_headers(parties: Parties) -> None:
    emsp = await parties.emsp()
    answer = await emsp.call_url("GET", parties.hub.versions_url, leave_out=ROUTING)
    check(answer, 200, 1000)
    assert legs(answer.headers) == (None, None)
    assert all(legs(one.headers) == (None, None) for one in emsp.received)
    assert all(names.REQUEST_ID in one.headers and names.CORRELATION_ID in one.headers for one in emsp.received)


async def test_from_is_derived_where_only_one_party_can_be_meant(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    both = await parties.platform(Role.CPO, Role.EMSP)
    without = (names.FROM_COUNTRY, names.FROM_PARTY)
    for caller, expected in ((emsp, party_of(emsp)), (both, both.party(Role.EMSP))):
        answer = await caller.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo), leave_out=without)
        check(answer, 200, 1000)
        assert legs(cpo.received[-1].headers) == (party_of(cpo), expected)
        assert legs(answer.headers) == (expected, party_of(cpo))


async def test_from_is_asked_for_where_several_parties_can_be_meant(parties: Parties) -> None:
    cpo = await parties.cpo()
    two = await parties.platform(Role.EMSP, Role.EMSP)
    answer = await two.call(
        "GET", "locations", SENDER, "LOC0001", to=party_of(cpo), leave_out=(names.FROM_COUNTRY, names.FROM_PARTY)
    )
    check(answer, 200, 2001, names.FROM_COUNTRY, *(str(party.id) for party in two.parties))
    assert not [one for one in cpo.received if one.module == "locations"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({names.TO_COUNTRY: "NL"}, names.TO_PARTY),
        ({names.TO_PARTY: "TNM"}, names.TO_COUNTRY),
        ({names.TO_COUNTRY: "", names.TO_PARTY: ""}, names.TO_COUNTRY),
        ({names.TO_COUNTRY: "N", names.TO_PARTY: "TNM"}, names.TO_COUNTRY),
        ({names.TO_COUNTRY: "NL", names.TO_PARTY: "TOOLONG"}, names.TO_PARTY),
        ({names.REQUEST_ID: "x" * 129}, names.REQUEST_ID),
        ({names.CORRELATION_ID: "x" * 4000}, names.CORRELATION_ID),
    ],
)
async def test_a_header_that_cannot_be_is_named(parties: Parties, given: dict[str, str], said: str) -> None:
    emsp = await parties.emsp()
    check(await emsp.call("GET", "locations", SENDER, "LOC0001", headers=given), 200, 2001, said)
