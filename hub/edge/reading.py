"""What a call says before anybody acts on it: its ids, address, owner and the values of its query. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from uuid_utils import uuid7

from connectors import custom, headers
from connectors.catalogue import Catalogue, Row
from connectors.errors import InvalidParameters, UnknownUrl
from connectors.v2_2_1.catalogue import VERSION
from connectors.v2_2_1.urls import ROOT, split
from connectors.values import InterfaceRole, PartyId
from hub.edge.values import Call, Pairs
from routing.directory import Directory

_SHORT: Final = 256
"""Targets of up to so many characters are remembered; longer ones are rare, and would make the memory large."""


def read_ids(call: Call) -> None:
    """X-Request-ID and X-Correlation-ID (4.1.4), made up where they lack. Raises InvalidParameters (2001)."""
    try:
        given = headers.read_ids(call.headers)
    except InvalidParameters:
        call.request_id, call.correlation_id = str(uuid7()), str(uuid7())  # the refusal has ids too
        raise
    call.request_id = given.request_id or str(uuid7())
    call.correlation_id = given.correlation_id or str(uuid7())


class Address(NamedTuple):
    """What a target addresses."""

    module: str
    interface: InterfaceRole | None
    path: tuple[str, ...]
    query: str


def read_address(call: Call) -> None:
    """Module, interface, path and query of the target. Raises UnknownUrl (404) and InvalidParameters (2001)."""
    target = call.target
    found = _addressed(target) if len(target) <= _SHORT else _address(target)
    call.module, call.interface, call.path, call.query = found


def _address(target: str) -> Address:
    if not target.startswith("/") and "://" in target:
        target = "/" + target.partition("://")[2].partition("/")[2]  # absolute-form, as sent to proxies
    raw_path, _, query = target.partition("?")
    return Address(*split(raw_path), query)


_addressed = lru_cache(maxsize=8192)(_address)
"""Lists, statuses and commands come under the same URLs again and again."""


def read_row(call: Call, catalogue: Catalogue) -> Row:
    """The row that serves the call. Raises UnknownUrl (404) and MethodNotAllowed (405)."""
    match = catalogue.match(call.module, call.interface, call.method, call.path)
    call.row, call.params = match.row, match.params
    return match.row


def read_custom(call: Call, directory: Directory) -> Row:
    """The row of a call of a module that OCPI does not define. Raises UnknownUrl (404) where nobody here serves it."""
    if call.interface is None or (call.module, call.interface) not in directory.custom:
        raise UnknownUrl(f"there is no such module here: GET /{ROOT}/{VERSION} for the endpoints that there are")
    call.row = custom.row(call.module, call.interface, call.method)
    return call.row


def owner_in_url(call: Call) -> PartyId | None:
    """The owner that the URL names, if it names one. Raises InvalidParameters (2001)."""
    country = call.params.get("country_code")
    if country is None:
        return None
    try:
        return PartyId.of(country, call.params["party_id"])
    except ValueError as error:
        raise InvalidParameters(f"the owner in the URL: {error}") from None


def query_value(query: str, name: str) -> str | None:
    """The percent-decoded value of a query parameter; None without it.

    Raises InvalidParameters (2001) where it is there twice, or is not UTF-8.
    """
    if name not in query:
        return None
    found = [value for part in query.split("&") for key, _, value in (part.partition("="),) if key == name]
    if len(found) > 1:
        raise InvalidParameters(f"the query has {name} more than once")
    try:
        return unquote(found[0], errors="strict") if found else None
    except UnicodeError:
        raise InvalidParameters(f"the query's {name} is not UTF-8 once it is percent-decoded") from None


def answer_headers(call: Call) -> Pairs:
    """The headers that every answer has: the ids of its call, and from functional modules the parties, swapped.

    FROM is who answered: the recipient, or the hub (4.1.5 and the header matrix of 4.4).
    """
    pairs: Pairs = ((headers.REQUEST_ID, call.request_id), (headers.CORRELATION_ID, call.correlation_id))
    if call.interface is None or call.sender is None or call.answered_by is None:
        return pairs
    to, by = call.sender.id, call.answered_by
    return (
        *pairs,
        (headers.TO_COUNTRY, to.country_code),
        (headers.TO_PARTY, to.party_id),
        (headers.FROM_COUNTRY, by.country_code),
        (headers.FROM_PARTY, by.party_id),
    )
