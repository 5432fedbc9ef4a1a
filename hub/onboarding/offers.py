"""What a platform offers, read from its versions and version details, and whether the hub can use it (OCPI 2.2.1, 6).

Pure: values in, values or an OCPI error out. The error's sentence names what is off; the caller adds step and URL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from connectors.client.origins import origin_of
from connectors.errors import InvalidParameters, NoMatchingEndpoints, UnsupportedVersion, UnusableApi
from connectors.values import InterfaceRole, Module
from routing.directory import Endpoint

SPOKEN = ("2.2.1",)
"""The versions that the hub speaks, oldest first."""

MAX_URL = 255

MAX_ENDPOINTS = 200
"""Entries of version details that are read: OCPI 2.2.1 has two dozen, and modules of one's own are a few more."""

_IDENTIFIER = re.compile(r"[!-~]{1,64}")


class Offer(NamedTuple):
    """One entry of a versions list."""

    version: str
    url: str


def versions_in(data: object) -> tuple[Offer, ...]:
    """The versions list in an envelope's data. Entries of versions that the hub does not speak are not judged.

    Raises UnusableApi (3001).
    """
    if not isinstance(data, list):
        raise UnusableApi("$.data is not a list of versions")
    offers = []
    for at, entry in enumerate(data):
        version = entry.get("version") if isinstance(entry, dict) else None
        if version in SPOKEN:
            offers.append(Offer(version, _url(entry.get("url"), f"$.data[{at}].url")))
    return tuple(offers)


def latest_mutual(offers: Sequence[Offer]) -> Offer:
    """The latest version that both sides speak. Raises UnsupportedVersion (3002)."""
    for version in reversed(SPOKEN):
        for offer in offers:
            if offer.version == version:
                return offer
    raise UnsupportedVersion(f"no version in common: the hub speaks {', '.join(SPOKEN)}")


def exactly(version: str, offers: Sequence[Offer]) -> Offer:
    """The version whose credentials endpoint was called. Raises UnsupportedVersion (3002)."""
    for offer in offers:
        if offer.version == version:
            return offer
    raise UnsupportedVersion(f"version {version} is missing, whose credentials endpoint was called")


def endpoints_in(data: object, version: str) -> tuple[Endpoint, ...]:
    """The endpoints of the details of this version, unknown modules kept.

    Raises UnusableApi (3001), UnsupportedVersion (3002) and NoMatchingEndpoints (3003). The role of a credentials
    endpoint has no meaning, so what is sent there is ignored. A malformed entry of a module that the hub does not know
    is left out; one that it would use is refused.
    """
    details = data if isinstance(data, dict) else {}
    entries, said = details.get("endpoints"), details.get("version")
    if not isinstance(entries, list):
        raise UnusableApi("$.data.endpoints is not a list")
    if said is not None and said != version:
        raise UnsupportedVersion(f"$.data.version is {str(said)[:20]!a}, and the versions list has {version} there")
    if len(entries) > MAX_ENDPOINTS:
        raise UnusableApi(f"$.data.endpoints has {len(entries)} entries; at most {MAX_ENDPOINTS} are read")
    read = (_endpoint(entry, f"$.data.endpoints[{at}]") for at, entry in enumerate(entries))
    found = tuple(endpoint for endpoint in read if endpoint is not None)
    if not any(endpoint.identifier == Module.CREDENTIALS for endpoint in found):
        raise NoMatchingEndpoints("there is no credentials endpoint, the one module that every platform must have")
    return found


def credentials_url(endpoints: Sequence[Endpoint]) -> str:
    """Where credentials are POSTed to; `endpoints` come from `endpoints_in`."""
    return next(endpoint.url for endpoint in endpoints if endpoint.identifier == Module.CREDENTIALS)


def origins_of(urls: Sequence[str]) -> tuple[str, ...]:
    """The origins of these URLs, each once, in their order."""
    return tuple(dict.fromkeys(origin_of(url) for url in urls))


def _endpoint(entry: object, path: str) -> Endpoint | None:
    """None for a malformed entry of a module that the hub does not know."""
    if not isinstance(entry, dict) or not isinstance(identifier := entry.get("identifier"), str):
        raise UnusableApi(f"{path} is not an endpoint with an identifier")
    try:
        endpoint = Endpoint(
            identifier, _role(identifier, entry.get("role"), path), _url(entry.get("url"), f"{path}.url")
        )
    except UnusableApi:
        if identifier in set(Module):
            raise
        return None
    return endpoint if _IDENTIFIER.fullmatch(identifier) else None


def _role(identifier: str, role: object, path: str) -> InterfaceRole:
    if identifier == Module.CREDENTIALS:
        return InterfaceRole.SENDER
    if role not in (InterfaceRole.SENDER, InterfaceRole.RECEIVER):
        raise UnusableApi(f"{path}.role of {identifier[:64]} is {str(role)[:20]!a}; SENDER or RECEIVER belongs there")
    return InterfaceRole(str(role))


def _url(url: object, path: str) -> str:
    if not isinstance(url, str) or len(url) > MAX_URL:
        raise UnusableApi(f"{path} is not a URL of at most {MAX_URL} characters")
    try:
        origin_of(url)
    except InvalidParameters as wrong:
        raise UnusableApi(f"{path} cannot be used: {wrong.message}") from None
    return url
