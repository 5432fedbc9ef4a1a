from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.catalogue import Row
from connectors.errors import InvalidParameters, NotJson
from connectors.judgement import Judgement
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.v2_2_1.judge import judge
from connectors.v2_2_1.models import BODIES, COMMANDS
from connectors.values import PartyId
from tests.connectors.v2_2_1 import objects
from tests.connectors.v2_2_1.objects import ABSENT, NOW, body

ROWS = {row.id: row for row in CATALOGUE.rows}
CPO, EMSP = PartyId("NL", "ABC"), PartyId("DE", "XYZ")
PARAMS = {
    "country_code": "NL",
    "party_id": "ABC",
    "location_id": "LOC1",
    "evse_uid": "E1",
    "connector_id": "1",
    "session_id": "S1",
    "tariff_id": "T1",
    "token_uid": "012345678",
    "command": "START_SESSION",
    "ref": "r",
}
TOKEN_PARAMS = PARAMS | {"country_code": "DE", "party_id": "XYZ"}
WHOLE: dict[str, dict[str, Any]] = {
    "LOC-R4": objects.location(),
    "LOC-R5": objects.evse(),
    "LOC-R6": objects.connector(),
    "SES-R2": objects.session(),
    "CDR-R1": objects.cdr(),
    "TAR-R2": objects.tariff(),
    "TOK-R2": objects.token(),
    "CMD-R1": objects.start_session(),
    "CHP-R2": objects.set_charging_profile(),
    "CRE-2": objects.credentials(),
}


def judged(row: str, value: object, query_type: str | None = None, **params: str) -> Judgement:
    base = TOKEN_PARAMS if row.startswith("TOK-R") else PARAMS
    content = value if isinstance(value, bytes) else body(value)
    return judge(ROWS[row], base | params, query_type, content)


def found(judgement: Judgement) -> dict[str, bool]:
    return {finding.path: finding.fatal for finding in judgement.findings}


# --- what is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", WHOLE)
def test_a_right_object_has_no_findings(row: str) -> None:
    assert judged(row, WHOLE[row]).findings == ()


def test_a_location_tells_its_owner_id_and_time() -> None:
    assert judged("LOC-R4", objects.location()) == Judgement(owner=CPO, object_id="LOC1", last_updated=NOW)


def test_parts_of_a_location_tell_no_owner_and_no_id_of_a_top_level_object() -> None:
    assert judged("LOC-R5", objects.evse()) == Judgement(last_updated=NOW)
    assert judged("LOC-R6", objects.connector()) == Judgement(last_updated=NOW)


def test_sessions_and_cdrs_tell_the_emsp_of_their_cdr_token() -> None:
    lower = objects.cdr_token(country_code="de", party_id="xyz")
    assert judged("SES-R2", objects.session(cdr_token=lower)).cdr_token == EMSP
    assert judged("CDR-R1", objects.cdr()) == Judgement(owner=CPO, object_id="C1", last_updated=NOW, cdr_token=EMSP)
    assert judged("SES-R3", {"cdr_token": lower, "last_updated": NOW}).cdr_token == EMSP


def test_a_command_tells_its_token_and_response_url() -> None:
    judgement = judged("CMD-R1", objects.start_session())
    assert (judgement.token, judgement.response_url) == (EMSP, objects.start_session()["response_url"])


def test_an_unknown_command_is_any_object() -> None:
    judgement = judged("CMD-R1", {"response_url": "https://e/1", "token": {"country_code": "DE"}}, command="BLINK")
    assert judgement == Judgement(response_url="https://e/1")
    assert judged("CMD-R1", {}, command="BLINK") == Judgement()
    with pytest.raises(InvalidParameters, match="object"):
        judged("CMD-R1", [], command="BLINK")


def test_a_charging_profile_tells_its_response_url() -> None:
    assert judged("CHP-R2", objects.set_charging_profile()).response_url


@pytest.mark.parametrize(("periods", "appends"), [([objects.charging_period()], True), ([], False), (ABSENT, False)])
def test_a_session_patch_appends_only_with_periods(periods: object, *, appends: bool) -> None:
    patch = {"last_updated": NOW} | ({} if periods is ABSENT else {"charging_periods": periods})
    assert judged("SES-R3", patch).appends is appends


def test_a_put_of_a_session_appends_nothing() -> None:
    assert not judged("SES-R2", objects.session()).appends


