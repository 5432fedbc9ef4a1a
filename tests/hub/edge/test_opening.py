"""Calls without TO through the pipeline: who gets them, what is kept, and what is asked of everybody."""

from __future__ import annotations

import pytest

from connectors.client.client import Answer
from connectors.values import PartyId, Role
from hub.edge.opening import KEPT_SECONDS, MAX_KEPT, Opening
from routing.directory import Party
from routing.log.port import Position
from routing.state import ObjectState, StateKey
from tests.connectors.v2_2_1 import objects
from tests.hub.edge.harness import CPO, CPO_PLATFORM, EMSP, EMSP_PLATFORM, Client, Edge, answer, platform

SENDER, RECEIVER = "/ocpi/2.2.1/sender", "/ocpi/2.2.1/receiver"
ALLOWED = b'{"status_code": 1000, "data": {"allowed": "ALLOWED"}}'
BLOCKED = b'{"status_code": 1000, "data": {"allowed": "BLOCKED"}}'
UNKNOWN = b'{"status_code": 2004}'
OTHER = PartyId("DE", "ANE")


async def known(
    edge: Edge, owner: PartyId, module: str, id: str, variant: str = "", *, to: PartyId | None = None, offset: int = 1
) -> None:
    await edge.store.start()
    key = StateKey(owner, module, id, variant, to)
    await edge.store.write_states([ObjectState(key, Position(1, offset), "2.2.1", body=b"{}")])


@pytest.fixture
def edge() -> Edge:
    return Edge()


def command(**named: str) -> bytes:
    return objects.body({"response_url": "https://emsp.example/results/1", **named})


async def test_a_command_goes_to_the_owner_of_its_location_and_the_answer_says_who_that_is(edge: Edge) -> None:
    await known(edge, CPO, "locations", "LOC1")
    told = await edge.call("emsp", "POST", f"{RECEIVER}/commands/UNLOCK_CONNECTOR", command(location_id="loc1"))
    assert told.answer == (200, 1000)
    (sent,) = edge.client.sent
    assert sent.url == "https://cpo.example/receiver/commands/UNLOCK_CONNECTOR"
    assert (sent.headers["OCPI-to-country-code"], sent.headers["OCPI-to-party-id"]) == CPO
    assert (told.headers["OCPI-from-country-code"], told.headers["OCPI-from-party-id"]) == CPO


async def test_a_location_that_is_not_known_is_4001_and_nothing_is_sent(edge: Edge) -> None:
    told = await edge.call("emsp", "POST", f"{RECEIVER}/commands/UNLOCK_CONNECTOR", command(location_id="LOC1"))
    assert told.answer == (200, 4001)
    assert not edge.client.sent


async def test_authorize_goes_to_the_issuer_and_an_unknown_token_is_404_and_2004(edge: Edge) -> None:
    await known(edge, EMSP, "tokens", "T1", "RFID")
    assert (await edge.call("cpo", "POST", f"{SENDER}/tokens/T1/authorize")).answer == (200, 1000)
    assert edge.client.sent[0].url == "https://emsp.example/sender/tokens/T1/authorize"
    assert (await edge.call("cpo", "POST", f"{SENDER}/tokens/T1/authorize?type=APP_USER")).answer == (404, 2004)


async def test_a_session_patch_goes_to_whom_the_session_was_pushed_to(edge: Edge) -> None:
    await known(edge, CPO, "sessions", "S1", to=EMSP)
    patch = b'{"kwh": 1.50, "last_updated": "2026-01-01T00:00:00Z"}'
    told = await edge.call("cpo", "PATCH", f"{RECEIVER}/sessions/NL/TNM/S1", patch)
    assert told.answer == (200, 1000)
    assert [event.audience for event in edge.log.events] == [EMSP]


async def contracted(edge: Edge, contract_id: str, owner: PartyId, to: PartyId | None = None) -> None:
    await edge.store.start()
    key = StateKey(owner, "tokens", f"UID-{contract_id}-{owner}", "RFID", to)
    body = b'{"contract_id": "%s"}' % contract_id.encode()
    await edge.store.write_states([ObjectState(key, Position(1, 1), "2.2.1", body=body)])


