"""OCPI's headers: who a message is for and from, and the ids it is followed by (2.2.1, 4.1.3 to 4.1.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from connectors.errors import InvalidParameters
from connectors.values import PartyId

TO_COUNTRY: Final = "OCPI-to-country-code"
TO_PARTY: Final = "OCPI-to-party-id"
FROM_COUNTRY: Final = "OCPI-from-country-code"
FROM_PARTY: Final = "OCPI-from-party-id"
REQUEST_ID: Final = "X-Request-ID"
CORRELATION_ID: Final = "X-Correlation-ID"
TOTAL_COUNT: Final = "X-Total-Count"
LIMIT: Final = "X-Limit"
LINK: Final = "Link"
LOCATION: Final = "Location"

LONGEST_ID: Final = 128
"""The longest message id that is taken from a caller, in characters; OCPI advises UUIDs."""

_ID: Final = re.compile(rf"[ -~]{{1,{LONGEST_ID}}}")


@dataclass(frozen=True, slots=True)
class Routing:
    """Who a message is for (`to`) and from (`sender`), as far as its headers say."""

    to: PartyId | None = None
    sender: PartyId | None = None

    def answered(self) -> Routing:
        """The routing of the answer: swapped."""
        return Routing(self.sender, self.to)


@dataclass(frozen=True, slots=True)
class MessageIds:
    """The ids that a caller gave its message; None where it gave none."""

    request_id: str | None = None
    correlation_id: str | None = None


def read(headers: Mapping[str, str]) -> Routing:
    """The routing of a message. `headers` must find names without case.

    Raises InvalidParameters, naming the header, when only one of a pair is there or a value cannot be a party's.
    An empty value is wrong, not absent: taken for absent, it would turn a push to one party into a broadcast.
    """
    return Routing(_party(headers, TO_COUNTRY, TO_PARTY), _party(headers, FROM_COUNTRY, FROM_PARTY))


def read_ids(headers: Mapping[str, str]) -> MessageIds:
    """The ids of a message; raises InvalidParameters, naming the header, for one that is too long or unprintable."""
    return MessageIds(_id(headers, REQUEST_ID), _id(headers, CORRELATION_ID))


def write(to: PartyId | None, sender: PartyId | None, request_id: str, correlation_id: str) -> dict[str, str]:
    """The headers of a message; a party that is None (2.1.1, configuration modules) is left out."""
    headers = {REQUEST_ID: request_id, CORRELATION_ID: correlation_id}
    if to is not None:
        headers[TO_COUNTRY], headers[TO_PARTY] = to
    if sender is not None:
        headers[FROM_COUNTRY], headers[FROM_PARTY] = sender
    return headers


def _party(headers: Mapping[str, str], country_name: str, party_name: str) -> PartyId | None:
    country, party = headers.get(country_name), headers.get(party_name)
    if country is None or party is None:
        if country is party:
            return None
        there, lacks = (party_name, country_name) if country is None else (country_name, party_name)
        raise InvalidParameters(f"header {lacks} lacks: {there} was given, and OCPI needs both or neither")
    # A value of a header is bounded in length by the server, a cache's keys must be by us.
    return _known(country[:16], party[:16], country_name, party_name)


@lru_cache(maxsize=4096)
def _known(country: str, party: str, country_name: str, party_name: str) -> PartyId:
    try:
        return PartyId.of(country, party)
    except ValueError as error:
        name = country_name if str(error).startswith("country_code") else party_name
        raise InvalidParameters(f"header {name}: {error}") from None


def _id(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name)
    if not value:
        return None
    if not _ID.fullmatch(value):
        raise InvalidParameters(f"header {name} is not 1 to {LONGEST_ID} printable ASCII characters; a UUID is advised")
    return value