def test_calls_without_a_body_are_not_read() -> None:
    assert judged("TOK-R1", b"[").token_type == "RFID"
    assert judged("TOK-S2", b"", "APP_USER") == Judgement(token_type="APP_USER")
    assert judged("TAR-R4", b"<html>") == Judgement()


def test_authorize_reads_its_location_references() -> None:
    assert found(judged("TOK-S2", {"evse_uids": ["E1"]})) == {"$.location_id": True}


# --- what is refused always ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ["LOC-R4", "SES-R3", "CMD-R1", "CRE-2"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"{",
        b'{"a":1,}',
        b'{"x":NaN}',
        b'{"x":[-Infinity]}',
        b'{"x":"\\ud800"}',
        b'{"x":"\\udc00\\ud800"}',
        b'{"x":"\xff"}',
        b'{"x":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        b'{"x":01}',
        "{}".encode("utf-16"),
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_what_is_not_json_is_http_400(row: str, content: bytes) -> None:
    with pytest.raises(NotJson) as refused:
        judged(row, content)
    assert (refused.value.http_status, refused.value.status_code) == (400, 2001)


@pytest.mark.parametrize("content", [b"[]", b"null", b'"NaN"', b"1e400", b"true", b"[" * 300 + b"]" * 300])
def test_json_that_is_no_object_is_http_200(content: bytes) -> None:
    with pytest.raises(InvalidParameters, match="must be a JSON object") as refused:
        judged("LOC-R4", content)
    assert refused.value.http_status == 200


@pytest.mark.parametrize("depth", [250, 900, 2000, 100_000])
def test_json_nested_too_deep_is_http_200(depth: int) -> None:
    with pytest.raises(InvalidParameters, match="nested deeper than 200") as refused:
        judged("LOC-R4", b'{"x":' + b"[" * depth + b"]" * depth + b"}\n")
    assert refused.value.http_status == 200


def test_numbers_that_no_float_holds_are_json() -> None:
    content = body(objects.location())[:-1] + b',"x":1e400,"y":' + b"9" * 5000 + b"}"
    assert judged("LOC-R4", content).object_id == "LOC1"
    assert found(judged("LOC-R6", body(objects.connector())[:-1] + b',"max_voltage":1e400}')) == {
        "$.max_voltage": False
    }


def test_the_word_nan_inside_a_string_is_json() -> None:
    assert judged("LOC-R4", objects.location(name="NaN and Infinity")).findings == ()


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("LOC-R4", "id"),
        ("LOC-R4", "country_code"),
        ("LOC-R4", "party_id"),
        ("LOC-R5", "uid"),
        ("LOC-R6", "id"),
        ("SES-R2", "id"),
        ("SES-R2", "country_code"),
        ("TAR-R2", "id"),
        ("TAR-R2", "party_id"),
        ("TOK-R2", "uid"),
        ("TOK-R2", "country_code"),
    ],
)
def test_an_owner_or_id_missing_or_not_the_urls_is_refused(row: str, field: str) -> None:
    values: list[object] = [ABSENT, None, "", {}, [], True, "ZZ"]
    for value in values:
        changed = {k: v for k, v in (WHOLE[row] | {field: value}).items() if v is not ABSENT}
        with pytest.raises(InvalidParameters, match=rf"^\$\.{field}: "):
            judged(row, changed)


def test_a_cdr_without_id_or_owner_is_refused_though_no_url_names_them() -> None:
    for field in ("id", "country_code", "party_id"):
        with pytest.raises(InvalidParameters, match=rf"^\$\.{field}: "):
            judged("CDR-R1", objects.cdr(**{field: ABSENT}))


def test_ids_and_owners_are_compared_without_case() -> None:
    judgement = judged("LOC-R4", objects.location(country_code="nl", party_id="abc", id="loc1"))
    assert (judgement.owner, judgement.object_id) == (CPO, "loc1")


def test_an_owner_that_cannot_be_a_party_is_refused() -> None:
    with pytest.raises(InvalidParameters, match="country_code"):
        judged("LOC-R4", objects.location(country_code="N1"), country_code="N1")


