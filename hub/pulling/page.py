"""A page of a list as a platform answered it: its objects, whole and with every digit. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors import digits
from connectors.digits import JsonValue
from connectors.errors import HubError, InvalidParameters
from connectors.headers import TOTAL_COUNT
from connectors.v2_2_1.judge import DEFAULT_TOKEN_TYPE
from connectors.values import Module, PartyId

_IDS: Final = {Module.TOKENS.value: "uid"}
_MOST_DIGITS: Final = 12
_OFFSET: Final = re.compile(r"([?&]offset=)([0-9]{1,12})(?![^&#])")


@dataclass(frozen=True, slots=True)
class Listed:
    """One object: whose it is, its id as its owner wrote it, what else tells it apart, and its bytes."""

    owner: PartyId
    id: str
    variant: str
    last_updated: str | None
    body: bytes


def read(body: bytes, module: str) -> tuple[Listed, ...]:
    """The objects of a page in order. Raises HubError (4000) saying where something is not what belongs there: a list
    without one of its objects would be taken for the whole."""
    try:
        envelope = digits.decode(body)
    except InvalidParameters as error:
        raise HubError(f"its answer is not JSON: {error.message}") from None
    data = envelope.get("data") if isinstance(envelope, dict) else None
    if not isinstance(data, list):
        raise HubError("$.data: a list belongs there")
    return tuple(_listed(one, f"$.data[{at}]", module) for at, one in enumerate(data))


def total(headers: Mapping[str, str]) -> int | None:
    """X-Total-Count, where it is a number."""
    text = headers.get(TOTAL_COUNT, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def further(url: str, listed: int, headers: Mapping[str, str]) -> str | None:
    """The URL of the next page of a platform that tells how many there are but not where they go on (no Link).

    What was read of its list would be taken for the whole.
    """
    there, offset = total(headers), _offset(url)
    if there is None or offset is None or not listed or offset + listed >= there:
        return None
    return _at(url, offset + listed)


def back(url: str, before: int | None, headers: Mapping[str, str]) -> str | None:
    """The URL to read again, where there were more before this page than with it; None where that is not so.

    What was removed before the page moved something from it onto one that was read already (OCPI 2.2.1, 4.1.4).
    """
    there, offset = total(headers), _offset(url)
    if before is None or there is None or there >= before or not offset:
        return None
    return _at(url, max(offset - (before - there), 0))


def _offset(url: str) -> int | None:
    found = _OFFSET.search(url)
    return int(found[2]) if found is not None else None


def _at(url: str, offset: int) -> str:
    return _OFFSET.sub(lambda found: f"{found[1]}{offset}", url, count=1)


def _listed(one: JsonValue, path: str, module: str) -> Listed:
    if not isinstance(one, dict):
        raise HubError(f"{path}: an object belongs there")
    try:
        owner = PartyId.of(_text(one, "country_code", path), _text(one, "party_id", path))
    except ValueError as error:
        raise HubError(f"{path}: {error}") from None
    id = _text(one, _IDS.get(module, "id"), path)
    variant = ""
    if module == Module.TOKENS:
        type = one.get("type")
        variant = (type if isinstance(type, str) else DEFAULT_TOKEN_TYPE).upper()
    updated = one.get("last_updated")
    return Listed(owner, id, variant, updated if isinstance(updated, str) else None, digits.encode(one))


def _text(one: Mapping[str, JsonValue], name: str, path: str) -> str:
    value = one.get(name)
    if not isinstance(value, str) or not value:
        raise HubError(f"{path}.{name}: a text belongs there")
    return value
