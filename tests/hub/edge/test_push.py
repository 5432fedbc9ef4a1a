"""Pushes: onto the log before anything else; a broadcast is the hub's 1000, a directed push the recipient's answer."""

from __future__ import annotations

import pytest

from connectors.values import InterfaceRole, PartyId, Role
from routing.directory import Party, PlatformSettings, Validate
from routing.event import Event, Operation
from routing.log.port import PublishRefused, PublishUnknown
from routing.replies import Reply
from tests.connectors.v2_2_1 import objects
from tests.hub.edge.harness import CPO, CPO_PLATFORM, EMSP, EMSP_PLATFORM, HUB, Edge, platform

R = "/ocpi/2.2.1/receiver"
LOCATION = f"{R}/locations/NL/TNM/LOC1"
GOOD = objects.location(country_code="NL", party_id="TNM")
BAD = {"country_code": "NL", "party_id": "TNM", "id": "LOC1", "evses": 5, "publish": "yes"}
MINE = {"country_code": "NL", "party_id": "TNM"}
FOR_EMSP = objects.cdr_token(country_code="DE", party_id="EMS")


@pytest.fixture
def edge() -> Edge:
    return Edge()


# --- broadcast -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [None, HUB])
async def test_a_broadcast_is_1000_from_the_hub_once_the_log_has_it(edge: Edge, to: PartyId | None) -> None:
    body = objects.body(GOOD)
    told = await edge.call("cpo", "PUT", LOCATION, body, to=to, X_Request_ID="r", X_Correlation_ID="c")
    assert told.answer == (200, 1000)
    assert "data" not in told.envelope
    assert told.headers["OCPI-from-party-id"] == "HUB"
    (event,) = edge.log.events
    assert (event.payload, event.audience, event.reply_to, event.deadline) == (body, None, None, None)
    assert (event.owner, event.sender, event.sender_role, event.platform) == (CPO, CPO, Role.CPO, "cpo")
    assert (event.module, event.object_id, event.operation) == ("locations", "LOC1", Operation.PUT)
    assert (event.path, event.query, event.version) == (("NL", "TNM", "LOC1"), "", "2.2.1")
    assert (event.request_id, event.correlation_id, event.revision) == ("r", "c", 7)
    assert event.expires == event.accepted + 3000
    assert event.last_updated == objects.NOW
    assert edge.client.sent == []


async def test_all_that_concerns_one_object_has_one_key_whatever_its_level_and_case(edge: Edge) -> None:
    await edge.call("cpo", "PUT", LOCATION, GOOD)
    patch = {"last_updated": objects.NOW, "status": "CHARGING"}
    await edge.call("cpo", "PATCH", f"{R}/locations/nl/tnm/loc1/E1", patch)
    await edge.call("cpo", "PATCH", f"{R}/locations/NL/TNM/LOC1/E1/1", {"last_updated": objects.NOW})
    assert {event.key for event in edge.log.events} == {b"NL*TNM/locations/LOC1"}
    assert [event.path[2:] for event in edge.log.events] == [("LOC1",), ("loc1", "E1"), ("LOC1", "E1", "1")]


@pytest.mark.parametrize(
    ("who", "method", "path", "body", "module"),
    [
        ("cpo", "DELETE", "tariffs/NL/TNM/T1", b"", "tariffs"),
        ("cpo", "PUT", "tariffs/NL/TNM/T1", objects.tariff(id="T1", **MINE), "tariffs"),
        ("emsp", "PUT", "tokens/DE/EMS/T1", objects.token(uid="T1", country_code="DE", party_id="EMS"), "tokens"),
        ("emsp", "PATCH", "tokens/DE/EMS/T1", {"valid": False, "last_updated": objects.NOW}, "tokens"),
    ],
)
async def test_tariffs_and_tokens_are_broadcast_too(
    edge: Edge, who: str, method: str, path: str, body: object, module: str
) -> None:
    told = await edge.call(who, method, f"{R}/{path}", body)
    assert told.answer == (200, 1000), told.message
    assert (edge.log.events[0].module, edge.log.events[0].object_id) == (module, "T1")