@pytest.mark.parametrize("row", ["LOC-R7", "LOC-R8", "LOC-R9", "SES-R3", "TOK-R3"])
@pytest.mark.parametrize("last_updated", [ABSENT, None, {}])
def test_a_patch_without_last_updated_is_refused(row: str, last_updated: object) -> None:
    with pytest.raises(InvalidParameters, match="last_updated"):
        judged(row, {} if last_updated is ABSENT else {"last_updated": last_updated})


def test_a_patch_may_leave_out_id_and_owner_but_not_contradict_the_url() -> None:
    assert judged("LOC-R7", {"name": "N", "last_updated": NOW}) == Judgement(last_updated=NOW)
    whole = {"country_code": "nl", "party_id": "ABC", "id": "loc1", "last_updated": NOW}
    assert judged("LOC-R7", whole) == Judgement(owner=CPO, object_id="loc1", last_updated=NOW)
    for row, field in (("LOC-R7", "id"), ("LOC-R7", "party_id"), ("LOC-R8", "uid"), ("TOK-R3", "country_code")):
        with pytest.raises(InvalidParameters, match=rf"^\$\.{field}: "):
            judged(row, {field: "ZZ", "last_updated": NOW})


def test_a_tokens_type_must_be_the_urls_which_is_rfid_when_left_out() -> None:
    app_user = objects.token(type="APP_USER")
    assert judged("TOK-R2", app_user, "APP_USER").token_type == "APP_USER"
    assert judged("TOK-R3", {"last_updated": NOW}, "APP_USER").token_type == "APP_USER"
    for query in (None, "OTHER"):
        with pytest.raises(InvalidParameters, match=r"^\$\.type: "):
            judged("TOK-R2", app_user, query)


# --- findings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"time_zone": ABSENT}, "$.time_zone"),
        ({"time_zone": None}, "$.time_zone"),
        ({"publish": "true"}, "$.publish"),
        ({"address": {}}, "$.address"),
        ({"address": True}, "$.address"),
        ({"evses": {}}, "$.evses"),
        ({"coordinates": []}, "$.coordinates"),
        ({"evses": [objects.evse(status=ABSENT)]}, "$.evses[0].status"),
        ({"evses": [objects.evse(), objects.evse(connectors=["1"])]}, "$.evses[1].connectors[0]"),
        ({"evses": [objects.evse(connectors=[objects.connector(max_voltage="230")])]}, None),
    ],
)
def test_a_missing_field_or_a_wrong_type_is_fatal(change: dict[str, Any], path: str | None) -> None:
    path = path or "$.evses[0].connectors[0].max_voltage"
    assert found(judged("LOC-R4", objects.location(**change))) == {path: True}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"postal_code": 3511}, "$.postal_code"),
        ({"name": "n" * 256}, "$.name"),
        ({"parking_type": "ON_THE_MOON"}, "$.parking_type"),
        ({"last_updated": "2026-03-01T10:00:00"}, "$.last_updated"),
        ({"last_updated": "2026-03-01T10:00:00+00:00"}, "$.last_updated"),
        ({"last_updated": "1970-1-1T00:00:00Z"}, "$.last_updated"),
        ({"name": None}, "$.name"),
        ({"evses": None}, "$.evses"),
        ({"operator": {"name": "A", "website": None}}, "$.operator.website"),
        ({"evses": [objects.evse(floor_level=None)]}, "$.evses[0].floor_level"),
        ({"evses": [objects.evse(connectors=[])]}, "$.evses[0].connectors"),
        ({"evses": [objects.evse(floor_level=-1)]}, "$.evses[0].floor_level"),
        ({"nltnm_extra": {"a": [1]}}, "$.nltnm_extra"),
    ],
)
def test_what_recipients_can_live_with_is_noted_and_not_fatal(change: dict[str, Any], path: str) -> None:
    judgement = judged("LOC-R4", objects.location(**change))
    assert found(judgement) == {path: False}
    assert judgement.object_id == "LOC1"


def test_numbers_for_ids_still_tell_the_object() -> None:
    judgement = judged("TOK-R2", objects.token(uid=12345), token_uid="12345")
    assert judgement.object_id == "12345"
    assert found(judgement) == {"$.uid": False}


def test_a_whole_number_with_a_point_is_not_fatal() -> None:
    assert found(judged("LOC-R6", objects.connector(max_voltage=230.0))) == {"$.max_voltage": False}