def cdr(**token: object) -> bytes:
    whole = objects.cdr(country_code=CPO.country_code, party_id=CPO.party_id)
    return objects.body({**whole, "cdr_token": {"type": "RFID", **token}})


@pytest.mark.parametrize("uid", [{}, {"uid": "#NA"}, {"uid": "nobody knows it"}])
async def test_a_cdr_goes_to_the_owner_of_its_contract_where_nothing_else_names_anybody(
    edge: Edge, uid: dict[str, str]
) -> None:
    edge.registry.set(platform("emsp2", Party(OTHER, Role.EMSP)))
    await contracted(edge, "DE-C1", EMSP)
    await contracted(edge, "DE-C12", OTHER)
    told = await edge.call("cpo", "POST", f"{RECEIVER}/cdrs", cdr(contract_id="de-c1", **uid))
    assert told.answer == (200, 1000)
    unknown = await edge.call("cpo", "POST", f"{RECEIVER}/cdrs", cdr(contract_id="DE-C", **uid))
    assert unknown.answer == (200, 4001)
    assert [event.audience for event in edge.log.events] == [EMSP]


async def test_a_token_that_is_known_goes_before_its_contract(edge: Edge) -> None:
    edge.registry.set(platform("emsp2", Party(OTHER, Role.EMSP)))
    await contracted(edge, "C1", OTHER)
    await known(edge, EMSP, "tokens", "T1", "RFID")
    told = await edge.call("cpo", "POST", f"{RECEIVER}/cdrs", cdr(uid="t1", contract_id="C1"))
    assert told.answer == (200, 1000)
    assert [event.audience for event in edge.log.events] == [EMSP]


async def test_a_contract_of_a_token_that_was_pushed_to_another_tells_nobody_else(edge: Edge) -> None:
    another = PartyId("NL", "ANW")
    edge.registry.set(platform("cpo2", Party(another, Role.CPO)))
    await contracted(edge, "C1", EMSP, to=another)
    assert (await edge.call("cpo", "POST", f"{RECEIVER}/cdrs", cdr(contract_id="C1"))).answer == (200, 4001)
    await contracted(edge, "C2", EMSP, to=CPO)
    assert (await edge.call("cpo", "POST", f"{RECEIVER}/cdrs", cdr(contract_id="C2"))).answer == (200, 1000)


async def test_two_owners_of_a_contract_are_4001_and_named(edge: Edge) -> None:
    edge.registry.set(platform("emsp2", Party(OTHER, Role.EMSP)))
    for owner in (EMSP, OTHER):
        await contracted(edge, "C1", owner)
    told = await edge.call("cpo", "POST", f"{RECEIVER}/cdrs", cdr(contract_id="C1"))
    assert told.answer == (200, 4001)
    for word in ("contract_id", str(EMSP), str(OTHER)):
        assert word in told.envelope["status_message"]
    assert not edge.log.events


async def test_a_reservation_is_cancelled_where_it_was_made(edge: Edge) -> None:
    token = objects.token(country_code="DE", party_id="EMS")
    made = {"response_url": "https://emsp.example/r/1", "token": token, "expiry_date": "2027-01-01T00:00:00Z"}
    body = objects.body({**made, "reservation_id": "R1", "location_id": "LOC1"})
    await edge.call("emsp", "POST", f"{RECEIVER}/commands/RESERVE_NOW", body, to=CPO)
    cancel = command(reservation_id="r1")
    assert (await edge.call("emsp", "POST", f"{RECEIVER}/commands/CANCEL_RESERVATION", cancel)).answer == (200, 1000)
    assert edge.client.sent[-1].url.startswith("https://cpo.example/")
    unknown = command(reservation_id="R2")
    assert (await edge.call("emsp", "POST", f"{RECEIVER}/commands/CANCEL_RESERVATION", unknown)).answer == (200, 4001)


