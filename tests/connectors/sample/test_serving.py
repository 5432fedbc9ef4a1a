"""Every row that the sample parties serve answers 1000 with OCPI's shapes, and what is wrong is refused clearly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from connectors.sample.client import SampleAnswer
from connectors.sample.inbound import RECEIVER, SENDER
from connectors.values import InterfaceRole, PartyId
from tests.connectors.sample.conftest import Pair

CPO = PartyId("NL", "TNM")
EMSP = PartyId("DE", "EMS")
STAMP = "2026-11-01T10:00:00.000Z"


async def from_cpo(
    pair: Pair,
    method: str,
    module: str,
    *segments: str,
    interface: InterfaceRole = RECEIVER,
    body: object = None,
    query: Mapping[str, str] | None = None,
) -> SampleAnswer:
    return await pair.cpo.call(method, module, interface, *segments, to=EMSP, body=body, query=query)


async def from_emsp(
    pair: Pair,
    method: str,
    module: str,
    *segments: str,
    interface: InterfaceRole = RECEIVER,
    body: object = None,
    query: Mapping[str, str] | None = None,
) -> SampleAnswer:
    return await pair.emsp.call(method, module, interface, *segments, to=CPO, body=body, query=query)


def own(pair: Pair, module: str) -> Any:
    """The first object of a module that one of the two owns."""
    return (pair.emsp if module == "tokens" else pair.cpo).objects.all(module)[1]


@pytest.mark.parametrize("module", ["locations", "tariffs", "sessions", "tokens"])
async def test_an_object_that_was_put_is_read_back(pair: Pair, module: str) -> None:
    send = from_emsp if module == "tokens" else from_cpo
    item = own(pair, module)
    path = (item["country_code"], item["party_id"], item["uid"] if module == "tokens" else item["id"])
    query = {"type": item["type"]} if module == "tokens" else None
    assert (await send(pair, "GET", module, *path, query=query)).http_status == 404
    put = await send(pair, "PUT", module, *path, body=item, query=query)
    assert (put.http_status, put.status_code) == (201, 1000)
    again = await send(pair, "PUT", module, *path, body=item, query=query)
    assert (again.http_status, again.status_code) == (200, 1000)
    assert (await send(pair, "GET", module, *(part.lower() for part in path), query=query)).data == item


async def test_evses_and_connectors_are_put_patched_and_read_and_their_parents_follow(pair: Pair) -> None:
    site = own(pair, "locations")
    path = ("NL", "TNM", site["id"])
    evse = {**site["evses"][0], "uid": "NEW", "last_updated": STAMP}
    assert (await from_cpo(pair, "PUT", "locations", *path, "NEW", body=evse)).http_status == 404
    await from_cpo(pair, "PUT", "locations", *path, body=site)
    assert (await from_cpo(pair, "PUT", "locations", *path, "NEW", body=evse)).http_status == 201
    plug = {**evse["connectors"][0], "id": "9", "last_updated": STAMP}
    assert (await from_cpo(pair, "PUT", "locations", *path, "NEW", "9", body=plug)).http_status == 201
    patch = {"max_amperage": 16, "last_updated": "2026-11-01T11:00:00Z"}
    for level in ((), ("NEW",), ("NEW", "9")):
        assert (await from_cpo(pair, "PATCH", "locations", *path, *level, body=patch)).status_code == 1000
        assert (await from_cpo(pair, "GET", "locations", *path, *level)).data["max_amperage"] == 16
    assert (await from_cpo(pair, "GET", "locations", *path)).data["last_updated"] == patch["last_updated"]


async def test_a_session_patch_appends_its_charging_periods(pair: Pair) -> None:
    item = own(pair, "sessions")
    path = ("NL", "TNM", item["id"])
    await from_cpo(pair, "PUT", "sessions", *path, body=item)
    added = {"charging_periods": item["charging_periods"], "kwh": 20.5, "last_updated": STAMP}
    assert (await from_cpo(pair, "PATCH", "sessions", *path, body=added)).status_code == 1000
    copy = (await from_cpo(pair, "GET", "sessions", *path)).data
    assert (copy["kwh"], len(copy["charging_periods"])) == (20.5, 2)


async def test_a_patch_changes_the_copy_but_not_what_was_recorded(pair: Pair) -> None:
    item = own(pair, "sessions")
    path = ("NL", "TNM", item["id"])
    await from_cpo(pair, "PUT", "sessions", *path, body=item)
    await from_cpo(pair, "PATCH", "sessions", *path, body={"kwh": 99.5, "last_updated": STAMP})
    assert pair.emsp.received[0].json["kwh"] == item["kwh"]


async def test_a_token_is_patched_and_a_tariff_deleted(pair: Pair) -> None:
    token, tariff = own(pair, "tokens"), own(pair, "tariffs")
    path = ("DE", "EMS", token["uid"])
    await from_emsp(pair, "PUT", "tokens", *path, body=token)
    assert (await from_emsp(pair, "PATCH", "tokens", *path, body={"valid": False, "last_updated": STAMP})).data is None
    assert (await from_emsp(pair, "GET", "tokens", *path)).data["valid"] is False
    await from_cpo(pair, "PUT", "tariffs", "NL", "TNM", tariff["id"], body=tariff)
    assert (await from_cpo(pair, "DELETE", "tariffs", "NL", "TNM", tariff["id"])).status_code == 1000
    assert (await from_cpo(pair, "GET", "tariffs", "NL", "TNM", tariff["id"])).http_status == 404


async def test_a_cdr_gets_a_location_that_serves_it_and_keeps_it_when_posted_again(pair: Pair) -> None:
    bill = own(pair, "cdrs")
    first = await from_cpo(pair, "POST", "cdrs", body=bill)
    assert (first.http_status, first.status_code) == (201, 1000)
    again = await from_cpo(pair, "POST", "cdrs", body=bill)
    assert again.headers["Location"] == first.headers["Location"]
    assert (await pair.cpo.call_url("GET", first.headers["Location"], to=EMSP)).data == bill


async def test_single_locations_are_served_at_each_level(pair: Pair) -> None:
    site = own(pair, "locations")
    evse = site["evses"][0]
    for ids, wanted in (
        ((site["id"],), site),
        ((site["id"], evse["uid"]), evse),
        ((site["id"], evse["uid"], "1"), evse["connectors"][0]),
    ):
        assert (await from_emsp(pair, "GET", "locations", *ids, interface=SENDER)).data == wanted
    unknown = await from_emsp(pair, "GET", "locations", site["id"], "nowhere", interface=SENDER)
    assert (unknown.http_status, unknown.status_code) == (404, 2003)


async def test_charging_preferences_are_answered_with_a_string(pair: Pair) -> None:
    path = (own(pair, "sessions")["id"], "charging_preferences")
    body = {"profile_type": "GREEN"}
    assert (await from_emsp(pair, "PUT", "sessions", *path, interface=SENDER, body=body)).data == "ACCEPTED"


async def test_authorize_allows_blocks_and_does_not_know(pair: Pair) -> None:
    tokens = pair.emsp.objects.all("tokens")
    valid, blocked = tokens[0], next(token for token in tokens if not token["valid"])
    place = {"location_id": "LOC0001", "evse_uids": ["E0001-1"]}
    answers = [
        await from_cpo(pair, "POST", "tokens", uid, "authorize", interface=SENDER, body=place)
        for uid in (valid["uid"], blocked["uid"], "unknown")
    ]
    assert answers[0].data["allowed"] == "ALLOWED"
    assert answers[0].data["token"] == valid
    assert answers[0].data["location"] == place
    assert answers[1].data["allowed"] == "BLOCKED"
    assert (answers[2].http_status, answers[2].status_code) == (404, 2004)


async def test_authorize_heeds_the_type_of_the_token(pair: Pair) -> None:
    app = next(token for token in pair.emsp.objects.all("tokens") if token["type"] == "APP_USER")
    path = (app["uid"], "authorize")
    assert (await from_cpo(pair, "POST", "tokens", *path, interface=SENDER)).http_status == 404
    typed = await from_cpo(pair, "POST", "tokens", *path, interface=SENDER, query={"type": "APP_USER"})
    assert typed.data["allowed"] == "ALLOWED"


@pytest.mark.parametrize(
    "command", ["START_SESSION", "STOP_SESSION", "RESERVE_NOW", "CANCEL_RESERVATION", "UNLOCK_CONNECTOR"]
)
async def test_a_command_is_accepted_and_its_result_comes_to_the_response_url(pair: Pair, command: str) -> None:
    url = pair.emsp.response_url("commands", command)
    answer = await from_emsp(pair, "POST", "commands", command, body={"response_url": url})
    assert answer.data["result"] == "ACCEPTED"
    result = await pair.emsp.wait_for(lambda received: url.endswith(received.path))
    assert (result.method, result.json) == ("POST", {"result": "ACCEPTED"})
    assert (result.to, result.sender) == (EMSP, CPO)
    assert result.headers["X-Correlation-ID"] == answer.headers["X-Correlation-ID"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_charging_profile_call_is_accepted_and_its_result_comes(pair: Pair, method: str) -> None:
    url = pair.emsp.response_url("chargingprofiles")
    profile = {"charging_rate_unit": "A", "charging_profile_period": [{"start_period": 0, "limit": 16.0}]}
    answer = await from_emsp(
        pair,
        method,
        "chargingprofiles",
        "S-0001",
        body={"charging_profile": profile, "response_url": url} if method == "PUT" else None,
        query={} if method == "PUT" else {"response_url": url, "duration": "900"},
    )
    assert answer.data["result"] == "ACCEPTED"
    result = await pair.emsp.wait_for(lambda received: url.endswith(received.path))
    assert result.json["result"] == "ACCEPTED"
    assert ("profile" in result.json) is (method == "GET")


async def test_an_active_charging_profile_is_taken(pair: Pair) -> None:
    body = {"start_date_time": STAMP, "charging_profile": {"charging_rate_unit": "W"}}
    answer = await from_cpo(pair, "PUT", "chargingprofiles", "S-0001", interface=SENDER, body=body)
    assert answer.status_code == 1000


@pytest.mark.parametrize(
    ("method", "url", "http_status"),
    [
        ("GET", "/ocpi/9.9", 404),
        ("GET", "/ocpi/2.2.1/receiver/locations", 404),
        ("POST", "/ocpi/versions", 405),
        ("DELETE", "/ocpi/2.2.1/sender/locations", 405),
        ("GET", "/elsewhere", 404),
    ],
)
async def test_an_unknown_url_or_method_is_refused_with_an_envelope(
    pair: Pair, method: str, url: str, http_status: int
) -> None:
    answer = await pair.emsp.call_url(method, pair.cpo.origin + url)
    assert answer.http_status == http_status
    assert answer.message


@pytest.mark.parametrize(
    ("body", "http_status"),
    [
        (b"{", 400),
        (b"[]", 200),
        ({"country_code": "NL", "party_id": "TNM", "id": "other"}, 200),
        ({"country_code": "DE", "party_id": "TNM", "id": "T"}, 200),
    ],
)
async def test_a_body_that_contradicts_its_url_is_2001(pair: Pair, body: object, http_status: int) -> None:
    answer = await from_cpo(pair, "PUT", "tariffs", "NL", "TNM", "T", body=body)
    assert (answer.http_status, answer.status_code) == (http_status, 2001)


async def test_slashes_and_percent_encoding_do_not_matter(pair: Pair) -> None:
    item = {"country_code": "NL", "party_id": "TNM", "id": "A/B #1"}
    assert (await from_cpo(pair, "PUT", "tariffs", "NL", "TNM", "A/B #1", body=item)).status_code == 1000
    base = pair.emsp.endpoint_url("tariffs", RECEIVER)
    for path in ("/NL/TNM/A%2FB%20%231", "//nl/tnm/a%2Fb%20%231/"):
        assert (await pair.cpo.call_url("GET", base + path, to=EMSP)).data == item


async def test_who_is_meant_by_mistake_says_so(pair: Pair) -> None:
    answer = await pair.emsp.call("GET", "locations", SENDER, to=PartyId("FR", "XXX"))
    assert answer.status_code == 2001
    assert "FR-XXX" in answer.message


async def test_headers_can_be_left_out_and_replaced(pair: Pair) -> None:
    await pair.emsp.call(
        "GET",
        "locations",
        SENDER,
        to=CPO,
        leave_out=["x-request-id", "OCPI-from-party-id"],
        headers={"x-correlation-id": "mine"},
    )
    headers = pair.cpo.received[-1].headers
    assert "X-Request-ID" not in headers
    assert "OCPI-from-party-id" not in headers
    assert headers["X-Correlation-ID"] == "mine"


async def test_each_call_is_told_by_both_sides_in_a_line(pair: Pair) -> None:
    await from_emsp(pair, "GET", "locations", "LOC0001", interface=SENDER)
    assert [(call.direction, call.sender, call.to, call.ocpi_status) for call in pair.calls] == [
        ("in", "DE-EMS", "NL-TNM", 1000),
        ("out", "DE-EMS", "NL-TNM", 1000),
    ]
    assert '"from":"DE-EMS"' in pair.calls[0].line()


async def test_what_is_received_is_kept_whole_with_its_end(pair: Pair) -> None:
    body = b'{"id": "T", "country_code":"NL",  "party_id":"TNM","price":1.10}'
    await from_cpo(pair, "PUT", "tariffs", "NL", "TNM", "T", body=body)
    received = await pair.emsp.wait_for(lambda received: received.module == "tariffs")
    assert received.body == body
    assert received.http_status == 201
    assert received.ended_at is not None
    assert received.ended_at >= received.at
    with pytest.raises(TimeoutError):
        await pair.emsp.wait_for(lambda _: True, timeout=0.001, after=received.seq)
