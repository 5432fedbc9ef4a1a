"""JSON in and out with every digit that its sender wrote: 1.10 stays 1.10 (DESIGN, 9).

What the hub composes itself (folding, resync, repair, translation) goes through here, never through floats.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from connectors import strict
from connectors.errors import InvalidParameters

_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")
_SIMPLE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


@dataclass(frozen=True, slots=True, eq=False)
class Digits:
    """A JSON number as it was written. Equal to another of the same decimal value: 1.10 is 1.1, 1e2 is 100."""

    text: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Digits):
            return NotImplemented
        return self.text == other.text or _canonical(self.text) == _canonical(other.text)

    def __hash__(self) -> int:
        return hash(_canonical(self.text))

    def __str__(self) -> str:
        return self.text


JsonValue: TypeAlias = "bool | str | Digits | list[JsonValue] | dict[str, JsonValue] | None"
"""What `decode` gives: JSON's own types, with Digits for its numbers."""


def _canonical(text: str) -> tuple[str, str, int]:
    """(sign, digits without zeros at either end, exponent of ten): one for each decimal value."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return ("", text, 0)
    sign, whole, fraction, exponent_sign, exponent = match.groups(default="")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return ("", "", 0)
    power = exponent.lstrip("0")
    if len(power) > 1000:  # no longer a number that anyone means, and int() of very many digits is slow
        return (sign, text, 0)
    scale = int(power or "0") * (-1 if exponent_sign == "-" else 1) - len(fraction)
    stripped = digits.rstrip("0")
    return (sign, stripped, scale + len(digits) - len(stripped))


_DECODER = json.JSONDecoder(parse_int=Digits, parse_float=Digits, parse_constant=strict.refuse_constant)


def decode(body: bytes) -> JsonValue:
    """The JSON value of `body`. Raises NotJson (HTTP 400, 2001), or InvalidParameters where it is nested too deep."""
    value: JsonValue = strict.loads(body, _DECODER)  # type: ignore[assignment]
    return value


def encode(value: JsonValue) -> bytes:
    """The JSON text of `value` in UTF-8, each number with the digits it has, without spaces.

    Raises InvalidParameters for what is not JSON (a lone surrogate, a key that is no string) or is nested too deep.
    """
    try:
        return orjson.dumps(value, default=_fragment, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    except TypeError as error:
        # orjson writes no more than 254 levels; `decode` reads more than that.
        try:
            return "".join(_written(value)).encode()
        except (RecursionError, TypeError, UnicodeError):
            raise InvalidParameters(f"this value cannot be written as JSON: {error}") from None


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, Digits):
        return orjson.Fragment(value.text)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _written(value: JsonValue) -> Iterator[str]:
    """The text of `value` in pieces, at any depth: a stack instead of calls."""
    stack: list[JsonValue | _Text] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, _Text | Digits):
            yield item.text
        elif isinstance(item, dict):
            parts: list[JsonValue | _Text] = [_Text("{")]
            for key, member in item.items():
                if not isinstance(key, str):
                    raise TypeError("a key is no string")
                parts += (_Text(("," if len(parts) > 1 else "") + json.dumps(key, ensure_ascii=False) + ":"), member)
            stack += reversed((*parts, _Text("}")))
        elif isinstance(item, list):
            parts = [_Text("[")]
            for member in item:
                parts += (_Text(","), member) if len(parts) > 1 else (member,)
            stack += reversed((*parts, _Text("]")))
        elif item is None or isinstance(item, bool | str):
            yield json.dumps(item, ensure_ascii=False)
        else:
            raise TypeError(f"{type(item).__name__} is not JSON")


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


def differences(a: bytes, b: bytes, limit: int = 5) -> list[str]:
    """The JSON paths at which two JSON texts differ in value, at most `limit`, in the order of `a`.

    The order of an object's keys and the spelling of a number (1.0 and 1.00) make no difference. A member that only
    one of them has counts, with its path. Raises what `decode` raises.
    """
    found: list[str] = []
    stack: list[tuple[str, JsonValue, JsonValue]] = [("$", decode(a), decode(b))]
    while stack and len(found) < limit:
        path, left, right = stack.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            keys = [*left, *(key for key in right if key not in left)]
            stack += [(_at(path, key), left.get(key, _NOTHING), right.get(key, _NOTHING)) for key in reversed(keys)]
        elif isinstance(left, list) and isinstance(right, list):
            indexes = range(max(len(left), len(right)))
            stack += [(f"{path}[{i}]", _item(left, i), _item(right, i)) for i in reversed(indexes)]
        elif type(left) is not type(right) or left != right:
            found.append(path)
    return found


_NOTHING = Digits("nothing")  # equal to no value that comes out of JSON


def _item(values: list[JsonValue], index: int) -> JsonValue:
    return values[index] if index < len(values) else _NOTHING


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if _SIMPLE_KEY(key) else f"{path}[{json.dumps(key)}]"
