"""Open routing is a function of what a call names and of the states that were found (OCPI 2.2.1, 4.4.2.3)."""

from __future__ import annotations

import pytest

from connectors.catalogue import Row
from connectors.errors import UnknownReceiver, UnknownToken
from connectors.judgement import Judgement
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.values import PartyId, Role
from routing.agreements import Agreement, Effect, Rules
from routing.directory import Directory, Party
from routing.log.port import Position
from routing.opening import Key, Named, declined, holder, issuers, keys, named, opened, receiver
from routing.state import ObjectState, StateKey
from tests.hub.edge.harness import CPO, EMSP, HUB, platform

OTHER_CPO, OTHER_EMSP = PartyId("NL", "ANW"), PartyId("DE", "ANE")
LOCATION = Named(Key.OWNER, "locations", "L1")
SESSION = Named(Key.OWNER, "sessions", "S1")
TOKEN = Named(Key.OWNER, "tokens", "T1", "RFID")
CONTRACT = Named(Key.CONTRACT, "tokens", "C1")
PUSHED = Named(Key.AUDIENCE, "sessions", "S1")
DENIED = Agreement.of(Effect.DENY, EMSP, OTHER_CPO)


def row(id: str) -> Row:
    return next(row for row in CATALOGUE.rows if row.id == id)


def directory(*rules: Agreement) -> Directory:
    platforms = (
        platform("cpo", Party(CPO, Role.CPO)),
        platform("cpo2", Party(OTHER_CPO, Role.CPO)),
        platform("emsp", Party(EMSP, Role.EMSP)),
        platform("emsp2", Party(OTHER_EMSP, Role.EMSP), offers=("locations",)),
    )
    return Directory(platforms, hub=HUB, revision=1, agreements=Rules(rules, Effect.ALLOW))


def state(
    owner: PartyId, what: Named, audience: PartyId | None = None, body: bytes = b"{}", *, deleted: bool = False
) -> ObjectState:
    key = StateKey(owner, what.module, what.id, what.variant, audience)
    return ObjectState(key, Position(1, 1), "2.2.1", body=None if deleted else body, deleted=deleted)


@pytest.mark.parametrize(
    ("id", "params", "judgement", "what"),
    [
        ("LOC-S3", {"location_id": "l1", "evse_uid": "e"}, Judgement(), LOCATION),
        ("SES-S2", {"session_id": "s1"}, Judgement(), SESSION),
        ("SES-R3", {"session_id": "s1"}, Judgement(), PUSHED),
        ("SES-R1", {"session_id": "s1"}, Judgement(), PUSHED),
        ("SES-R2", {"session_id": "s1"}, Judgement(cdr_token_uid="t1", token_type="rfid"), TOKEN),
        ("CDR-R1", {}, Judgement(cdr_token_uid="t1"), TOKEN),
        ("CDR-R1", {}, Judgement(cdr_token_uid="t1", contract_id="c1"), TOKEN._replace(contract="C1")),
        ("CDR-R1", {}, Judgement(contract_id="c1"), CONTRACT),
        ("SES-R2", {"session_id": "s1"}, Judgement(cdr_token_uid="#NA", contract_id="c1"), CONTRACT),
        ("SES-R3", {"session_id": "s1"}, Judgement(contract_id="c1"), PUSHED._replace(contract="C1")),
        ("TOK-S2", {"token_uid": "t1"}, Judgement(token_type="RFID"), TOKEN),
        ("TOK-S2", {"token_uid": "t1"}, Judgement(token_type="app_user"), TOKEN._replace(variant="APP_USER")),
        ("CMD-R1", {"command": "START_SESSION"}, Judgement(location_id="l1"), LOCATION),
        ("CMD-R1", {"command": "STOP_SESSION"}, Judgement(session_id="s1"), SESSION),
        ("CMD-R1", {}, Judgement(reservation_id="r1"), Named(Key.RESERVATION, "commands", "R1")),
        ("CHP-R1", {"session_id": "s1"}, Judgement(), SESSION),
        ("CHP-S2", {"session_id": "s1"}, Judgement(), Named(Key.PROFILE, "sessions", "S1")),
    ],
)  # fmt: skip
def test_what_a_call_names(id: str, params: dict[str, str], judgement: Judgement, what: Named) -> None:
    assert named(row(id), params, judgement) == what


@pytest.mark.parametrize(("id", "word"), [("CMD-R1", "location_id"), ("SES-R2", "cdr_token"), ("CDR-R1", "cdr_token")])
def test_a_call_that_names_nothing_is_4001_and_told_what_it_lacks(id: str, word: str) -> None:
    with pytest.raises(UnknownReceiver, match=word) as error:
        named(row(id), {"session_id": "S1"}, Judgement())
    assert "OCPI-to-party-id" in error.value.message


def test_no_contract_is_what_nothing_is_told_by() -> None:
    with pytest.raises(UnknownReceiver, match="cdr_token"):
        named(row("CDR-R1"), {}, Judgement(cdr_token_uid="#na", contract_id="#NA"))


