"""Relays: what the recipient is sent, how often, and what comes back; URLs that pass through become the hub's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import NotConnected, OutcomeUnknown
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.values import PartyId, Role
from hub.edge.relay import PAUSES
from hub.edge.rewriting import lives_until, next_page, replace_in_query
from routing.classify import is_push
from routing.directory import Directory, Endpoint, Party
from tests.connectors.v2_2_1 import objects
from tests.hub.edge.harness import CPO, CPO_PLATFORM, EMSP, EMSP_PLATFORM, PUBLIC, Edge, answer, platform

SENDER, RECEIVER = "/ocpi/2.2.1/sender", "/ocpi/2.2.1/receiver"
LIST = f"{SENDER}/locations"
BACK = "https://emsp.example/results/77?x=1"


@pytest.fixture
def edge() -> Edge:
    return Edge()


def start(url: object = BACK, **more: object) -> bytes:
    token = objects.token(country_code="DE", party_id="EMS")
    return objects.body(objects.start_session(response_url=url, token=token, **more))


def late(error: NotConnected | OutcomeUnknown) -> Exception:
    error.late = True
    return error


# --- what the recipient is sent --------------------------------------------------------------------------------------


async def test_the_request_is_the_callers_with_the_hubs_credential_and_a_request_id_of_its_own(edge: Edge) -> None:
    target = f"{SENDER}/locations/L%2F1/E%231?a=%20b&c"
    await edge.call("emsp", "GET", target, to=CPO, X_Request_ID="r1", X_Correlation_ID="c1", X_Custom="no")
    (sent,) = edge.client.sent
    assert (sent.method, sent.url, sent.body) == (
        "GET", "https://cpo.example/sender/locations/L%2F1/E%231?a=%20b&c", None,
    )  # fmt: skip
    forwarded = sent.headers.pop("X-Request-ID")
    assert forwarded != "r1"
    assert sent.headers == {
        "Authorization": "Token for-cpo", "X-Correlation-ID": "c1", "OCPI-to-country-code": "NL",
        "OCPI-to-party-id": "TNM", "OCPI-from-country-code": "DE", "OCPI-from-party-id": "EMS",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("advertised", "path", "url"),
    [
        ("https://cpo.example/l", "", "https://cpo.example/l"),
        ("https://cpo.example/l/", "", "https://cpo.example/l/"),
        ("https://cpo.example/l/", "/", "https://cpo.example/l/"),
        ("https://cpo.example/l", "//1", "https://cpo.example/l/1"),
        ("https://cpo.example/l/", "/1/", "https://cpo.example/l/1"),
        ("https://cpo.example/l?key=v", "/1?a=b", "https://cpo.example/l/1?key=v&a=b"),
    ],
)
async def test_an_endpoint_is_used_as_it_was_advertised(edge: Edge, advertised: str, path: str, url: str) -> None:
    edge.change(CPO_PLATFORM, endpoints=(Endpoint("locations", CPO_PLATFORM.endpoints[0].role, advertised),))
    await edge.call("emsp", "GET", LIST + path, to=CPO)
    assert edge.client.sent[0].url == url


async def test_p6_a_body_goes_out_byte_for_byte(edge: Edge) -> None:
    body = b'{ "evse_uids":["E1"], "location_id":"L1",\n "unknown": 1.10 }'
    await edge.call("cpo", "POST", f"{SENDER}/tokens/T1/authorize?type=RFID", body, to=EMSP, Content_Type="text/json")
    (sent,) = edge.client.sent
    assert (sent.body, sent.headers["Content-Type"]) == (body, "text/json")
    assert sent.url == "https://emsp.example/sender/tokens/T1/authorize?type=RFID"


async def test_authorize_goes_without_a_body_too(edge: Edge) -> None:
    told = await edge.call("cpo", "POST", f"{SENDER}/tokens/T1/authorize", to=EMSP)
    assert told.answer == (200, 1000)
    assert edge.client.sent[0].body == b""


@pytest.mark.parametrize(
    ("who", "to", "target", "seconds"),
    [("emsp", CPO, LIST, 30), ("emsp", CPO, f"{LIST}/1", 10), ("cpo", EMSP, f"{SENDER}/tokens/1/authorize", 5)],
)
async def test_the_deadline_is_that_of_the_row(edge: Edge, who: str, to: PartyId, target: str, seconds: float) -> None:
    await edge.call(who, "POST" if target.endswith("authorize") else "GET", target, to=to)
    assert seconds - 1 < edge.client.sent[0].within <= seconds


RELAYED = """
LOC-S1 emsp GET    sender/locations
LOC-S2 emsp GET    sender/locations/L
LOC-S3 emsp GET    sender/locations/L/E
LOC-S4 emsp GET    sender/locations/L/E/C
LOC-R1 cpo  GET    receiver/locations/NL/TNM/L
LOC-R2 cpo  GET    receiver/locations/NL/TNM/L/E
LOC-R3 cpo  GET    receiver/locations/NL/TNM/L/E/C
SES-S1 emsp GET    sender/sessions
SES-S2 emsp PUT    sender/sessions/S/charging_preferences
SES-R1 cpo  GET    receiver/sessions/NL/TNM/S
CDR-S1 emsp GET    sender/cdrs
TAR-S1 emsp GET    sender/tariffs
TAR-R1 cpo  GET    receiver/tariffs/NL/TNM/T
TOK-S1 cpo  GET    sender/tokens
TOK-S2 cpo  POST   sender/tokens/T/authorize
TOK-R1 emsp GET    receiver/tokens/DE/EMS/T
CMD-R1 emsp POST   receiver/commands/START_SESSION
CHP-R1 emsp GET    receiver/chargingprofiles/S
CHP-R2 emsp PUT    receiver/chargingprofiles/S
CHP-R3 emsp DELETE receiver/chargingprofiles/S
CHP-S2 cpo  PUT    sender/chargingprofiles/S
"""


@pytest.mark.parametrize("line", RELAYED.strip().split("\n"))
async def test_every_relayed_row_reaches_its_recipient(edge: Edge, line: str) -> None:
    row, who, method, path = line.split()
    told = await edge.call(who, method, f"/ocpi/2.2.1/{path}", {}, to=CPO if who == "emsp" else EMSP)
    assert told.answer == (200, 1000)
    (sent,) = edge.client.sent
    assert (sent.method, sent.url) == (method, f"https://{'cpo' if who == 'emsp' else 'emsp'}.example/{path}")
    assert edge.exchanges[0].row == row


def test_those_are_all_the_relayed_rows() -> None:
    rows = {row.id for row in CATALOGUE.rows if row.interface and not row.callback and not is_push(row)}
    assert rows == {line.split()[0] for line in RELAYED.strip().split("\n")}


# --- how often -------------------------------------------------------------------------------------------------------


async def test_a_refused_connection_is_tried_exactly_once_more(edge: Edge) -> None:
    edge.client.errors = [NotConnected("no", refused=True)]
    assert (await edge.call("emsp", "GET", LIST, to=CPO)).answer == (200, 1000)
    assert len(edge.client.sent) == 2
    edge.client.errors = [NotConnected("no", refused=True)] * 5
    assert (await edge.call("emsp", "GET", LIST, to=CPO)).answer == (200, 4003)
    assert len(edge.client.sent) == 4


@pytest.mark.parametrize("error", [NotConnected("dns"), OutcomeUnknown("reset")])
async def test_everything_else_is_one_attempt(edge: Edge, error: Exception) -> None:
    edge.client.errors = [error] * 5
    await edge.call("emsp", "GET", LIST, to=CPO)
    assert len(edge.client.sent) == 1


# --- response_url ----------------------------------------------------------------------------------------------------


async def test_the_response_url_of_a_command_becomes_the_hubs_and_every_other_byte_stays(edge: Edge) -> None:
    body = start(extra=1).replace(b'"extra":1', b'"extra": 1.100')
    assert (await edge.call("emsp", "POST", f"{RECEIVER}/commands/START_SESSION", body, to=CPO)).answer == (200, 1000)
    sent = edge.client.sent[0].body
    assert sent is not None
    before, after = body.split(BACK.encode())
    assert sent.startswith(before)
    assert sent.endswith(after)
    made = sent[len(before) : -len(after)].decode()
    assert made.startswith(f"{PUBLIC}{SENDER}/commands/START_SESSION/")
    assert len(made) <= 255
    assert "emsp.example" not in made


async def test_the_result_comes_back_through_it_bare_and_from_the_recipient_to_the_sender(edge: Edge) -> None:
    body = start()
    await edge.call("emsp", "POST", f"{RECEIVER}/commands/START_SESSION", body, to=CPO)
    made = made_in(edge.client.sent[0].body)
    for result in (b'{"result":"ACCEPTED"}', b'{"result": "CANCELED_RESERVATION"}'):
        told = await edge.call("cpo", "POST", made, result)
        assert told.answer == (200, 1000)
        sent = edge.client.sent[-1]
        assert (sent.method, sent.url, sent.body) == ("POST", BACK, result)
        assert (sent.headers["Authorization"], sent.headers["OCPI-to-party-id"]) == ("Token for-emsp", "EMS")
        assert (sent.headers["OCPI-from-country-code"], sent.headers["OCPI-from-party-id"]) == CPO
        assert told.headers["OCPI-from-party-id"] == "EMS"


async def test_a_result_for_one_who_has_just_registered_through_another_edge_finds_it(edge: Edge) -> None:
    await edge.call("emsp", "POST", f"{RECEIVER}/commands/START_SESSION", start(), to=CPO)
    made = made_in(edge.client.sent[0].body)
    here, there = edge.registry.directory.platforms["cpo"], edge.registry.directory.platforms["emsp"]
    edge.registry.directory = Directory([here], hub=edge.registry.directory.hub, revision=7)
    edge.registry.elsewhere = [there]
    assert (await edge.call("cpo", "POST", made, {"result": "ACCEPTED"})).answer == (200, 1000)
    assert edge.client.sent[-1].url == BACK


async def test_a_result_is_from_the_party_that_was_asked_where_its_platform_has_several() -> None:
    two = platform("two", Party(CPO, Role.CPO), Party(PartyId("NL", "TWO"), Role.CPO))
    edge = Edge(two, EMSP_PLATFORM)
    await edge.call("emsp", "POST", f"{RECEIVER}/commands/START_SESSION", start(), to=CPO)
    told = await edge.call("two", "POST", made_in(edge.client.sent[0].body), {"result": "ACCEPTED"})
    assert told.answer == (200, 1000)
    assert edge.client.sent[-1].headers["OCPI-from-party-id"] == "TNM"


async def test_a_hub_made_url_is_good_for_whom_it_was_made_and_for_nothing_else(edge: Edge) -> None:
    await edge.call("emsp", "POST", f"{RECEIVER}/commands/START_SESSION", start(), to=CPO)
    made = made_in(edge.client.sent[0].body)
    result = {"result": "ACCEPTED"}
    assert (await edge.call("emsp", "POST", made, result)).http == 404
    assert (
        await edge.call("cpo", "POST", made.replace("commands/START_SESSION", "chargingprofiles/result"), result)
    ).http == 404
    assert (await edge.call("cpo", "POST", made[:-1], result)).http == 404
    assert (await edge.call("cpo", "GET", made)).http == 405
    assert len(edge.client.sent) == 1


async def test_a_result_is_tried_again_while_no_byte_was_sent(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    await edge.call("emsp", "POST", f"{RECEIVER}/commands/START_SESSION", start(), to=CPO)
    made = made_in(edge.client.sent[0].body)
    monkeypatch.setattr("hub.edge.relay.PAUSES", (0.0, 0.0))
    edge.client.errors = [NotConnected("dns"), NotConnected("tls"), NotConnected("refused", refused=True)]
    assert (await edge.call("cpo", "POST", made, {"result": "ACCEPTED"})).answer == (200, 1000)
    assert len(edge.client.sent) == 5
    edge.client.errors = [NotConnected("dns"), OutcomeUnknown("reset")]
    assert (await edge.call("cpo", "POST", made, {"result": "ACCEPTED"})).answer == (200, 4002)
    assert len(edge.client.sent) == 7


async def test_a_result_is_given_up_at_its_deadline() -> None:
    edge = Edge(command_seconds=min(PAUSES) / 2)
    await edge.call("emsp", "POST", f"{RECEIVER}/commands/START_SESSION", start(), to=CPO)
    made = made_in(edge.client.sent[0].body)
    edge.client.errors = [NotConnected("dns")] * 9
    assert (await edge.call("cpo", "POST", made, {"result": "ACCEPTED"})).answer == (200, 4003)
    assert len(edge.client.sent) == 2


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/x", "http://emsp.example/x", "https://emsp.example:444/x", "https://cpo.example/x",
        "https://emsp.example@elsewhere.example/", "//emsp.example/x", "javascript:1", "", "https://127.0.0.1/",
    ],
)  # fmt: skip
async def test_p12_a_response_url_of_an_unknown_origin_is_2001(edge: Edge, url: str) -> None:
    told = await edge.call("emsp", "POST", f"{RECEIVER}/commands/START_SESSION", start(url), to=CPO)
    assert told.answer == (200, 2001)
    assert "response_url" in told.message
    assert edge.client.sent == []


async def test_p12_a_response_url_that_stands_twice_cannot_smuggle_the_second(edge: Edge) -> None:
    body = start()[:-1] + b',"response_url":"' + BACK.encode() + b'"}'
    evil = body.replace(BACK.encode(), b"https://elsewhere.example/", 1)
    await edge.call("emsp", "POST", f"{RECEIVER}/commands/START_SESSION", evil, to=CPO)
    for sent in edge.client.sent:
        assert b"elsewhere" not in (sent.body or b"")


async def test_a_command_without_a_response_url_goes_on_as_it_is_because_its_recipient_decides(edge: Edge) -> None:
    body = start(5)
    await edge.call("emsp", "POST", f"{RECEIVER}/commands/START_SESSION", body, to=CPO)
    assert edge.client.sent[0].body == body


async def test_p8_a_token_in_a_command_is_one_of_the_senders(edge: Edge) -> None:
    body = objects.start_session(response_url=BACK, token=objects.token(country_code="FR", party_id="XXX"))
    told = await edge.call("emsp", "POST", f"{RECEIVER}/commands/START_SESSION", body, to=CPO)
    assert told.answer == (200, 2001)
    assert "$.token" in told.message


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_response_url_of_a_profile_is_replaced_in_the_query(edge: Edge, method: str) -> None:
    query = f"duration=900&response_url={BACK.replace('?', '%3F').replace('=', '%3D')}&x=%20"
    told = await edge.call("emsp", method, f"{RECEIVER}/chargingprofiles/S1?{query}", to=CPO)
    assert told.answer == (200, 1000)
    before, _, rest = edge.client.sent[0].url.partition("response_url=")
    assert before == "https://cpo.example/receiver/chargingprofiles/S1?duration=900&"
    made, _, after = rest.partition("&")
    assert after == "x=%20"
    result = await edge.call("cpo", "POST", unquote(made), {"result": "ACCEPTED"})
    assert result.answer == (200, 1000)
    assert edge.client.sent[-1].url == BACK


async def test_the_response_url_of_a_set_profile_is_replaced_in_the_body(edge: Edge) -> None:
    body = objects.body(objects.set_charging_profile(response_url=BACK))
    await edge.call("emsp", "PUT", f"{RECEIVER}/chargingprofiles/S1", body, to=CPO)
    made = made_in(edge.client.sent[0].body)
    assert made.startswith(f"{PUBLIC}{SENDER}/chargingprofiles/result/")
    await edge.call("cpo", "POST", made, {"result": "ACCEPTED"})
    assert edge.client.sent[-1].url == BACK


def test_a_reservations_response_url_lives_until_an_hour_after_it_ends() -> None:
    now = 1_700_000_000_000
    day = 86_400_000
    far = datetime.fromtimestamp(now / 1000, UTC) + timedelta(days=3)
    assert lives_until(b"{}", now) == now + day
    assert lives_until(b'{"expiry_date":"%s"}' % far.isoformat().encode(), now) == now + 3 * day + 3_600_000
    for odd in (
        b'{"expiry_date":5}',
        b'{"expiry_date":"soon"}',
        b'["expiry_date"]',
        b'{"expiry_date":"9999-12-31T00:00:00Z"}',
    ):
        assert now + day <= lives_until(odd, now) <= now + 366 * day


# --- lists -----------------------------------------------------------------------------------------------------------


async def test_a_list_comes_with_its_counts_and_the_next_page_by_way_of_the_hub(edge: Edge) -> None:
    page = "https://cpo.example/sender/locations?offset=2&limit=2&date_from=2020-01-01T00:00:00Z"
    edge.client.answer = answer(X_Total_Count="5", X_Limit="2", Link=f'<{page}>; rel="next"')
    told = await edge.call("emsp", "GET", f"{LIST}?limit=2", to=CPO)
    assert (told.headers["X-Total-Count"], told.headers["X-Limit"]) == ("5", "2")
    link = next_page(told.headers)
    assert link is not None
    assert link.startswith(f"{PUBLIC}{LIST}?page=")
    assert len(link) <= 255

    edge.client.answer = answer(X_Total_Count="5", Link='</sender/locations?offset=4>; rel="next"')
    told = await edge.call("emsp", "GET", link)
    assert told.answer == (200, 1000)
    assert edge.client.sent[-1].url == page
    assert edge.client.sent[-1].headers["OCPI-to-party-id"] == "TNM"
    following = next_page(told.headers)
    assert following is not None

    edge.client.answer = answer(X_Total_Count="5")
    told = await edge.call("emsp", "GET", following, to=CPO, sender=EMSP)
    assert edge.client.sent[-1].url == "https://cpo.example/sender/locations?offset=4"
    assert "Link" not in told.headers


async def test_p12_a_next_page_of_an_unknown_origin_is_4000_rather_than_a_shortened_list(edge: Edge) -> None:
    for link in (
        "https://elsewhere.example/l?offset=2",
        "//elsewhere.example/",
        "https://cpo.example:1/",
        "http://[",
        "//[x",
    ):
        edge.client.answer = answer(Link=f'<{link}>; rel="next"')
        told = await edge.call("emsp", "GET", LIST, to=CPO)
        assert told.answer == (200, 4000)
        assert "elsewhere" not in told.message


async def test_a_page_is_of_whom_it_was_made_for_only(edge: Edge) -> None:
    edge.client.answer = answer(Link='<https://cpo.example/sender/locations?offset=4>; rel="next"')
    link = next_page((await edge.call("emsp", "GET", LIST, to=CPO)).headers)
    assert link is not None
    assert (await edge.call("cpo", "GET", link)).http == 404
    assert (await edge.call("emsp", "GET", f"{LIST}?page=nonsense")).http == 404


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ('<u>; rel="next"', "u"), ("<u>;rel=next", "u"), ('<p>; rel="prev", <u>; rel="next"; title="a, b"', "u"),
        ('<u>; title="x"; REL="last next"', "u"), ('<p>; rel="prev"', None), ("nonsense", None), ("<u>", None),
        ('<u>; rel="nextish"', None), ('<a,b>; rel="next"', "a,b"),
    ],
)  # fmt: skip
def test_the_next_link_is_found_however_it_is_written(header: str, url: str | None) -> None:
    assert next_page({"Link": header}) == url
    assert next_page({}) is None


@given(st.text(alphabet='<>;,="relnxt \\', max_size=40))
def test_no_link_header_raises(header: str) -> None:
    next_page({"Link": header})


@given(st.text(alphabet="ab=&%2 ?/#", max_size=30))
def test_a_query_keeps_every_other_byte(rest: str) -> None:
    query = f"{rest}&response_url=x"
    assert replace_in_query(query, "response_url", "a&b") == f"{rest}&response_url=a%26b"


# --- exchanges -------------------------------------------------------------------------------------------------------


async def test_p13_every_relay_is_noted_with_what_came_of_it(edge: Edge) -> None:
    await edge.call("emsp", "GET", f"{LIST}/L1", to=CPO, X_Request_ID="r", X_Correlation_ID="c")
    edge.client.errors = [NotConnected("refused", refused=True)] * 2
    await edge.call("emsp", "GET", f"{LIST}/L1", to=CPO)
    first, second = edge.exchanges
    assert (first.row, first.path, first.sender, first.recipient) == ("LOC-S2", ("L1",), EMSP, CPO)
    assert (first.request_id, first.correlation_id, first.attempts) == ("r", "c", 1)
    assert (first.http_status, first.status_code, first.outcome) == (200, 1000, "answered")
    assert first.forwarded_id == edge.client.sent[0].headers["X-Request-ID"]
    assert (second.status_code, second.attempts, second.http_status) == (4003, 2, 0)
    assert 0 <= first.hub_ms <= first.ms


AUTHORIZE = f"{SENDER}/tokens/T1/authorize"


async def test_bodies_are_noted_where_they_are_to_be_kept() -> None:
    body = b'{"location_id":"L1","evse_uids":["E1"]}'
    for keeps in (True, False):
        edge = Edge(archive_bodies=keeps)
        await edge.call("cpo", "POST", AUTHORIZE, body, to=EMSP)
        (noted,) = edge.exchanges
        assert (noted.sent, noted.answer) == ((body, edge.client.answer.body) if keeps else (b"", b""))


@pytest.mark.parametrize("known", ["cpo", "for-emsp"])
async def test_p11_bodies_in_which_a_credential_stands_are_not_noted(known: str) -> None:
    edge = Edge(archive_bodies=True)
    told = orjson.dumps({"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z", "data": {"allowed": known}})
    edge.client.answer = replace(edge.client.answer, body=told)
    await edge.call("cpo", "POST", AUTHORIZE, {"location_id": known}, to=EMSP)
    (noted,) = edge.exchanges
    assert (noted.outcome, noted.sent, noted.answer) == ("answered", b"", b"")


def made_in(body: bytes | None) -> str:
    assert body is not None
    return body.partition(b'"response_url":"')[2].partition(b'"')[0].decode()


# --- what is learnt of the recipient ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("http_status", "strained"), [(200, []), (500, []), (429, ["cpo"]), (503, ["cpo"])])
async def test_an_answer_that_says_it_was_too_much_is_told_to_the_lanes(
    edge: Edge, http_status: int, strained: list[str]
) -> None:
    edge.client.answer = answer(http_status=http_status)
    await edge.call("emsp", "GET", LIST, to=CPO)
    assert edge.strained == strained


@pytest.mark.parametrize(
    ("error", "strained"),
    [(late(OutcomeUnknown("not in time")), ["cpo"]), (late(NotConnected("not in time")), ["cpo"]),
     (OutcomeUnknown("reset"), []), (NotConnected("refused"), [])],
)  # fmt: skip
async def test_a_timeout_is_told_to_the_lanes_and_what_is_away_is_not(
    edge: Edge, error: Exception, strained: list[str]
) -> None:
    edge.client.errors.append(error)
    await edge.call("emsp", "GET", LIST, to=CPO)
    assert edge.strained == strained


async def test_no_relay_is_held_back_for_what_the_platform_bears(edge: Edge) -> None:
    edge.client.answer = answer(http_status=503)
    for _ in range(20):
        assert (await edge.call("emsp", "GET", LIST, to=CPO)).answer == (503, 1000)
    assert len(edge.client.sent) == 20
