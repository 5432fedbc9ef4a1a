"""Modules that OCPI does not define: offered while somebody serves one, passed on by TO as they are."""

from __future__ import annotations

import pytest

from connectors.values import InterfaceRole, PartyId, Role
from routing.directory import Endpoint, Party, PlatformSettings, Status
from tests.hub.edge.harness import CPO, CPO_PLATFORM, EMSP, EMSP_PLATFORM, HUB, PUBLIC, Edge, answer, platform

S, R = InterfaceRole.SENDER, InterfaceRole.RECEIVER
OFFERS = (
    Endpoint("NLTNM-Queue", S, "https://cpo.example/q"),
    Endpoint("nltnm-queue", R, "https://cpo.example/in/?v=1"),
    Endpoint("nltnm-plans", R, "https://cpo.example/plans"),
)
BASE = "/ocpi/2.2.1/sender/nltnm-queue"


@pytest.fixture
def edge() -> Edge:
    made = Edge()
    made.change(CPO_PLATFORM, endpoints=(*CPO_PLATFORM.endpoints, *OFFERS))
    return made


async def offered(edge: Edge) -> dict[tuple[str, str], str]:
    details = (await edge.call("emsp", "GET", "/ocpi/2.2.1")).envelope["data"]
    return {
        (one["identifier"], one["role"]): one["url"] for one in details["endpoints"] if one["identifier"][:5] != "plain"
    }


async def test_version_details_offer_it_in_the_roles_that_somebody_serves_and_end_to(edge: Edge) -> None:
    plain = set(await offered(Edge()))
    found = await offered(edge)
    assert set(found) - plain == {("NLTNM-Queue", "SENDER"), ("nltnm-queue", "RECEIVER"), ("nltnm-plans", "RECEIVER")}
    assert found["NLTNM-Queue", "SENDER"] == f"{PUBLIC}{BASE}/"
    for gone in ({"removed": True}, {"version": ""}, {"status": Status.SUSPENDED}):
        edge.change(CPO_PLATFORM, endpoints=OFFERS, **gone)
        assert set(await offered(edge)) == plain
    edge.change(CPO_PLATFORM, endpoints=OFFERS, status=Status.OFFLINE)
    assert set(await offered(edge)) > plain


async def test_every_method_and_path_is_passed_on_as_it_came_and_answered_by_the_party_of_to(edge: Edge) -> None:
    edge.client.answer = answer(b'{"status_code": 1901, "data": [1.10]}', 202)
    for method, path, body in (
        ("GET", "", b""), ("GET", "/a%2Fb/c?limit=3&x=%20", b""), ("POST", "/a", b'[1.10, "x"]'),
        ("PUT", "/a/b/c/d/e", b'{"n": 1.0}'), ("PATCH", "", b"7"), ("DELETE", "/a", b""), ("POST", "/empty", b""),
    ):  # fmt: skip
        told = await edge.call("emsp", method, BASE + path, body, to=CPO, Content_Type="application/json; x=1")
        assert (told.http, told.raw, told.counted) == (202, b'{"status_code": 1901, "data": [1.10]}', 1901)
        sent = edge.client.sent[-1]
        assert (sent.method, sent.url) == (method, f"https://cpo.example/q{path}")
        assert sent.body == (None if method in ("GET", "DELETE") else body)
        assert sent.headers["OCPI-from-party-id"] == EMSP.party_id
        assert sent.headers["Authorization"] == "Token for-cpo"
    await edge.call("emsp", "GET", "/ocpi/2.2.1/RECEIVER/NLTNM-queue/one?z=2", to=CPO)
    assert edge.client.sent[-1].url == "https://cpo.example/in/one?v=1&z=2"


async def test_it_is_a_relay_in_metrics_and_exchanges_and_never_an_event(edge: Edge) -> None:
    await edge.call("emsp", "PUT", "/ocpi/2.2.1/receiver/nltnm-queue/x", {"a": 1}, to=CPO)
    assert edge.log.events == []
    noted = edge.exchanges[-1]
    assert (noted.row, noted.module) == ("CUS-R-PUT", "nltnm-queue")
    page = edge.metrics.page().decode()
    assert 'module="other",' in page
    assert 'route="CUS-R-PUT"' in page
    assert "nltnm" not in page


