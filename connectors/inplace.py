"""Replacing one string inside a JSON body while every other byte stays as its sender wrote it (DESIGN, P6)."""

from __future__ import annotations

import re

import orjson

from connectors.errors import InvalidParameters

# A string and whether a colon follows it (then it is a key), or a bracket. A string that never ends matches without
# its last quote; possessive quantifiers keep the whole walk linear.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+("?)(?:[ \t\r\n]*+(:)[ \t\r\n]*+)?|[\[\]{}]', re.DOTALL)
_OPEN = (b"{", b"[")
_CLOSED = (b"}", b"]")
_STRING = re.compile(rb'"[^"]*+"')
_VALUE = re.compile(rb'[ \t\r\n]*+:[ \t\r\n]*+("[^"]*+")')
_SPACE = b" \t\r\n"


def replace_string(body: bytes, key: str, value: str) -> bytes:
    """`body` with the string at its top-level member `key` replaced by `value`.

    Members of the same name further down stay; where the key stands twice, both are replaced, since parsers differ in
    which they take. The body must be JSON (judge it first). Raises InvalidParameters (2001) where it is no object, has
    no such member, or one that is not a string. Linear in the body's length.
    """
    spans = _spans(body, key)
    if not spans:
        raise InvalidParameters(f"$.{key}: missing; it must be a string")
    new = _quoted(key, value)
    pieces: list[bytes] = []
    end = 0
    for begin, after in spans:
        pieces += (body[end:begin], new)
        end = after
    pieces.append(body[end:])
    return b"".join(pieces)


def _spans(body: bytes, key: str) -> list[tuple[int, int]]:
    """Where the values of `key` stand, quotes included."""
    if not body.lstrip(_SPACE).startswith(b"{"):
        raise InvalidParameters("the body must be a JSON object")
    plain = _quoted(key, key)
    if (span := _plain_span(body, plain)) is not None:
        return [span]
    spans: list[tuple[int, int]] = []
    depth = 0
    begin: int | None = None  # where a value of `key` must begin
    for token in _TOKEN.finditer(body):
        text = token.group()
        if begin is not None:
            if token.start() != begin or not text.startswith(b'"'):
                break
            if not token.group(1):
                raise InvalidParameters(f"$.{key}: a string that does not end")
            spans.append((begin, token.end(1)))
            begin = None
        elif text.startswith(b'"'):
            if depth == 1 and token.group(2) and _is(body[token.start() : token.end(1)], plain, key):
                begin = token.end()
        elif text in _OPEN:
            depth += 1
        else:
            depth -= 1
    if begin is not None:
        raise InvalidParameters(f"$.{key}: must be a string")
    return spans


def _plain_span(body: bytes, key: bytes) -> tuple[int, int] | None:
    """The same of a body without one backslash, in which `key` stands once: without walking through all of it.

    None where that is not so, or where what stands there is no member at the top, or no string.
    """
    at = body.find(key)
    if at < 0 or b"\\" in body or body.find(key, at + 1) >= 0:
        return None
    before = _STRING.sub(b"", body[:at])
    if b'"' in before or sum(map(before.count, _OPEN)) - sum(map(before.count, _CLOSED)) != 1:
        return None
    value = _VALUE.match(body, at + len(key))
    return value.span(1) if value is not None else None


def _is(raw: bytes, plain: bytes, key: str) -> bool:
    if raw == plain:
        return True
    if b"\\" not in raw:
        return False
    try:
        return bool(orjson.loads(raw) == key)
    except orjson.JSONDecodeError:
        return False


def _quoted(key: str, text: str) -> bytes:
    try:
        return orjson.dumps(text)
    except TypeError:
        raise InvalidParameters(f"$.{key}: not valid Unicode") from None
