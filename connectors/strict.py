"""What is JSON and what is not (RFC 8259), decided in one place and with one sentence for each no.

The fast parsers disagree at the edges: pydantic-core takes NaN, orjson refuses 1e400, both give up on deep nesting.
Those who use them ask here when in doubt.
"""

from __future__ import annotations

import json
import re
from typing import Never

import orjson

from connectors.errors import InvalidParameters, NotJson

MAX_DEPTH = 200
"""Bodies nested deeper than about this are refused whole; pydantic-core's own limit."""

_SPACE = b" \t\r\n"
# The escapes of JSON, pairs of surrogates taken as one; the group is a surrogate without its other half.
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F])|.)", re.DOTALL)


def refuse_constant(name: str) -> Never:
    """For `parse_constant` of a JSONDecoder: NaN and the infinities are not JSON."""
    raise NotJson(f"the body is not JSON: {name} is not a JSON number")


def _whole(text: str) -> int | float:
    # int() of very many digits is slow and, above 4300, refused.
    return int(text) if len(text) < 400 else float(text)


_DECODER = json.JSONDecoder(parse_int=_whole, parse_constant=refuse_constant)


def has_constant(body: bytes) -> bool:
    """Whether NaN or Infinity stands anywhere in the body, strings included: cheap, and then `loads` must decide."""
    return b"NaN" in body or b"Infinity" in body


def loads(body: bytes, decoder: json.JSONDecoder = _DECODER) -> object:
    """The value of a JSON text in UTF-8.

    Numbers that no float can hold become infinite; give a `decoder` to have them otherwise. Raises NotJson (HTTP 400,
    2001) with the place, and InvalidParameters (HTTP 200, 2001) where it is nested too deep to be read.
    """
    if decoder is _DECODER:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # mostly not JSON; the slower one knows, and says where
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise NotJson(f"the body is not JSON: byte {error.start} is not UTF-8") from None
    try:
        value: object = decoder.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise too_deep(body) from None
    if b"\\u" in body and any(escape.group(1) for escape in _ESCAPE.finditer(body)):
        raise NotJson("the body is not JSON in UTF-8: a \\u escape is half of a surrogate pair")
    return value


def too_deep(body: bytes) -> InvalidParameters:
    """The error for a body that a parser gave up on for its depth; NotJson where it is plainly cut off."""
    if not body.rstrip(_SPACE).endswith((b"}", b"]")):
        return NotJson("the body is not JSON: it ends before its lists and objects are closed")
    if not body.lstrip(_SPACE).startswith(b"{"):
        return InvalidParameters("the body must be a JSON object, and this one is a list, nested too deep besides")
    return InvalidParameters(f"the body is nested deeper than {MAX_DEPTH} lists and objects: send a flatter one")