async def test_the_type_of_a_token_tells_two_apart(edge: Edge) -> None:
    patch = {"last_updated": objects.NOW}
    for query in ("", "?type=RFID", "?type=app_user"):
        await edge.call("emsp", "PATCH", f"{R}/tokens/DE/EMS/T1{query}", patch)
    assert [event.variant for event in edge.log.events] == ["RFID", "RFID", "APP_USER"]
    assert edge.log.events[2].query == "type=app_user"


@pytest.mark.parametrize("path", ["sessions/NL/TNM/S1", "cdrs"])
async def test_one_partys_data_is_not_broadcast(edge: Edge, path: str) -> None:
    told = await edge.call("cpo", "POST" if path == "cdrs" else "PUT", f"{R}/{path}", {}, to=HUB)
    assert told.answer == (200, 2001)
    assert edge.log.events == []


# --- who answers, judges ---------------------------------------------------------------------------------------------


async def test_a_broadcast_that_lacks_what_is_required_is_2001_naming_every_path(edge: Edge) -> None:
    told = await edge.call("cpo", "PUT", LOCATION, BAD)
    assert told.answer == (200, 2001)
    for path in ("$.evses", "$.publish", "$.address", "$.coordinates", "$.last_updated"):
        assert path in told.message
    assert edge.log.events == []


async def test_a_directed_push_with_the_same_findings_passes_and_they_are_counted(edge: Edge) -> None:
    told = await edge.call("cpo", "PUT", LOCATION, BAD, to=EMSP)
    assert told.answer == (200, 1000)
    assert len(edge.log.events[0].findings) > 4
    assert all(finding.startswith("$") for finding in edge.log.events[0].findings)
    assert b'module="locations"' in edge.metrics.page().partition(b"ocpi_hub_findings_total{")[2]


@pytest.mark.parametrize(
    ("validate", "to", "code"),
    [
        (Validate.REPORT, None, 1000),
        (Validate.REFUSE, EMSP, 2001),
        (Validate.REFUSE, None, 2001),
        (Validate.REPORT, EMSP, 1000),
    ],
)
async def test_a_setting_of_the_platform_overrides_both(
    edge: Edge, validate: Validate, to: PartyId | None, code: int
) -> None:
    edge.change(CPO_PLATFORM, settings=PlatformSettings(validate=validate))
    assert (await edge.call("cpo", "PUT", LOCATION, BAD, to=to)).answer == (200, code)


async def test_notes_that_are_not_fatal_never_refuse(edge: Edge) -> None:
    edge.change(CPO_PLATFORM, settings=PlatformSettings(validate=Validate.REFUSE))
    told = await edge.call("cpo", "PUT", LOCATION, GOOD | {"name": "x" * 300, "unknown": 1, "parking_type": "SKY"})
    assert told.answer == (200, 1000)


@pytest.mark.parametrize(
    "body",
    [
        [], {}, GOOD | {"id": "OTHER"}, GOOD | {"party_id": "XXX"}, {**GOOD, "country_code": None},
    ],
)  # fmt: skip
@pytest.mark.parametrize("to", [None, EMSP])
async def test_p8_what_contradicts_the_url_is_refused_always(edge: Edge, body: object, to: PartyId | None) -> None:
    assert (await edge.call("cpo", "PUT", LOCATION, body, to=to)).answer == (200, 2001)
    assert edge.log.events == []


async def test_a_patch_without_last_updated_is_refused_always(edge: Edge) -> None:
    for to in (None, EMSP):
        assert (await edge.call("cpo", "PATCH", LOCATION, {"name": "x"}, to=to)).answer == (200, 2001)


async def test_p8_the_owner_of_a_posted_cdr_is_a_party_of_the_platform(edge: Edge) -> None:
    told = await edge.call("cpo", "POST", f"{R}/cdrs", objects.cdr(country_code="DE", party_id="EMS"), to=EMSP)
    assert told.answer == (200, 2001)
    assert edge.log.events == []


# --- directed --------------------------------------------------------------------------------------------------------


