from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InvalidParameters
from connectors.inplace import replace_string

KEY = "response_url"
NEW = "https://hub.example/ocpi/2.2.1/sender/commands/START_SESSION/abc"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from([KEY, '"', "\\", "}{"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.just(KEY), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=6), JSON, max_size=4), st.text(max_size=10), st.text(max_size=10), st.data())
def test_only_that_value_changes(value: dict[str, Any], old: str, new: str, data: st.DataObject) -> None:
    items = list((value | {KEY: old}).items())
    value = dict(data.draw(st.permutations(items)))
    spacing = data.draw(st.sampled_from([(",", ":"), (", ", " : "), (" ,\n", ":\t")]))
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()), separators=spacing)
    body = text.encode()
    replaced = replace_string(body, KEY, new)
    assert json.loads(replaced) == value | {KEY: new}
    prefix, suffix = len(_common(body, replaced)), len(_common(body[::-1], replaced[::-1]))
    assert len(body) - prefix - suffix <= len(json.dumps(old))


def _common(a: bytes, b: bytes) -> bytes:
    end = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[:end]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"response_url":"x"}', b'{"response_url":"N"}'),
        (b' \n{ "response_url" \t:\r\n "x" , "a":1.10 }\n', b' \n{ "response_url" \t:\r\n "N" , "a":1.10 }\n'),
        (b'{"response\\u005furl":"x"}', b'{"response\\u005furl":"N"}'),
        (b'{"response_url":"a","response_url":"b\\""}', b'{"response_url":"N","response_url":"N"}'),
        (
            b'{"a":{"response_url":"in"},"b":[{"response_url":"in"}],"response_url":"x"}',
            b'{"a":{"response_url":"in"},"b":[{"response_url":"in"}],"response_url":"N"}',
        ),
        (b'{"a":"response_url","b":"\\"response_url\\":","response_url":"x"}', None),
        (b'{"a":"}}]","\\\\":"{[","response_url":"x"}', None),
    ],
)
def test_whitespace_escapes_duplicates_and_nesting(before: bytes, after: bytes | None) -> None:
    assert replace_string(before, KEY, "N") == (after or before.replace(b':"x"', b':"N"'))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'[{"response_url":"x"}]',
        b'"response_url"',
        b'{"a":{"response_url":"x"}}',
        b'{"response_url":null}',
        b'{"response_url":1,"a":"x"}',
        b'{"response_url":{"a":"x"}}',
        b'{"response_url":["x"]}',
        b'{"response_url":"x","response_url":2}',
        b'{"response_url":"x',
        b'{"response_url":',
        b'{"RESPONSE_URL":"x"}',
    ],
)
def test_a_member_that_is_missing_or_no_string_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidParameters):
        replace_string(body, KEY, "N")


@given(st.binary(max_size=60) | st.text('{}[]":,\\response_url ', max_size=60).map(str.encode))
def test_nothing_but_invalid_parameters_is_raised_for_any_bytes(body: bytes) -> None:
    try:
        replace_string(body, KEY, NEW)
    except InvalidParameters:
        pass


@pytest.mark.parametrize("filler", [b'\\"', b'"', b"[", b'{"', b"\\", b'" :'])
def test_a_megabyte_meant_to_be_slow_is_not(filler: bytes) -> None:
    body = b'{"a":"' + filler * (1_000_000 // len(filler))
    with pytest.raises(InvalidParameters):
        replace_string(body, KEY, NEW)  # the suite's timeout is what a quadratic walk would meet