@pytest.mark.parametrize("refusal", [b'{"status_code": 2003}', b'{"status_code":1000,"data":{"result":"REJECTED"}}'])
async def test_a_reservation_that_was_refused_is_not_remembered(edge: Edge, refusal: bytes) -> None:
    edge.client.answer = answer(refusal)
    body = command(reservation_id="R1", location_id="LOC1")
    await edge.call("emsp", "POST", f"{RECEIVER}/commands/RESERVE_NOW", body, to=CPO)
    cancel = command(reservation_id="R1")
    assert (await edge.call("emsp", "POST", f"{RECEIVER}/commands/CANCEL_RESERVATION", cancel)).answer == (200, 4001)


async def test_an_active_profile_goes_to_whoever_set_one(edge: Edge) -> None:
    scsp = PartyId("FR", "SCS")
    edge.registry.set(platform("scsp", Party(scsp, Role.SCSP)))
    profile = objects.body(objects.set_charging_profile(response_url="https://scsp.example/r/1"))
    put = await edge.call("scsp", "PUT", f"{RECEIVER}/chargingprofiles/S1", profile, to=CPO)
    assert put.answer == (200, 1000)
    active = {"start_date_time": "2026-01-01T00:00:00Z", "charging_profile": {"charging_rate_unit": "W"}}
    told = await edge.call("cpo", "PUT", f"{SENDER}/chargingprofiles/S1", objects.body(active))
    assert told.answer == (200, 1000)
    assert edge.client.sent[-1].url == "https://scsp.example/sender/chargingprofiles/S1"


async def test_what_was_found_is_kept_for_a_while_and_no_more_than_so_much_of_it(edge: Edge) -> None:
    await known(edge, CPO, "locations", "LOC1")
    target = f"{SENDER}/locations/LOC1"
    assert (await edge.call("emsp", "GET", target)).answer == (200, 1000)
    edge.store.away = "away for a test"
    assert (await edge.call("emsp", "GET", target)).answer == (200, 1000)
    opening: Opening = edge.pipeline._opening
    opening._found = type(opening._found)((asked, (0.0, to)) for asked, (_, to) in opening._found.items())
    away = await edge.call("emsp", "GET", target)
    assert away.answer == (503, 4000)
    assert "repeat it" in away.envelope["status_message"]
    assert 0 < KEPT_SECONDS < 60 and MAX_KEPT <= 100_000


class Several(Client):
    """Each eMSP answers for itself."""

    def __init__(self, **answers: bytes | Exception) -> None:
        super().__init__()
        self.answers = answers

    async def send(self, method: str, url: str, *given: object, **named: object) -> Answer:
        said = self.answers[url.removeprefix("https://").partition(".")[0]]
        if isinstance(said, Exception):
            raise said
        return answer(said)


@pytest.mark.parametrize(
    ("emsp", "emsp2", "told", "by"),
    [
        (UNKNOWN, ALLOWED, (200, 1000), OTHER),
        (BLOCKED, ALLOWED, (200, 1000), OTHER),
        (BLOCKED, UNKNOWN, (200, 1000), EMSP),
        (UNKNOWN, UNKNOWN, (404, 2004), None),
    ],
)
async def test_asking_everybody_for_an_unknown_token_is_a_setting(
    emsp: bytes, emsp2: bytes, told: tuple[int, int], by: PartyId | None
) -> None:
    platforms = (CPO_PLATFORM, EMSP_PLATFORM, platform("emsp2", Party(OTHER, Role.EMSP)))
    for asked in (False, True):
        edge = Edge(*platforms, ask_for_unknown_tokens=asked)
        edge.pipeline._relay._client = Several(emsp=emsp, emsp2=emsp2)
        answered = await edge.call("cpo", "POST", f"{SENDER}/tokens/T9/authorize")
        assert answered.answer == (told if asked else (404, 2004))
        if asked and by is not None:
            assert (answered.headers["OCPI-from-country-code"], answered.headers["OCPI-from-party-id"]) == by