async def test_a_directed_push_is_answered_by_its_recipient_byte_for_byte(edge: Edge) -> None:
    edge.log.replies = lambda event: Reply(
        event.id, 201, 1000, b'{ "status_code":1000 }', headers={"Content-Type": "x/y", "Retry-After": "3"}
    )
    told = await edge.call("cpo", "PUT", LOCATION, GOOD, to=EMSP)
    assert (told.http, told.raw) == (201, b'{ "status_code":1000 }')
    assert (told.headers["Content-Type"], told.headers["Retry-After"]) == ("x/y", "3")
    assert (told.headers["OCPI-from-party-id"], told.headers["OCPI-to-party-id"]) == ("EMS", "TNM")
    (event,) = edge.log.events
    assert event.audience == EMSP
    assert event.reply_to == edge.waiting.reply_to
    assert event.deadline is not None
    assert 14_000 < event.deadline - event.accepted <= 15_000
    assert len(edge.waiting) == 0


@pytest.mark.parametrize(("code", "http"), [(4003, 200), (4002, 200), (4000, 503), (2001, 200)])
async def test_the_workers_no_is_an_envelope_of_the_hubs(edge: Edge, code: int, http: int) -> None:
    edge.log.replies = lambda event: Reply(event.id, http, code, message="because")
    told = await edge.call("cpo", "PUT", LOCATION, GOOD, to=EMSP)
    assert told.answer == (http, code)
    assert told.message == "because"
    assert told.headers["OCPI-from-party-id"] == "HUB"


async def test_the_location_of_a_cdr_is_the_one_that_the_worker_gives(edge: Edge) -> None:
    edge.log.replies = lambda event: Reply(
        event.id, 200, 1000, b'{"status_code":1000}', location="https://hub.example/x"
    )
    told = await edge.call("cpo", "POST", f"{R}/cdrs", objects.cdr(**MINE, cdr_token=FOR_EMSP))
    assert told.answer == (200, 1000)
    assert told.headers["Location"] == "https://hub.example/x"
    event = edge.log.events[0]
    assert (event.path, event.operation, event.audience) == ((), Operation.POST, EMSP)
    assert event.key == f"NL*TNM/cdrs/{event.object_id.upper()}".encode()


async def test_a_session_finds_its_emsp_by_its_cdr_token(edge: Edge) -> None:
    session = objects.session(**MINE, cdr_token=FOR_EMSP)
    told = await edge.call("cpo", "PUT", f"{R}/sessions/NL/TNM/{session['id']}", session)
    assert told.answer == (200, 1000)
    assert edge.log.events[0].audience == EMSP


async def test_a_session_patch_names_no_emsp_and_asks_for_the_headers(edge: Edge) -> None:
    patch = {"last_updated": objects.NOW, "charging_periods": [objects.charging_period()]}
    told = await edge.call("cpo", "PATCH", f"{R}/sessions/NL/TNM/S1", patch)
    assert told.answer == (200, 4001)
    assert "OCPI-to-country-code" in told.message
    assert (await edge.call("cpo", "PATCH", f"{R}/sessions/NL/TNM/S1", patch, to=EMSP)).answer == (200, 1000)
    assert edge.log.events[0].appends is True


@pytest.mark.parametrize(
    ("parties", "offers", "code"),
    [
        ((), ("locations",), 4001),
        ((Party(EMSP, Role.EMSP, suspended=True),), ("locations",), 4003),
        ((Party(EMSP, Role.EMSP),), ("cdrs",), 4000),
    ],
)
async def test_p1_a_recipient_that_cannot_have_it_is_told_at_once_and_nothing_is_published(
    parties: tuple[Party, ...], offers: tuple[str, ...], code: int
) -> None:
    edge = Edge(CPO_PLATFORM, platform("emsp", *parties, offers=offers))
    told = await edge.call("cpo", "PUT", LOCATION, GOOD, to=EMSP)
    assert told.answer == (200, code)
    assert edge.log.events == []
    assert EMSP_PLATFORM.endpoint("locations", InterfaceRole.RECEIVER) is not None


