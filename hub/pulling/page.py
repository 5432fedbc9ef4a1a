"""A page of a list as a platform answered it: its objects, whole and with every digit. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from connectors import digits
from connectors.digits import JsonValue
from connectors.errors import HubError, InvalidParameters
from connectors.headers import TOTAL_COUNT
from connectors.v2_2_1.judge import DEFAULT_TOKEN_TYPE
from connectors.values import Module, PartyId
from routing.getall import OWN

_IDS: Final = {Module.TOKENS.value: "uid"}
_MOST_DIGITS: Final = 12
_LONGEST_ID: Final = 1000  # OCPI's are of 39 at most; what is stored under it must be short
_SIGN_BYTES: Final = 12
_OFFSET: Final = re.compile(r"([?&]offset=)([0-9]{1,12})(?![^&#])")


@dataclass(frozen=True, slots=True)
class Listed:
    """One object: whose it is, its id as its owner wrote it, what else tells it apart, and its bytes.

    `reader` is the party of the cdr_token of a session or CDR, for which alone it is kept.
    """

    owner: PartyId
    id: str
    variant: str
    last_updated: str | None
    body: bytes
    reader: PartyId | None = None


def read(body: bytes, module: str) -> tuple[Listed, ...]:
    """The objects of a page in order. Raises HubError (4000) saying where something is not what belongs there: a list
    without one of its objects would be taken for the whole."""
    data = _data(body)
    if not isinstance(data, list):
        raise HubError("$.data: a list belongs there")
    return tuple(_listed(one, f"$.data[{at}]", module) for at, one in enumerate(data))


def one(body: bytes, module: str) -> Listed:
    """The object of an answer that is of one alone. Raises HubError (4000)."""
    return _listed(_data(body), "$.data", module)


def _data(body: bytes) -> JsonValue:
    try:
        envelope = digits.decode(body)
    except InvalidParameters as error:
        raise HubError(f"its answer is not JSON: {error.message}") from None
    return envelope.get("data") if isinstance(envelope, dict) else None


def sign(listed: Sequence[Listed]) -> str:
    """What tells this page from others: whose objects it has, and which."""
    digest = blake2b(digest_size=_SIGN_BYTES)
    for one in listed:
        digest.update(repr((*one.owner, one.id.upper(), one.variant)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def first(listed: Sequence[Listed], headers: Mapping[str, str], *, last: bool) -> str:
    """What tells this list from others by its first page; empty where that is too little to tell."""
    there = total(headers)
    return f"{there}/{sign(listed)}" if listed and (last or there is not None) else ""


def check_whole(listed: int, headers: Mapping[str, str]) -> None:
    """A list that ends has what it told of. Raises HubError."""
    there = total(headers)
    if there is not None and listed < there:
        raise HubError(f"its list ends after {listed} objects, and its X-Total-Count is {there}: the rest is missing")


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
    owner = _party(one, path)
    id = _text(one, _IDS.get(module, "id"), path)
    if len(id) > _LONGEST_ID:
        raise HubError(f"{path}.{_IDS.get(module, 'id')}: longer than {_LONGEST_ID} characters")
    variant = ""
    if module == Module.TOKENS:
        type = one.get("type")
        variant = (type if isinstance(type, str) else DEFAULT_TOKEN_TYPE).upper()
    updated = one.get("last_updated")
    reader = _reader(one, path) if module in OWN else None
    return Listed(owner, id, variant, updated if isinstance(updated, str) else None, digits.encode(one), reader)


def _reader(one: Mapping[str, JsonValue], path: str) -> PartyId:
    token, path = one.get("cdr_token"), f"{path}.cdr_token"
    if not isinstance(token, dict):
        raise HubError(f"{path}: an object belongs there")
    return _party(token, path)


def _party(one: Mapping[str, JsonValue], path: str) -> PartyId:
    try:
        return PartyId.of(_text(one, "country_code", path), _text(one, "party_id", path))
    except ValueError as error:
        raise HubError(f"{path}: {error}") from None


def _text(one: Mapping[str, JsonValue], name: str, path: str) -> str:
    value = one.get(name)
    if not isinstance(value, str) or not value:
        raise HubError(f"{path}.{name}: a text belongs there")
    return value