def test_lists_and_reads_of_what_was_pushed_to_everybody_are_never_opened() -> None:
    closed = {"LOC-S1", "SES-S1", "CDR-S1", "TAR-S1", "TOK-S1", "TAR-R1", "TOK-R1", "LOC-R1"}
    assert not [id for id in closed if opened(row(id))]


def test_owners_are_looked_for_among_what_is_everybodys_and_what_was_pushed_to_the_caller() -> None:
    found = keys(directory(), LOCATION, EMSP, None, "locations")
    assert {(key.owner, key.audience) for key in found} == {
        (owner, audience) for owner in (CPO, OTHER_CPO) for audience in (None, EMSP)
    }
    sessions = keys(directory(), SESSION, EMSP, None, "commands")
    assert {(key.owner, key.audience) for key in sessions} == {(CPO, EMSP), (OTHER_CPO, EMSP)}
    pushed = keys(directory(), PUSHED, CPO, CPO, "sessions")
    assert {(key.owner, key.audience) for key in pushed} >= {(CPO, EMSP), (CPO, OTHER_EMSP)}
    assert {key.owner for key in pushed} == {CPO}


def test_who_has_no_agreement_with_the_caller_is_not_looked_at() -> None:
    found = keys(directory(DENIED), LOCATION, EMSP, None, "commands")
    assert {key.owner for key in found} == {CPO}


def test_one_owner_is_the_receiver() -> None:
    states = [state(CPO, LOCATION), state(CPO, LOCATION, EMSP), state(OTHER_CPO, LOCATION, deleted=True)]
    assert receiver(LOCATION, states, row("LOC-S2")) == CPO


def test_two_owners_are_4001_and_named() -> None:
    with pytest.raises(UnknownReceiver, match="NL-ANW, NL-TNM") as error:
        receiver(LOCATION, [state(CPO, LOCATION), state(OTHER_CPO, LOCATION)], row("LOC-S2"))
    assert "OCPI-to-party-id" in error.value.message


def test_nobody_is_4001_and_an_unknown_token_404_and_2004() -> None:
    with pytest.raises(UnknownReceiver, match="location 'L1'"):
        receiver(LOCATION, [], row("CMD-R1"))
    with pytest.raises(UnknownToken) as error:
        receiver(TOKEN, [], row("TOK-S2"))
    assert (error.value.http_status, error.value.status_code) == (404, 2004)
    with pytest.raises(UnknownReceiver):
        receiver(TOKEN, [], row("CDR-R1"))


def test_of_several_that_a_session_was_pushed_to_the_emsp_of_its_cdr_token_is_meant() -> None:
    body = b'{"cdr_token": {"country_code": "de", "party_id": "ems"}}'
    states = [state(CPO, PUSHED, EMSP, body), state(CPO, PUSHED, OTHER_EMSP, body)]
    assert receiver(PUSHED, states, row("SES-R3")) == EMSP
    with pytest.raises(UnknownReceiver, match="DE-ANE, DE-EMS"):
        receiver(PUSHED, [state(CPO, PUSHED, EMSP), state(CPO, PUSHED, OTHER_EMSP)], row("SES-R3"))


@pytest.mark.parametrize("what", [CONTRACT, TOKEN._replace(contract="C1")])
def test_of_the_owners_of_a_contract_only_those_count_that_the_caller_may_deal_with(what: Named) -> None:
    denied = Agreement.of(Effect.DENY, CPO, OTHER_EMSP)
    both = [EMSP, OTHER_EMSP, EMSP]
    assert holder(directory(denied), what, both, CPO, row("CDR-R1")) == EMSP
    with pytest.raises(UnknownReceiver, match=r"contract_id 'C1'.*DE-ANE, DE-EMS"):
        holder(directory(), what, both, CPO, row("CDR-R1"))
    for nobody in ([], [OTHER_EMSP], [OTHER_CPO]):
        with pytest.raises(UnknownReceiver, match="contract_id 'C1'") as error:
            holder(directory(denied), what, nobody, CPO, row("CDR-R1"))
        assert "ANE" not in error.value.message


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b'{"data": {"result": "REJECTED", "timeout": 1}}', True),
        (b'{"data": [{"result": "UNKNOWN_SESSION"}]}', True),
        (b'{"data": {"result": "accepted"}}', False),
        (b'{"data": {"result": 5}}', False),
        (b'{"data": []}', False),
        (b'{"data": "REJECTED"}', False),
        (b'{"status_code": 1000}', False),
        (b"[]", False),
        (b"", False),
    ],
)
def test_only_an_answer_that_says_so_declines(answer: bytes, expected: bool) -> None:
    assert declined(answer) is expected


def test_only_who_lists_tokens_is_asked_for_an_unknown_one() -> None:
    assert issuers(directory(), CPO) == [EMSP]
