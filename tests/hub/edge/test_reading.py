"""What a call says: ids, address, parties and query, before anybody acts on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from connectors.errors import InvalidParameters, MethodNotAllowed, OcpiError, UnknownUrl
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.values import PartyId, Role
from hub.edge import reading
from hub.edge.values import Call
from routing.directory import Party


def call(target: str = "/ocpi/versions", method: str = "GET", **headers: str) -> Call:
    return Call(method, target, CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}), 0.0, 0)


def test_ids_are_kept_as_given_and_made_up_where_they_lack() -> None:
    one = call(x_request_id="r", x_correlation_id="c")
    reading.read_ids(one)
    assert (one.request_id, one.correlation_id) == ("r", "c")
    other = call()
    reading.read_ids(other)
    assert len(other.request_id) == len(other.correlation_id) == 36
    assert other.request_id != other.correlation_id


def test_ids_that_cannot_be_taken_are_refused_and_the_refusal_has_ids_too() -> None:
    one = call(x_request_id="x" * 1000)
    with pytest.raises(InvalidParameters, match="X-Request-ID"):
        reading.read_ids(one)
    assert len(one.request_id) == 36


@pytest.mark.parametrize(
    "target",
    [
        "/ocpi/2.2.1/receiver/locations/NL/TNM/L%2F1?a=b",
        "//ocpi//2.2.1/receiver/locations//NL/TNM/L%2F1/?a=b",
        "http://hub.example:8080/ocpi/2.2.1/receiver/locations/NL/TNM/L%2F1?a=b",
    ],
)
def test_the_address_is_the_same_however_it_is_written(target: str) -> None:
    one = call(target, "PUT")
    reading.read_address(one)
    assert reading.read_row(one, CATALOGUE).id == "LOC-R4"
    assert (one.path, one.query, one.params["location_id"]) == (("NL", "TNM", "L/1"), "a=b", "L/1")


@given(st.text(max_size=60), st.sampled_from(["GET", "PUT", "HEAD", "\u00e9"]))
def test_no_target_raises_anything_but_the_hubs_own_errors(target: str, method: str) -> None:
    one = call(target, method)
    try:
        reading.read_address(one)
        reading.read_row(one, CATALOGUE)
        reading.owner_in_url(one)
        reading.query_value(one.query, "type")
    except OcpiError:
        pass


def test_unknown_urls_and_methods_are_told_apart() -> None:
    with pytest.raises(UnknownUrl):
        reading.read_address(call("/favicon.ico"))
    one = call("/ocpi/2.2.1/sender/locations", "BREW")
    reading.read_address(one)
    with pytest.raises(MethodNotAllowed) as error:
        reading.read_row(one, CATALOGUE)
    assert error.value.allowed == ("GET",)


def test_the_owner_in_the_url_is_compared_without_case_and_refused_when_it_cannot_be_one() -> None:
    one = call()
    one.params = {"country_code": "nl", "party_id": "tnm"}
    assert reading.owner_in_url(one) == PartyId("NL", "TNM")
    one.params = {"country_code": "NLD", "party_id": "tnm"}
    with pytest.raises(InvalidParameters, match="owner in the URL"):
        reading.owner_in_url(one)
    one.params = {"location_id": "1"}
    assert reading.owner_in_url(one) is None


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("", None),
        ("a=b", None),
        ("type=RFID", "RFID"),
        ("a=b&type=AD%20HOC&c", "AD HOC"),
        ("types=x", None),
        ("type", ""),
    ],
)
def test_a_query_value_is_decoded_once(query: str, value: str | None) -> None:
    assert reading.query_value(query, "type") == value


def test_a_query_value_given_twice_is_refused() -> None:
    with pytest.raises(InvalidParameters, match="more than once"):
        reading.query_value("type=A&type=B", "type")


@pytest.mark.parametrize("query", ["type=%ff", "type=%C3%28", "type=%ED%A0%80"])
def test_a_query_value_that_is_not_utf_8_is_refused(query: str) -> None:
    with pytest.raises(InvalidParameters, match="the query's type is not UTF-8"):
        reading.query_value(query, "type")


def test_answers_have_the_parties_swapped_on_functional_modules_only() -> None:
    one = call("/ocpi/2.2.1/sender/locations")
    reading.read_address(one)
    one.request_id, one.correlation_id = "r", "c"
    one.sender = Party(PartyId("DE", "EMS"), Role.EMSP)
    one.answered_by = PartyId("NL", "HUB")
    assert dict(reading.answer_headers(one)) == {
        "X-Request-ID": "r",
        "X-Correlation-ID": "c",
        "OCPI-to-country-code": "DE",
        "OCPI-to-party-id": "EMS",
        "OCPI-from-country-code": "NL",
        "OCPI-from-party-id": "HUB",
    }
    one.interface = None
    assert [name for name, _ in reading.answer_headers(one)] == ["X-Request-ID", "X-Correlation-ID"]