def test_an_impossible_emsp_in_a_cdr_token_is_noted() -> None:
    judgement = judged("SES-R2", objects.session(cdr_token=objects.cdr_token(country_code="4X")))
    assert (judgement.cdr_token, found(judgement)) == (None, {"$.cdr_token": False})


def test_findings_are_at_most_twenty_with_the_fatal_ones_first() -> None:
    evses = [objects.evse(status="OFF") for _ in range(30)]
    judgement = judged("LOC-R4", objects.location(evses=evses, time_zone=ABSENT, extra=1))
    assert len(judgement.findings) == 20
    assert [finding.fatal for finding in judgement.findings] == [True] + [False] * 19
    assert judgement.findings[0].path == "$.time_zone"


def test_a_body_with_thousands_of_faults_is_read_by_its_first_items() -> None:
    judgement = judged("LOC-R4", objects.location(evses=[1] * 20_000))
    assert judgement.findings[0].path == "$"
    assert "20000" in judgement.findings[0].what
    assert judgement.findings[1].path == "$.evses[0]"


def test_no_finding_tells_a_secret() -> None:
    judgement = judged("CRE-2", objects.credentials(token="hush" * 40))
    assert found(judgement) == {"$.token": False}
    assert "hush" not in str(judgement)


# --- nothing else is raised ------------------------------------------------------------------------------------------

BODIED = [row for row in CATALOGUE.rows if row.model]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def survives(row: Row, content: bytes, params: dict[str, str] = PARAMS) -> None:
    try:
        judgement = judge(row, params, None, content)
    except InvalidParameters as refused:
        is_json = not isinstance(refused, NotJson)
    else:
        is_json = True
        assert len(judgement.findings) <= 20
        assert isinstance(json.loads(content), dict)
    assert is_json == _is_json(content)


def _is_json(content: bytes) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        value = json.loads(content.decode(), parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


@given(st.sampled_from(BODIED), st.binary(max_size=40))
def test_any_bytes_are_judged(row: Row, content: bytes) -> None:
    if content or row.model != "LocationReferences":
        survives(row, content)


@given(st.sampled_from(BODIED), JSON)
def test_any_json_is_judged(row: Row, value: object) -> None:
    survives(row, json.dumps(value).encode())


@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_any_mutilation_of_a_right_object_is_judged(name: str, data: st.DataObject) -> None:
    value: Any = copy.deepcopy(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = value
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(at[key], dict | list) and at[key] and data.draw(st.booleans()):
                at = at[key]
                continue
            at[key] = data.draw(JSON)
            break
    survives(ROWS[name], json.dumps(value).encode())


@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_any_cut_or_changed_byte_is_judged(name: str, data: st.DataObject) -> None:
    content = bytearray(body(WHOLE[name]))
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[position:]
    else:
        content[position] = data.draw(st.integers(0, 255))
    survives(ROWS[name], bytes(content))


def test_every_model_of_the_catalogue_exists() -> None:
    # The hub reads ClientInfo itself: it is no object of a party's.
    assert {row.model for row in BODIED} <= {*BODIES, "Command", "ClientInfo"}
    assert all("response_url" in model.model_fields for model in COMMANDS.values())


KNOWN_FAULTS = {"tariff-18": ["$.last_updated"]}  # by the specification's own tables


def test_the_specifications_own_examples_are_judged() -> None:
    """Reads the shipped examples, which lie beside the repository."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "ocpi" / "examples" / "2.2.1"
    if not folder.is_dir():
        pytest.skip("the specification's examples are not beside this checkout")
    rows = {"location": "LOC-R4", "session": "SES-R2", "cdr": "CDR-R1", "tariff": "TAR-R2", "token": "TOK-R2"}
    judged_at_all = 0
    for file in sorted(folder.glob("*-[0-9]*.json")):
        row = rows.get(file.stem.rsplit("-", 1)[0])
        if row is None:
            continue
        value = json.loads(file.read_bytes())
        params = {k: value[k] for k in ("country_code", "party_id")}
        params[f"{file.stem.split('-')[0]}_id"] = params["token_uid"] = value.get("id") or value["uid"]
        judgement = judge(ROWS[row], params, value.get("type"), file.read_bytes())
        fatal = [finding.path for finding in judgement.findings if finding.fatal]
        assert fatal == KNOWN_FAULTS.get(file.stem, []), file.stem
        assert judgement.owner is not None
        judged_at_all += 1
    assert judged_at_all > 25
