"""The URL grammar of OCPI 2.2.1: the hub's own surface, and joining what a recipient advertised.

    /ocpi/versions
    /ocpi/2.2.1
    /ocpi/2.2.1/credentials
    /ocpi/2.2.1/hubclientinfo
    /ocpi/2.2.1/{sender|receiver}/{module}[/segment ...]

Slashes that lead, trail or are doubled count for nothing, words of the hub's own are read without case, and every
segment is percent-decoded exactly once, so an id may hold `/`, `*`, `#` or `%` (2.2.1, 4.1 and 8.2; ids are CiString).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from connectors.errors import InvalidParameters, UnknownUrl
from connectors.v2_2_1.catalogue import VERSION, VERSIONS
from connectors.values import InterfaceRole

ROOT = "ocpi"
CONFIGURATION = ("credentials", "hubclientinfo")

_INTERFACES = {role.value.lower(): role for role in InterfaceRole}
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*").fullmatch


class Target(NamedTuple):
    """What a path addresses, in the catalogue's words: `CATALOGUE.match(module, interface, method, segments)`.

    Versions are (`versions`, None, ()), the version details (`versions`, None, (`2.2.1`,)), credentials
    (`credentials`, None, ()).
    """

    module: str
    interface: InterfaceRole | None
    segments: tuple[str, ...] = ()


def split(raw_path: str) -> Target:
    """What the hub is asked for by `raw_path`, the request's path as it came: percent-encoded and without a query.

    The path may begin with `/ocpi` or with what follows it. A module that OCPI does not define may be a platform's own
    (connectors/custom.py): it is told like any other, its name in lower case. Raises UnknownUrl (404) for paths that
    the hub does not have, another version's included, and InvalidParameters (2001) where a segment is not
    percent-encoded UTF-8.
    """
    parts = [part for part in raw_path.split("/") if part]
    if "%" in raw_path or not raw_path.isascii():
        parts = list(map(decode, parts))
    if parts and parts[0].lower() == ROOT:
        del parts[0]
    if not parts:
        raise UnknownUrl(f"nothing is served here: GET /{ROOT}/{VERSIONS}")
    if parts[0] != VERSION:
        if len(parts) == 1 and parts[0].lower() == VERSIONS:
            return Target(VERSIONS, None)
        raise UnknownUrl(f"nothing is served under this path: GET /{ROOT}/{VERSIONS} for the versions there are")
    if len(parts) == 1:
        return Target(VERSIONS, None, (VERSION,))
    interface = _INTERFACES.get(parts[1].lower())
    if interface is None:
        if parts[1].lower() in CONFIGURATION:
            return Target(parts[1].lower(), None, tuple(parts[2:]))
        words = "`, `".join(CONFIGURATION)
        raise UnknownUrl(f"after /{VERSION}/ comes one of `sender`, `receiver`, `{words}`: GET /{ROOT}/{VERSION}")
    if len(parts) == 2:
        raise UnknownUrl(f"a module is missing after /{parts[1].lower()}/: GET /{ROOT}/{VERSION} for the endpoints")
    module = parts[2].lower()
    if module in CONFIGURATION or module == VERSIONS:
        raise UnknownUrl(f"{module} has no interface role in its URL: GET /{ROOT}/{VERSION} for the endpoints")
    return Target(module, interface, tuple(parts[3:]))


def decode(segment: str) -> str:
    """One path segment percent-decoded once as UTF-8; raises InvalidParameters (2001) where that cannot be."""
    if "%" not in segment and segment.isascii():
        return segment
    bad = _BAD_PERCENT.search(segment)
    if bad:
        raise InvalidParameters("a path segment of the URL has a % that no two hexadecimal digits follow: write %25")
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeError:
        raise InvalidParameters("a path segment of the URL is not UTF-8 once it is percent-decoded") from None


def build(segments: Iterable[str]) -> str:
    """The segments percent-encoded and joined by slashes, without one in front: `split` gives the same segments back.

    Only RFC 3986's unreserved characters stay as they are, and a segment of dots alone does not, lest somebody on the
    way takes it for a relative path. Raises InvalidParameters for an empty segment or a lone surrogate, which no URL
    can hold.
    """
    return "/".join(map(encode, segments))


def encode(segment: str) -> str:
    """One segment percent-encoded; see `build`."""
    if _UNRESERVED(segment):
        return segment
    if not segment:
        raise InvalidParameters("a path segment of the URL is empty: an id has at least one character")
    if segment in {".", ".."}:
        return segment.replace(".", "%2E")
    try:
        return quote(segment, safe="")
    except UnicodeError:
        raise InvalidParameters("a path segment of the URL is not valid Unicode") from None


def path(target: Target) -> str:
    """The hub's own path for a target, from `/ocpi` on: `split` undone."""
    if target.module == VERSIONS:
        return f"/{ROOT}/{target.segments[0] if target.segments else VERSIONS}"
    interface = (target.interface.value.lower(),) if target.interface else ()
    return f"/{ROOT}/{build((VERSION, *interface, target.module, *target.segments))}"


def join(endpoint_url: str, remainder: str = "", query: str = "") -> str:
    """A recipient's URL: its endpoint as advertised, then `remainder` (of `build`), then the caller's query.

    Without a remainder the endpoint's trailing slash, or its absence, stays; before one there is exactly one slash.
    An endpoint's own query is kept in front of the caller's; its fragment is not sent.
    """
    base, _, _ = endpoint_url.partition("#")
    base, _, own = base.partition("?")
    if remainder:
        base = f"{base.rstrip('/')}/{remainder.lstrip('/')}"
    query = "&".join(part for part in (own, query) if part)
    return f"{base}?{query}" if query else base