@pytest.mark.parametrize(
    ("method", "path", "to", "body", "told"),
    [
        ("GET", BASE, None, b"", (200, 4001)),
        ("GET", BASE, HUB, b"", (200, 4001)),
        ("GET", BASE, PartyId("FR", "XXX"), b"", (200, 4001)),
        ("GET", BASE, EMSP, b"", (200, 4000)),
        ("PUT", BASE, CPO, b"{", (400, 2001)),
        ("OPTIONS", BASE, CPO, b"", (405, 2000)),
        ("GET", "/ocpi/2.2.1/sender/nltnm-plans", CPO, b"", (404, 2000)),
        ("GET", "/ocpi/2.2.1/sender/nobodys", CPO, b"", (404, 2000)),
        ("GET", "/ocpi/2.2.1/sender/versions", CPO, b"", (404, 2000)),
    ],
)
async def test_what_cannot_be_passed_on_is_told(
    edge: Edge, method: str, path: str, to: PartyId | None, body: bytes, told: tuple[int, int]
) -> None:
    assert (await edge.call("emsp", method, path, body, to=to)).answer == told
    assert edge.client.sent == []


async def test_one_that_another_edge_registered_a_moment_ago_is_found() -> None:
    edge = Edge(EMSP_PLATFORM)
    edge.registry.elsewhere = [platform("cpo", Party(CPO, Role.CPO), endpoints=OFFERS)]
    assert (await edge.call("emsp", "GET", BASE, to=CPO)).answer == (200, 1000)


async def test_its_next_pages_come_through_the_hub_and_a_page_number_of_its_own_is_left_alone(edge: Edge) -> None:
    edge.client.answer = answer(Link='<https://cpo.example/q/list?page=2>; rel="next"', X_Total_Count="9")
    told = await edge.call("emsp", "GET", f"{BASE}/list?page=1", to=CPO)
    assert edge.client.sent[-1].url == "https://cpo.example/q/list?page=1"
    assert told.headers["X-Total-Count"] == "9"
    following = told.headers["Link"].split(">")[0].removeprefix("<")
    assert following.startswith(f"{PUBLIC}{BASE}")
    edge.client.answer = answer()
    await edge.call("emsp", "GET", following, to=CPO)
    assert edge.client.sent[-1].url == "https://cpo.example/q/list?page=2"


async def test_an_endpoint_that_the_operator_named_otherwise_is_offered_under_that_name_alone(edge: Edge) -> None:
    renamed = PlatformSettings(renames=((OFFERS[0].url, "tariffs"), (OFFERS[2].url, "frxyz-plans")))
    edge.change(CPO_PLATFORM, endpoints=OFFERS, settings=renamed)
    found = {identifier for identifier, _ in await offered(edge)} - {one for one, _ in await offered(Edge())}
    assert found == {"nltnm-queue", "frxyz-plans"}
    await edge.call("emsp", "GET", "/ocpi/2.2.1/sender/tariffs", to=CPO)
    assert edge.client.sent[-1].url == OFFERS[0].url


async def test_a_module_of_ocpi_in_capitals_is_that_module_and_none_of_their_own(edge: Edge) -> None:
    edge.change(CPO_PLATFORM, endpoints=(Endpoint("Locations", S, "https://cpo.example/l"),))
    assert ("Locations", "SENDER") not in await offered(edge)
    assert (await edge.call("emsp", "GET", "/ocpi/2.2.1/sender/locations/L1", to=CPO)).answer == (200, 1000)


async def test_who_speaks_is_not_guessed_by_roles_that_ocpi_does_not_say(edge: Edge) -> None:
    edge.change(EMSP_PLATFORM, parties=(Party(EMSP, Role.EMSP), Party(PartyId("DE", "CPX"), Role.CPO)))
    assert (await edge.call("emsp", "GET", BASE, to=CPO)).answer == (200, 2001)
    assert (await edge.call("emsp", "GET", BASE, to=CPO, sender=EMSP)).answer == (200, 1000)
