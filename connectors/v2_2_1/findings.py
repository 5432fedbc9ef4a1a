"""Reading a body through its model: its fields, and what is off about it.

A body that is right is decoded once, by pydantic-core from its bytes. Only one that is not is decoded again, to say
where. Unknown fields are noted at the top of the object only, which costs nothing; nulls are looked for only where the
word stands in the body.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from connectors import strict
from connectors.errors import InvalidParameters
from connectors.judgement import Finding
from connectors.v2_2_1.models.types import Object

LIMIT = 20
"""At most so many findings of one body, the fatal ones first."""

_MANY = 5000  # so many errors cost some milliseconds to list; a body with more is read by its first list items
_ITEMS = 20

_WANTED = {
    "string_type": "a string",
    "literal_error": "a string",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_NOT_FATAL = {
    "string_too_long": "longer than {max_length} characters",
    "string_too_short": "empty",
    "too_short": "an empty list where at least one item belongs",
    "too_long": "a list of more than {max_length} items",
    "less_than_equal": "more than {le}",
    "greater_than_equal": "less than {ge}",
    "int_parsing_size": "a whole number too large to be meant",
    "int_from_float": "a number with a fraction where a whole one belongs",
}


def read(model: type[Object], body: bytes) -> tuple[dict[str, object], tuple[Finding, ...]]:
    """The fields of a body by name, and its findings.

    Where there are none, objects inside are models and missing fields None; else everything is as JSON has it, so read
    with `fields`. Raises NotJson (HTTP 400), and InvalidParameters where it is no JSON object or nested too deep.
    """
    try:
        value = model.__pydantic_validator__.validate_json(body)
    except ValidationError as error:
        return _slowly(model, body, error)
    if strict.has_constant(body):
        strict.loads(body)
    found: tuple[Finding, ...] = ()
    if value.__pydantic_extra__:
        found = tuple(_unknown(islice(value.__pydantic_extra__, LIMIT)))
    if b"null" in body:
        found = (*found, *islice(_nulls(value, "$"), LIMIT))[:LIMIT]
    return value.__dict__, found


def fields(value: object) -> dict[str, object]:
    """The fields of an object inside the fields that `read` gave; empty for what is no object."""
    if isinstance(value, Object):
        return value.__dict__
    return value if isinstance(value, dict) else {}


def _slowly(model: type[Object], body: bytes, error: ValidationError) -> tuple[dict[str, object], tuple[Finding, ...]]:
    details = error.errors(include_url=False) if error.error_count() == 1 else []
    unread = bool(details) and details[0]["type"] == "json_invalid"
    if unread and "recursion" in details[0]["msg"]:
        raise strict.too_deep(body)
    value = strict.loads(body)
    if not isinstance(value, dict):
        raise InvalidParameters(f"the body must be a JSON object, and this is {_kind(value)}")
    found: list[Finding] = []
    if error.error_count() > _MANY:
        what = f"{error.error_count()} things are off in this object, these are the first; check it against its module"
        found.append(Finding("$", what, fatal=True))
        found += _judged(model, _cut(value))
    elif unread:
        found += _judged(model, value)
    else:
        found += map(_finding, error.errors(include_url=False))
    known = model.model_fields
    found += _unknown(name for name in value if name not in known)
    found += (_null("$." + name) for name, item in value.items() if item is None and _optional(model, name))
    found.sort(key=lambda finding: not finding.fatal)
    return value, tuple(found[:LIMIT])


def _judged(model: type[Object], value: object) -> list[Finding]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        return [_finding(detail) for detail in error.errors(include_url=False)]
    return []


def _cut(value: object) -> object:
    """The value with only the first items of each list, so that judging it is bounded."""
    if isinstance(value, list):
        return [_cut(item) for item in value[:_ITEMS]]
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    return value


def _finding(error: ErrorDetails) -> Finding:
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"])
    kind, given, context = error["type"], error.get("input"), error.get("ctx", {})
    if kind == "missing":
        return Finding(path, "missing; this field is required", fatal=True)
    if kind in _NOT_FATAL:
        return Finding(path, _NOT_FATAL[kind].format_map(context), fatal=False)
    if kind == "string_pattern_mismatch":
        what = f"{_shown(given)} is not a DateTime in UTC as RFC 3339 has it, such as 2026-01-31T12:00:00Z"
        return Finding(path, what, fatal=False)
    if kind == "literal_error" and isinstance(given, str):
        expected = str(context.get("expected", ""))
        of = f": {expected}" if len(expected) <= 150 else ""
        return Finding(path, f"{_shown(given)} is not a value of this enum{of}", fatal=False)
    wanted = _WANTED.get(kind, "another value")
    number = isinstance(given, int | float) and not isinstance(given, bool)
    # A number is a number, and one where a string belongs is a habit of many: noted, never refused.
    fatal = not (number and wanted in {"a string", "a whole number"})
    return Finding(path, f"{_kind(given)} where {wanted} belongs", fatal=fatal)


def _unknown(names: Iterator[str]) -> Iterator[Finding]:
    return (Finding(f"$.{_clipped(name)}", "not a field of this object in OCPI 2.2.1", fatal=False) for name in names)


def _nulls(value: Object, path: str) -> Iterator[Finding]:
    given = value.model_fields_set
    for name, item in value.__dict__.items():
        if item is None:
            if name in given:
                yield _null(f"{path}.{name}")
        elif isinstance(item, Object):
            yield from _nulls(item, f"{path}.{name}")
        elif isinstance(item, list):
            for index, inner in enumerate(item):
                if isinstance(inner, Object):
                    yield from _nulls(inner, f"{path}.{name}[{index}]")


def _null(path: str) -> Finding:
    return Finding(path, "null; better leave it out, OCPI takes it for absent", fatal=False)


def _optional(model: type[Object], name: str) -> bool:
    field = model.model_fields.get(name)
    return field is not None and type(None) in getattr(field.annotation, "__args__", ())


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"


def _shown(value: object) -> str:
    return repr(_clipped(value)) if isinstance(value, str) else _kind(value)


def _clipped(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "..."
