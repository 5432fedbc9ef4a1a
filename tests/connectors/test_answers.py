from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.answers import Status, envelope, read_status

NOW = "2026-03-01T10:00:00Z"


def test_the_hubs_own_answer_is_an_envelope() -> None:
    assert envelope(1000, timestamp=NOW) == b'{"status_code":1000,"timestamp":"2026-03-01T10:00:00Z"}'
    assert json.loads(envelope(2001, "mend $.id", timestamp=NOW)) == {
        "status_code": 2001,
        "status_message": "mend $.id",
        "timestamp": NOW,
    }


def test_data_may_be_null_and_that_is_not_absent() -> None:
    assert json.loads(envelope(1000, data=None, timestamp=NOW))["data"] is None
    assert "data" not in json.loads(envelope(1000, timestamp=NOW))


def test_data_may_be_bytes_at_hand() -> None:
    assert b'"data":[1.10],' in envelope(1000, data=orjson.Fragment(b"[1.10]"), timestamp=NOW)


@given(st.integers(1000, 4999), st.none() | st.text())
def test_what_the_hub_says_is_read_back(code: int, message: str | None) -> None:
    assert read_status(envelope(code, message, timestamp=NOW)) == Status(code, message)


def test_a_sentence_that_quotes_garbage_is_still_an_envelope() -> None:
    assert read_status(envelope(2001, "header \udcff", timestamp=NOW)) == Status(2001, "header ?")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"status_code":1000}', Status(1000)),
        (b'{"data":[{"status_code":2000}],"status_code":1000,"status_message":null}', Status(1000)),
        (b'{"status_code":1000,"status_message":5}', Status(1000)),
        (b'{"status_code":3001,"status_message":"NaN","x":1e400}', Status(3001, "NaN")),
        (b'{"data":' + b"[" * 400 + b"]" * 400 + b',"status_code":1001}', Status(1001)),
        (b'{"data":' + b"9" * 5000 + b',"status_code":1000}', Status(1000)),
    ],
)
def test_an_object_with_a_whole_status_code_is_an_envelope(body: bytes, status: Status) -> None:
    assert read_status(body) == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"null",
        b"1000",
        b"[]",
        b"{}",
        b'{"status_code":"1000"}',
        b'{"status_code":true}',
        b'{"status_code":1000.0}',
        b'{"status_code":null}',
        b'{"status_code":-1}',
        b'{"status_code":' + b"9" * 5000 + b"}",
        b'{"data":NaN,"status_code":1000}',
        b'{"status_code":1000',
        b'[{"status_code":1000}]',
        b"[" * 100_000,
        b'{"message":"not ocpi"}',
    ],
)
def test_anything_else_is_none(body: bytes) -> None:
    assert read_status(body) is None


@given(st.binary(max_size=50))
def test_nothing_is_raised_for_any_bytes(body: bytes) -> None:
    assert read_status(body) is None or json.loads(body)["status_code"] >= 0


def test_success_is_1xxx() -> None:
    assert [Status(code).success for code in (999, 1000, 1999, 2000)] == [False, True, True, False]
