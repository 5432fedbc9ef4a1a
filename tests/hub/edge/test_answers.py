"""What an answer means: the table of the design, row by row, through the pipeline without a socket."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from connectors.errors import HubError, NotConnected, OutcomeUnknown
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.values import PartyId, Role
from routing.directory import Kind, Party, Platform, Status
from tests.hub.edge.harness import CPO, CPO_PLATFORM, EMSP, EMSP_PLATFORM, HUB, PUBLIC, Edge, answer, platform

ONE = "/ocpi/2.2.1/sender/locations/LOC1"


@pytest.fixture
def edge() -> Edge:
    return Edge()


async def test_a_recipients_envelope_comes_back_byte_for_byte_with_its_http_status(edge: Edge) -> None:
    body = b'{ "data": 0.1234567890123456789012,\n"status_code":2003, "status_message":"\\u00fc" }'
    edge.client.answer = answer(body, 404, Retry_After="7", X_Other="dropped")
    told = await edge.call("emsp", "GET", ONE, to=CPO)
    assert (told.http, told.raw, told.counted) == (404, body, 2003)
    assert told.headers["Retry-After"] == "7"
    assert "X-Other" not in told.headers


@pytest.mark.parametrize(
    ("body", "http", "said"),
    [
        (b"<html>", 502, "HTTP 502"), (b"", 204, "empty"), (b"{}", 200, "envelope"), (b"[1]", 200, "envelope"),
        (b'{"status_code": 1000}', 401, "401"), (b'{"status_code": 2000}', 403, "403"), (b"null", 500, "envelope"),
    ],
)  # fmt: skip
async def test_what_is_no_envelope_and_a_refused_credential_are_4000_saying_what_came(
    edge: Edge, body: bytes, http: int, said: str
) -> None:
    edge.client.answer = answer(body, http)
    told = await edge.call("emsp", "GET", ONE, to=CPO)
    assert told.answer == (200, 4000)
    assert said in told.message


@pytest.mark.parametrize(
    ("error", "code"),
    [(NotConnected("n"), 4003), (OutcomeUnknown("u"), 4002), (HubError("too long"), 4000)],
)
async def test_what_the_client_found_is_told_under_http_200(edge: Edge, error: Exception, code: int) -> None:
    edge.client.errors = [error]
    told = await edge.call("emsp", "GET", ONE, to=CPO)
    assert told.answer == (200, code)
    assert len(edge.client.sent) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"status": Status.SUSPENDED}, 4003),
        ({"parties": (Party(CPO, Role.CPO, suspended=True),)}, 4003),
        ({"version": "", "endpoints": ()}, 4003),
        ({"endpoints": ()}, 4000),
        ({"parties": ()}, 4001),
        ({"removed": True}, 4001),
    ],
)
async def test_a_recipient_that_cannot_be_reached_is_told_at_once(
    edge: Edge, fields: dict[str, object], code: int
) -> None:
    edge.change(CPO_PLATFORM, **fields)
    told = await edge.call("emsp", "GET", ONE, to=CPO)
    assert told.answer == (200, code)
    assert edge.client.sent == []


async def test_whoever_registered_through_another_edge_meanwhile_is_found(edge: Edge) -> None:
    other = PartyId("FR", "NEW")
    edge.registry.set(Platform("new", invited=((other, Role.CPO),)))
    assert (await edge.call("emsp", "GET", ONE, to=other)).answer == (200, 4003)
    edge.registry.elsewhere = [replace(CPO_PLATFORM, id="new", issued=(), parties=(Party(other, Role.CPO),))]
    assert (await edge.call("emsp", "GET", ONE, to=other)).answer == (200, 1000)
    assert len(edge.client.sent) == 1


async def test_an_unknown_receiver_is_4001(edge: Edge) -> None:
    told = await edge.call("emsp", "GET", ONE, to=PartyId("FR", "XXX"))
    assert told.answer == (200, 4001)


async def test_a_receiver_who_has_just_registered_through_another_edge_is_found(edge: Edge) -> None:
    other = PartyId("FR", "XXX")
    edge.registry.elsewhere = [replace(CPO_PLATFORM, id="new", issued=(), parties=(Party(other, Role.CPO),))]
    edge.client.answer = answer(b'{"status_code": 1000, "timestamp": "2026-03-01T10:00:00Z"}')
    assert (await edge.call("emsp", "GET", ONE, to=other)).answer == (200, 1000)
    assert len(edge.client.sent) == 1


@pytest.mark.parametrize("who", [None, "stranger", ""])
async def test_no_or_an_unknown_credential_is_401_with_an_envelope_and_how_to_authenticate(
    edge: Edge, who: str | None
) -> None:
    for target in (ONE, "/ocpi/versions", "/nowhere"):
        told = await edge.call(who, "GET", target)
        assert told.answer == (401, 2000)
        assert told.headers["WWW-Authenticate"] == "Token"
        assert len(told.headers["X-Request-ID"]) == 36


async def test_a_suspended_platform_and_a_suspended_party_are_401(edge: Edge) -> None:
    edge.change(EMSP_PLATFORM, status=Status.SUSPENDED)
    assert (await edge.call("emsp", "GET", ONE, to=CPO)).http == 401
    edge.change(EMSP_PLATFORM, parties=(Party(EMSP, Role.EMSP, suspended=True),))
    assert (await edge.call("emsp", "GET", ONE, to=CPO)).http == 401


async def test_an_invitation_is_good_for_the_configuration_modules_only(edge: Edge) -> None:
    edge.change(EMSP_PLATFORM, issued=(replace(EMSP_PLATFORM.issued[0], kind=Kind.INVITATION),))
    told = await edge.call("emsp", "GET", ONE, to=CPO)
    assert told.answer == (401, 2000)
    for target in ("/ocpi/versions", "/ocpi/2.2.1", "/ocpi/2.2.1/credentials"):
        assert (await edge.call("emsp", "GET", target)).answer == (200, 1000)


@pytest.mark.parametrize("target", ["/", "/ocpi", "/ocpi/2.1.1", "/ocpi/2.2.1/sender/nothing", f"{ONE}/a/b/c", "*"])
async def test_an_unknown_url_is_404_with_an_envelope(edge: Edge, target: str) -> None:
    told = await edge.call("emsp", "GET", target)
    assert told.http == 404
    assert told.message


async def test_a_method_that_a_url_does_not_have_is_405_with_an_envelope_and_allow(edge: Edge) -> None:
    for method in ("DELETE", "HEAD", "OPTIONS", "BREW"):
        told = await edge.call("emsp", method, ONE)
        assert told.http == 405
        assert told.headers["Allow"] == "GET"


@pytest.mark.parametrize("body", [b"", b"{", b"<a>", b"\xff", b'{"a":NaN}'])
async def test_a_body_that_is_not_json_is_400_and_2001(edge: Edge, body: bytes) -> None:
    for who, target, to in (
        ("cpo", "/ocpi/2.2.1/receiver/locations/NL/TNM/1", None),
        ("cpo", "/ocpi/2.2.1/receiver/locations/NL/TNM/1", EMSP),
        ("emsp", "/ocpi/2.2.1/receiver/chargingprofiles/S1", CPO),
    ):
        told = await edge.call(who, "PUT", target, body, to=to)
        assert told.answer == (400, 2001)
    assert (edge.client.sent, edge.log.events) == ([], [])


async def test_json_of_any_content_type_is_judged_by_its_content(edge: Edge) -> None:
    told = await edge.call("cpo", "PUT", "/ocpi/2.2.1/receiver/locations/NL/TNM/1", b"[]", Content_Type="text/html")
    assert told.answer == (200, 2001)


async def test_p10_a_defect_is_500_with_an_envelope_that_does_not_tell_it(edge: Edge) -> None:
    edge.client.errors = [ZeroDivisionError("the secret reason")]
    told = await edge.call("emsp", "GET", ONE, to=CPO)
    assert told.answer == (500, 3000)
    assert b"secret" not in told.raw
    assert told.headers["X-Correlation-ID"]


# --- headers of answers ----------------------------------------------------------------------------------------------


async def test_answers_carry_the_callers_ids_and_the_parties_swapped(edge: Edge) -> None:
    told = await edge.call("emsp", "GET", ONE, to=CPO, sender=EMSP, X_Request_ID="r1", X_Correlation_ID="c1")
    expected = {
        "X-Request-ID": "r1", "X-Correlation-ID": "c1", "OCPI-to-country-code": "DE", "OCPI-to-party-id": "EMS",
        "OCPI-from-country-code": "NL", "OCPI-from-party-id": "TNM",
    }  # fmt: skip
    assert told.headers == {"Content-Type": "application/json"} | expected


async def test_ids_that_lack_are_made_up_and_answered(edge: Edge) -> None:
    told = await edge.call("emsp", "GET", ONE, to=CPO)
    assert told.headers["X-Correlation-ID"] == edge.client.sent[0].headers["X-Correlation-ID"]
    assert told.headers["X-Request-ID"] != edge.client.sent[0].headers["X-Request-ID"]


async def test_the_hubs_own_no_is_from_the_hub(edge: Edge) -> None:
    edge.client.errors = [OutcomeUnknown("late")]
    told = await edge.call("emsp", "GET", ONE, to=CPO)
    assert (told.headers["OCPI-from-country-code"], told.headers["OCPI-from-party-id"]) == HUB
    assert (told.headers["OCPI-to-country-code"], told.headers["OCPI-to-party-id"]) == EMSP


async def test_configuration_modules_have_no_routing_headers_and_do_not_mind_them(edge: Edge) -> None:
    told = await edge.call("emsp", "GET", "/ocpi/versions", to=HUB, sender=PartyId("XX", "YYY"))
    assert told.answer == (200, 1000)
    assert not [name for name in told.headers if name.startswith("OCPI-")]


async def test_only_half_of_a_pair_of_routing_headers_is_2001_naming_the_other(edge: Edge) -> None:
    told = await edge.call("emsp", "GET", ONE, OCPI_to_country_code="NL")
    assert told.answer == (200, 2001)
    assert "OCPI-to-party-id" in told.message


async def test_every_envelope_of_the_hub_has_a_timestamp_in_utc(edge: Edge) -> None:
    told = await edge.call("emsp", "GET", "/ocpi/versions")
    assert told.envelope["timestamp"].endswith("Z")
    assert datetime.fromisoformat(told.envelope["timestamp"]).year >= 2024


# --- the hub's own ---------------------------------------------------------------------------------------------------


async def test_versions_and_version_details_come_from_the_catalogue(edge: Edge) -> None:
    versions = (await edge.call("emsp", "GET", "/ocpi/versions")).envelope["data"]
    assert versions == [{"version": "2.2.1", "url": f"{PUBLIC}/ocpi/2.2.1"}]
    details = (await edge.call("emsp", "GET", "/ocpi/2.2.1")).envelope["data"]
    assert details["version"] == "2.2.1"
    offered = {(one["identifier"], one["role"]): one["url"] for one in details["endpoints"]}
    expected = {(row.module, row.interface or "SENDER") for row in CATALOGUE.rows if row.module != "versions"}
    # another hub tells there of those behind it
    assert set(offered) == expected | {("hubclientinfo", "RECEIVER")}
    assert offered["locations", "SENDER"] == f"{PUBLIC}/ocpi/2.2.1/sender/locations/"


async def test_credentials_are_onboardings_with_the_credential_as_it_was_presented(edge: Edge) -> None:
    told = await edge.call("cpo", "POST", "/ocpi/2.2.1/credentials", {"a": 1})
    assert told.envelope["data"] == {"method": "POST", "by": "cpo", "body": '{"a":1}', "form": "RAW", "with": "cpo"}


# --- who speaks ------------------------------------------------------------------------------------------------------


async def test_p8_from_must_be_a_party_of_the_platform_that_holds_the_credential(edge: Edge) -> None:
    told = await edge.call("emsp", "GET", ONE, to=CPO, sender=CPO)
    assert told.answer == (200, 2001)
    assert "OCPI-from" in told.message
    assert edge.client.sent == []


async def test_p8_the_owner_in_the_url_must_be_a_party_of_the_platform(edge: Edge) -> None:
    for method in ("PUT", "GET"):
        told = await edge.call("cpo", method, "/ocpi/2.2.1/receiver/locations/DE/EMS/1", {"id": "1"}, to=EMSP)
        assert told.answer == (200, 2001)
        assert "the URL" in told.message
    assert (edge.client.sent, edge.log.events) == ([], [])


async def test_a_missing_from_is_derived_or_asked_for() -> None:
    two = platform("two", Party(CPO, Role.CPO), Party(PartyId("NL", "TWO"), Role.CPO))
    edge = Edge(two, EMSP_PLATFORM)
    told = await edge.call("two", "GET", "/ocpi/2.2.1/sender/tokens", to=EMSP)
    assert told.answer == (200, 2001)
    assert "OCPI-from-country-code" in told.message
    assert (await edge.call("two", "GET", "/ocpi/2.2.1/sender/tokens", to=EMSP, sender=CPO)).answer == (200, 1000)
