"""URLs that pass through the hub, made into the hub's own and back (OCPI 2.2.1: response_url, Link, Location).

A recipient has no credential for the URLs of the other side, so results, next pages and CDRs come through the hub.
Whatever a party gives must have an origin that is known of it (promise 12).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import quote, urljoin

import orjson

from connectors.catalogue import Row
from connectors.client.origins import known
from connectors.errors import HubError, InvalidParameters, UnknownUrl
from connectors.inplace import replace_string
from connectors.v2_2_1.urls import Target, path
from connectors.values import InterfaceRole, Module, PartyId
from hub import held
from hub.edge.ports import UrlRewriter
from hub.edge.reading import query_value
from hub.edge.values import Call, Caller, Pairs
from hub.sealed import STORED_REF, Kind, Rewrite
from routing.clock import Clock
from routing.directory import Directory, Hosted
from routing.store.port import CdrKey

PAGE: Final[Kind] = "page"
"""The query parameter of a hub-made next page; OCPI has none of this name."""

_ASYNCHRONOUS: Final = frozenset((Module.COMMANDS, Module.CHARGINGPROFILES))

RESPONSE_URL: Final = "response_url"

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_YEAR_MS: Final = 366 * _DAY_MS

_KINDS: Final[Mapping[str, Kind]] = {"CMD-S1": "command", "CHP-S1": "profile", "CDR-R2": "cdr"}
_LINK: Final = re.compile(r'<([^>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"]+))?)*)')
_NEXT: Final = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=[\s;]|$))', re.IGNORECASE)


class Found(NamedTuple):
    """What is behind a hub-made URL: whose it is, where, and the party that it was given to.

    `held` is the CDR that the hub took into custody, where it is that.
    """

    to: Hosted
    url: str
    sender: PartyId
    held: CdrKey | None = None


class Rewriting:
    """Rewrites what calls and answers carry, and finds what is behind what they use."""

    def __init__(self, rewriter: UrlRewriter, clock: Clock) -> None:
        self._rewriter = rewriter
        self._clock = clock

    # --- response_url ------------------------------------------------------------------------------------------------

    async def response_url(
        self, call: Call, row: Row, caller: Caller, sender: PartyId, to: Hosted
    ) -> tuple[bytes, str]:
        """Body and query with the response_url of a command or charging profile replaced, every other byte kept.

        A call without one goes on as it is: its recipient decides. Raises InvalidParameters (2001) for one whose origin
        is not known of the caller, and EngineAway.
        """
        kind: Kind
        if row.module == Module.COMMANDS:
            kind, segments = "command", (call.params["command"],)
        else:
            kind, segments = "profile", ("result",)
        in_query = not row.model
        given = query_value(call.query, RESPONSE_URL) if in_query else call.judgement.response_url
        if given is None:
            return call.body, call.query
        _check(given, caller)
        now = self._clock.utc()
        made = await self._rewriter.rewrite(
            kind,
            path(Target(row.module, InterfaceRole.SENDER, segments)),
            Rewrite(kind, to.platform.id, caller.platform.id, given, lives_until(call.body, now), sender, to.party.id),
        )
        if in_query:
            return call.body, replace_in_query(call.query, RESPONSE_URL, made)
        return replace_string(call.body, RESPONSE_URL, made), call.query

    # --- lists -------------------------------------------------------------------------------------------------------

    async def paging(
        self, row: Row, caller: Caller, sender: PartyId, to: Hosted, url: str, answered: Mapping[str, str]
    ) -> Pairs:
        """X-Total-Count and X-Limit as they came, and the next page by way of the hub.

        `url` is where the page came from. Raises HubError (4000) when the next page cannot be given on: a list without
        it would be taken for the whole (4.1.4 pagination).
        """
        pairs: Pairs = tuple(
            (name, value) for name in ("X-Total-Count", "X-Limit") if (value := answered.get(name)) is not None
        )
        following = next_page(answered)
        if following is None:
            return pairs
        try:
            following = urljoin(url, following)
            trusted = known(following, to.platform.known_origins)
        except (InvalidParameters, ValueError):  # urljoin's own for what is no URL at all
            trusted = False
        if not trusted:
            raise HubError(
                f"the next page of {to.party.id} (its Link header) is not at an origin that it registered, so the list "
                "cannot be read on; its operator can mend that"
            )
        expires = self._clock.utc() + _DAY_MS
        rewrite = Rewrite(PAGE, caller.platform.id, to.platform.id, following, expires, to.party.id, sender)
        base = f"{path(Target(row.module, row.interface))}/?{PAGE}="
        made = await self._rewriter.rewrite(PAGE, base, rewrite)
        return (*pairs, ("Link", f'<{made.replace(f"/?{PAGE}=/", f"?{PAGE}=", 1)}>; rel="next"'))

    # --- back --------------------------------------------------------------------------------------------------------

    async def resolve(self, call: Call, row: Row, caller: Caller, directory: Directory) -> Found:
        """What is behind a hub-made URL that the caller uses.

        Raises UnknownUrl (404), NotConnected (4003), EngineAway.
        """
        kind: Kind
        if row.listing:
            kind, ref = PAGE, query_value(call.query, PAGE) or ""
        else:
            kind, ref = _KINDS[row.id], call.params["ref"]
        return await self.behind(kind, ref, caller, directory)

    async def behind(self, kind: Kind, ref: str, caller: Caller, directory: Directory) -> Found:
        """The same of a ref; raises as `resolve` does."""
        rewrite = await self._rewriter.resolve(kind, ref, caller.platform.id, directory)
        cdr = held.named(rewrite.url) if kind == "cdr" and rewrite.target == rewrite.caller else None
        for hosted in directory.hosted(rewrite.to):
            if hosted.platform.id == rewrite.target and not hosted.party.suspended:
                return Found(hosted, rewrite.url, rewrite.sender, cdr)
        raise UnknownUrl(f"{rewrite.to}, who is behind this URL, is no longer registered")


def carries_response_url(row: Row) -> bool:
    """Whether calls of this row may name a response_url."""
    return row.interface is InterfaceRole.RECEIVER and row.module in _ASYNCHRONOUS


def is_page(call: Call, row: Row) -> bool:
    """Whether a list is asked for by a next page that the hub made.

    A custom module may have a `page` of its own; what the hub makes is longer than any number.
    """
    if not row.listing or PAGE not in call.query:
        return False
    ref = query_value(call.query, PAGE)
    return ref is not None and (not row.custom or len(ref) >= STORED_REF)


def next_page(headers: Mapping[str, str]) -> str | None:
    """The URL of the Link with rel=next, as written (RFC 8288; 4.1.4 pagination); None on the last page."""
    everything = getattr(headers, "getall", None)
    values = everything("Link", ()) if everything is not None else filter(None, (headers.get("Link"),))
    for value in values:
        for link in _LINK.finditer(value):
            if _NEXT.search(link[2]):
                return link[1]
    return None


def replace_in_query(query: str, name: str, value: str) -> str:
    """The query with one parameter's value replaced, percent-encoded; every other byte as it was."""
    parts = (f"{name}={quote(value, safe='')}" if part.partition("=")[0] == name else part for part in query.split("&"))
    return "&".join(parts)


def lives_until(body: bytes, now: int) -> int:
    """Until when a response_url is good (UTC ms): a day, a reservation's until an hour after its expiry_date.

    The same URL is called again when a reservation is cancelled later (13.2.2 and CANCELED_RESERVATION).
    """
    until = now + _DAY_MS
    if b"expiry_date" in body:
        try:
            ends = datetime.fromisoformat(orjson.loads(body)["expiry_date"])
            until = max(until, int(ends.replace(tzinfo=ends.tzinfo or UTC).timestamp() * 1000) + _HOUR_MS)
        except (ValueError, TypeError, KeyError, OverflowError):
            return until  # it is a finding already, and its recipient judges it
    return min(until, now + _YEAR_MS)


def _check(url: str, caller: Caller) -> None:
    try:
        trusted = known(url, caller.platform.known_origins)
    except InvalidParameters as error:
        raise InvalidParameters(f"{RESPONSE_URL}: {error.message}") from None
    if not trusted:
        raise InvalidParameters(
            f"{RESPONSE_URL}: its origin (scheme, host, port) is not one that your platform registered; use that of "
            "your versions URL or of one of your endpoints, or have the hub's operator add it"
        )