async def test_p1_no_outcome_in_time_is_4002(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.edge.push.MARGIN_MS", 1)
    edge = Edge(directed_seconds=0.001)
    edge.log.replies = lambda _: None
    told = await edge.call("cpo", "PUT", LOCATION, GOOD, to=EMSP)
    assert told.answer == (200, 4002)
    assert len(edge.waiting) == 0


# --- the log is away -------------------------------------------------------------------------------------------------


def refuse(event: Event) -> int:
    raise PublishRefused(event.id)


@pytest.mark.parametrize("to", [None, EMSP])
async def test_a_log_that_refuses_is_503_and_4000_with_retry_after(edge: Edge, to: PartyId | None) -> None:
    edge.log.publishing = refuse
    edge.log.replies = lambda _: None
    told = await edge.call("cpo", "PUT", LOCATION, GOOD, to=to)
    assert told.answer == (503, 4000)
    assert int(told.headers["Retry-After"]) > 0


@pytest.mark.parametrize("to", [None, EMSP])
async def test_p1_what_the_log_took_after_it_expired_is_503(edge: Edge, to: PartyId | None) -> None:
    edge.log.replies = lambda _: None
    edge.log.publishing = lambda event: event.expires + 1
    assert (await edge.call("cpo", "PUT", LOCATION, GOOD, to=to)).answer == (503, 4000)
    edge.log.replies = lambda event: Reply(event.id, 200, 1000, b'{"status_code":1000}')
    edge.log.publishing = lambda event: event.expires
    assert (await edge.call("cpo", "PUT", LOCATION, GOOD, to=to)).answer == (200, 1000)


async def test_p1_an_unknown_publish_is_503_no_earlier_than_a_quarter_second_after_it_expired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edge = Edge(publish_seconds=0.05)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    def unknown(event: Event) -> int:
        raise PublishUnknown(event.id)

    monkeypatch.setattr("hub.edge.push.asyncio.sleep", sleep)
    edge.log.publishing = unknown
    told = await edge.call("cpo", "PUT", LOCATION, GOOD)
    assert told.answer == (503, 4000)
    assert 0.25 < waits[0] <= 0.3


async def test_an_outcome_that_came_although_the_log_did_not_answer_is_the_answer(edge: Edge) -> None:
    def unknown(event: Event) -> int:
        edge.clock.ahead = 10_000
        raise PublishUnknown(event.id)

    edge.log.publishing = unknown
    edge.log.replies = lambda event: Reply(event.id, 200, 1000, b'{"status_code":1000}')
    assert (await edge.call("cpo", "PUT", LOCATION, GOOD, to=EMSP)).answer == (200, 1000)


# --- the store is away -----------------------------------------------------------------------------------------------


async def test_while_the_store_is_away_a_broadcast_is_accepted(edge: Edge) -> None:
    edge.registry.store_away = "gone"
    assert (await edge.call("cpo", "PUT", LOCATION, GOOD)).answer == (200, 1000)
    assert len(edge.log.events) == 1


async def test_while_the_store_is_away_a_session_goes_on(edge: Edge) -> None:
    edge.registry.store_away = "gone"
    session = objects.session(**MINE, cdr_token=FOR_EMSP)
    told = await edge.call("cpo", "PUT", f"{R}/sessions/NL/TNM/{session['id']}", session)
    assert told.answer == (200, 1000)
    assert len(edge.log.events) == 1


@pytest.mark.parametrize("path", ["cdrs", "locations/NL/TNM/C1", "tariffs/NL/TNM/C1"])
async def test_while_the_store_is_away_no_other_push_for_one_party_goes_onto_the_log(edge: Edge, path: str) -> None:
    edge.registry.store_away = "gone"
    told = await edge.call("cpo", "POST" if path == "cdrs" else "PUT", f"{R}/{path}", {**MINE, "id": "C1"}, to=EMSP)
    assert told.answer == (503, 4000)
    assert "not sent" in told.message
    assert int(told.headers["Retry-After"]) > 0
    assert edge.log.events == []
