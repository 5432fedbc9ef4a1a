"""A page of a list: its objects whole, or a sentence that says where something is off."""

from __future__ import annotations

import pytest

from connectors.errors import HubError
from connectors.values import PartyId
from hub.pulling import page


def test_objects_keep_every_digit_and_field() -> None:
    body = (
        b'{"status_code": 1000, "data": [{"country_code": "nl", "party_id": "TNM", "id": "L1", "n": 1.10, "x": null}]}'
    )
    (listed,) = page.read(body, "locations")
    assert (listed.owner, listed.id, listed.variant, listed.last_updated) == (PartyId("NL", "TNM"), "L1", "", None)
    assert listed.body == b'{"country_code":"nl","party_id":"TNM","id":"L1","n":1.10,"x":null}'


def test_a_token_is_told_apart_by_its_type() -> None:
    token = b'{"country_code": "DE", "party_id": "EMS", "uid": "T1", "type": "app_user", "last_updated": "x"}'
    (listed,) = page.read(b'{"data": [' + token + b"]}", "tokens")
    assert (listed.id, listed.variant, listed.last_updated) == ("T1", "APP_USER", "x")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "$.data"),
        (b'{"data": {}}', "$.data"),
        (b'{"data": [1]}', "$.data[0]"),
        (b'{"data": [{"party_id": "TNM", "id": "L"}]}', "$.data[0].country_code"),
        (b'{"data": [{"country_code": "NLD", "party_id": "TNM", "id": "L"}]}', "country_code 'NLD'"),
        (b'{"data": [{"country_code": "NL", "party_id": "TNM", "id": 7}]}', "$.data[0].id"),
        (b'{"data": [{"country_code": "NL", "party_id": "TNM", "id": ""}]}', "$.data[0].id"),
        (b'{"data": [{"country_code": "NL", "party_id": "TNM", "id": "%b"}]}' % (b"9" * 1001), "$.data[0].id"),
    ],
)
def test_what_is_no_list_of_objects_is_said_and_not_passed_over(body: bytes, said: str) -> None:
    with pytest.raises(HubError) as error:
        page.read(body, "locations")
    assert said in error.value.message


def test_a_session_is_for_the_party_of_its_cdr_token() -> None:
    owner = b'"country_code": "NL", "party_id": "TNM", "id": "S1"'
    (listed,) = page.read(
        b'{"data": [{%b, "cdr_token": {"country_code": "de", "party_id": "EMS"}}]}' % owner, "sessions"
    )
    assert (listed.owner, listed.reader) == (PartyId("NL", "TNM"), PartyId("DE", "EMS"))
    for token in (b"null", b"{}", b'{"country_code": "DE"}', b'{"country_code": "DEU", "party_id": "EMS"}'):
        with pytest.raises(HubError, match=r"\$\.data\[0\]\.cdr_token"):
            page.read(b'{"data": [{%b, "cdr_token": %b}]}' % (owner, token), "cdrs")


@pytest.mark.parametrize(
    ("url", "listed", "total", "following"),
    [
        ("https://x/l?offset=0&limit=100", 50, "120", "https://x/l?offset=50&limit=100"),
        ("https://x/l?limit=100&offset=100", 20, "120", None),
        ("https://x/l?offset=100", 0, "120", None),
        ("https://x/l?offset=0", 50, "", None),
        ("https://x/l?cursor=9", 50, "120", None),
        ("https://x/l?my_offset=0", 50, "120", None),
    ],
)
def test_a_list_without_link_goes_on_while_its_total_says_so(
    url: str, listed: int, total: str, following: str | None
) -> None:
    assert page.further(url, listed, {"X-Total-Count": total}) == following


@pytest.mark.parametrize(
    ("url", "before", "total", "again"),
    [
        ("https://x/l?limit=50&offset=100", 120, "118", "https://x/l?limit=50&offset=98"),
        ("https://x/l?offset=10", 120, "20", "https://x/l?offset=0"),
        ("https://x/l?offset=100", 120, "120", None),
        ("https://x/l?offset=100", 120, "121", None),
        ("https://x/l?offset=100", None, "118", None),
        ("https://x/l?cursor=9", 120, "118", None),
    ],
)
def test_where_something_was_removed_meanwhile_the_page_is_read_again_from_before(
    url: str, before: int | None, total: str, again: str | None
) -> None:
    assert page.back(url, before, {"X-Total-Count": total}) == again


@pytest.mark.parametrize(("text", "number"), [("250", 250), ("", None), ("-1", None), ("9" * 20, None), ("x", None)])
def test_the_total_is_a_number_or_not_told(text: str, number: int | None) -> None:
    assert page.total({"X-Total-Count": text}) == number
