from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.digits import Digits, decode, differences, encode
from connectors.errors import InvalidParameters, NotJson

AWKWARD = ["1.10", "0.1234567890123456789012", "12345678901234567.89", "1e400", "-0", "-0.0", "1E+2", "0e0", "9" * 5000]
SMALL = st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
NUMBER = st.sampled_from(AWKWARD) | SMALL
TEXT = st.recursive(
    NUMBER | st.sampled_from(["null", "true", "false"]) | st.text(max_size=5).map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(st.text(max_size=4).map(json.dumps), inner, max_size=4).map(
            lambda members: "{" + ",".join(f"{key}:{value}" for key, value in members.items()) + "}"
        )
    ),
    max_leaves=12,
)
_NUMBERS = re.compile(r'"(?:[^"\\]|\\.)*"|(-?[0-9][0-9.eE+-]*)')


def numbers(text: bytes) -> list[str]:
    return [match.group(1) for match in _NUMBERS.finditer(text.decode()) if match.group(1)]


@given(TEXT)
def test_every_digit_survives(text: str) -> None:
    body = text.encode()
    again = encode(decode(body))
    assert numbers(again) == numbers(body)
    assert decode(again) == decode(body)
    assert differences(body, again) == []


@given(SMALL, SMALL)
def test_numbers_are_equal_by_decimal_value(a: str, b: str) -> None:
    assert (Digits(a) == Digits(b)) == (Decimal(a) == Decimal(b))
    if Digits(a) == Digits(b):
        assert hash(Digits(a)) == hash(Digits(b))


@pytest.mark.parametrize(
    ("a", "b"), [("1.10", "1.1"), ("100", "1e2"), ("-0", "0"), ("0.0", "0e9"), ("1e400", "10E399")]
)
def test_spellings_of_one_number_are_equal(a: str, b: str) -> None:
    assert Digits(a) == Digits(b)
    assert hash(Digits(a)) == hash(Digits(b))
    assert str(Digits(a)) == a


def test_a_number_equals_nothing_else() -> None:
    assert Digits("1") != 1
    assert Digits("1") != "1"
    assert Digits("1e" + "9" * 6000) != Digits("2e" + "9" * 6000)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"NaN",
        b"[Infinity]",
        b'{"a":-Infinity}',
        b'"\\ud800"',
        b'"\xff"',
        b"01",
        b"1.",
        b"\xef\xbb\xbf1",
        b"[1",
        b'"\n"',
    ],
)
def test_what_is_not_json_is_said(body: bytes) -> None:
    with pytest.raises(NotJson, match="not JSON"):
        decode(body)


def test_surrogate_pairs_are_json() -> None:
    assert decode(b'"\\ud83d\\ude00 \\\\ud800"') == "\U0001f600 \\ud800"


@pytest.mark.parametrize("depth", [200, 400])
def test_what_can_be_read_can_be_written(depth: int) -> None:
    body = b'{"a":' + b"[" * depth + b'{"b":[1.10,"x\\u0000",null],"c":{}},[]' + b"]" * depth + b"}"
    assert differences(body, encode(decode(body))) == []
    assert b"1.10" in encode(decode(body))


@pytest.mark.parametrize("depth", [5_000, 100_000])
def test_nesting_beyond_reading_is_refused(depth: int) -> None:
    with pytest.raises(InvalidParameters, match="nested deeper") as refused:
        decode(b'{"a":' + b"[" * depth + b"]" * depth + b"}")
    assert not isinstance(refused.value, NotJson)
    with pytest.raises(NotJson):
        decode(b"[" * depth)


def test_what_is_not_json_is_not_written() -> None:
    for value in ("\ud800", {1: "a"}, object(), 1.5):
        with pytest.raises(InvalidParameters):
            encode(value if value != 1.5 else [object()])  # type: ignore[list-item, arg-type]


def test_differences_are_named_by_path_in_order_and_limited() -> None:
    a = b'{"a":1.0,"b":[1,{"c d":true}],"e":null,"f":1,"g":"x"}'
    b = b'{"g":"y","f":"1","b":[1,{"c d":false},3],"a":1.00,"h":[]}'
    assert differences(a, b, limit=9) == ['$.b[1]["c d"]', "$.b[2]", "$.e", "$.f", "$.g", "$.h"]
    assert differences(a, b, limit=2) == ['$.b[1]["c d"]', "$.b[2]"]


def test_true_is_not_one_and_an_empty_list_no_empty_object() -> None:
    assert differences(b"[true,[],null]", b"[1,{},0]") == ["$[0]", "$[1]", "$[2]"]


@given(TEXT, TEXT)
def test_no_difference_means_equal_values(a: str, b: str) -> None:
    assert (differences(a.encode(), b.encode()) == []) == (decode(a.encode()) == decode(b.encode()))
