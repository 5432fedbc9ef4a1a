"""Learns who is behind another hub from its HubClientInfo: its list is read, its PUTs are taken (OCPI 2.2.1, 14)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol
from urllib.parse import urljoin

import orjson
from uuid_utils import uuid7

from connectors import headers
from connectors.answers import ABSENT
from connectors.client.origins import known
from connectors.errors import EngineAway, HubError, InvalidParameters, NotJson, UnknownUrl
from connectors.values import InterfaceRole, Module, PartyId, Role
from hub.clientinfo.told import client_info
from hub.edge.errors import made
from hub.edge.ports import Outbound, Signs
from hub.edge.rewriting import next_page
from hub.edge.values import Call, Caller, Response
from hub.pulling import asking, progress
from hub.pulling.progress import Progress
from routing.behind import TooMany, learnt
from routing.clientinfo import Client, Told
from routing.clock import Clock
from routing.directory import Beyond, Directory, Hosted, Platform, Status
from routing.outbound import Answered, limited, target
from routing.store.codec import moment
from routing.store.port import Conflict, Lease, Store, StoreAway

PAGE: Final = 100
MAX_PAGES: Final = 1_000


class Changing(Protocol):
    """The directory as this process sees it, and how a record of it is changed (hub/registry)."""

    @property
    def directory(self) -> Directory: ...

    def authorization_for(self, platform: Platform) -> str: ...

    async def change(self, id: str, decide: Callable[[Platform], Platform]) -> Platform: ...


def read(info: object, at: str = "$") -> Beyond:
    """What a ClientInfo object says (14.3.1). Raises InvalidParameters (2001) naming what is off."""
    if not isinstance(info, Mapping):
        raise InvalidParameters(f"{at}: a ClientInfo object belongs here")
    try:
        party = PartyId.of(info["country_code"], info["party_id"])
        role, status = Role(info["role"]), Status(info["status"])
    except KeyError as lacking:
        raise InvalidParameters(f"{at}.{lacking.args[0]}: it lacks") from None
    except (ValueError, TypeError, AttributeError):
        raise InvalidParameters(
            f"{at}: country_code, party_id, role and status are not those of a ClientInfo object"
        ) from None
    updated = info.get("last_updated")
    since = moment(updated) if isinstance(updated, str) else None
    if since is None:
        raise InvalidParameters(f"{at}.last_updated: a DateTime belongs here")
    return Beyond(party, role, status, since)


class Behind:
    """Of one process. `within` is the deadline of a page, in seconds."""

    def __init__(
        self, store: Store, registry: Changing, client: Outbound, signs: Signs, clock: Clock, *, within: float
    ) -> None:
        self._store = store
        self._registry = registry
        self._client = client
        self._signs = signs
        self._clock = clock
        self._within = within

    # --- its list ----------------------------------------------------------------------------------------------------

    async def pull(self, id: str, so_far: Progress, lease: Lease) -> Progress:
        """Read the list of a hub to its end; what it says is in the directory then. Raises OcpiError, StoreError."""
        told: list[Beyond] = []
        foreign = pages = 0
        url: str | None = None
        while pages == 0 or url is not None:
            platform = self._registry.directory.platforms[id]
            hub = platform.in_front
            if hub is None:
                raise HubError("it is suspended, not registered any more, or may not speak for others")
            if url is None:
                query = limited(platform, f"offset=0&limit={PAGE}")
                url = target(platform, Module.HUBCLIENTINFO, InterfaceRole.SENDER, (), query)
            answered = await self._get(Hosted(platform, hub), url)
            for info in _listed(answered):
                try:
                    told.append(read(info))
                except InvalidParameters:
                    foreign += 1  # a role or status of another version: that party is not known here
            url, pages = _following(platform, url, answered), pages + 1
            if pages >= MAX_PAGES:
                raise HubError(f"its list has no end within {MAX_PAGES} pages")
        await self._learn(id, told, whole=True)
        now = self._clock.utc()
        ended = replace(
            so_far, ended=now, moved=now, tried=now, pages=pages, objects=len(told), foreign=foreign, failures=0,
            reason="", last=so_far.started, whole=so_far.started, since=None,
        )  # fmt: skip
        await progress.write(self._store, id, Module.HUBCLIENTINFO.value, ended, lease)
        return ended

    async def _get(self, to: Hosted, url: str) -> Answered:
        sent = headers.write(None, None, str(uuid7()), str(uuid7()))  # configuration: no routing headers
        sent["Authorization"] = self._registry.authorization_for(to.platform)
        return await asking.get(self._client, self._signs, to, url, sent, within=self._within)

    async def _learn(self, id: str, told: Iterable[Beyond], *, whole: bool) -> Platform:
        found = tuple(told)
        try:
            return await self._registry.change(id, lambda platform: learnt(platform, found, whole=whole))
        except TooMany as wrong:
            raise HubError(str(wrong)) from None
        except (Conflict, StoreAway) as away:
            raise EngineAway("the hub's store does not take what you told; repeat it") from away

    # --- its PUTs ----------------------------------------------------------------------------------------------------

    async def told(self, call: Call, caller: Caller) -> Response:
        """GET and PUT of one ClientInfo. Raises InvalidParameters (2001), UnknownUrl (404) and EngineAway (503)."""
        platform = self._registry.directory.platforms.get(caller.platform.id, caller.platform)
        if platform.in_front is None:
            raise InvalidParameters(
                "this platform speaks for its own parties only: as a hub (role HUB) it may tell of those behind it "
                "once the operator of this hub allows it"
            )
        try:
            party = PartyId.of(call.params["country_code"], call.params["party_id"])
        except ValueError as wrong:
            raise InvalidParameters(f"the party in the URL: {wrong}") from None
        if call.method == "GET":
            return _stored(platform, party)
        try:
            info = read(orjson.loads(call.body))
        except orjson.JSONDecodeError as wrong:
            raise NotJson(f"the body is not JSON: {wrong.msg} at line {wrong.lineno} column {wrong.colno}") from None
        if info.id != party:
            raise InvalidParameters(f"$: the body is about {info.id} and the URL about {party}")
        fresh = all((one.id, one.role) != (info.id, info.role) for one in platform.beyond)
        await self._learn(platform.id, (info,), whole=False)
        return made(1000, data=ABSENT, http_status=201 if fresh else 200)


def _stored(platform: Platform, party: PartyId) -> Response:
    found = [one for one in platform.beyond if one.id == party]
    if not found:
        raise UnknownUrl(f"this platform told nothing of {party}")
    one = found[-1]
    return made(1000, data=client_info(Client(one.id, one.role), Told(one.status, one.updated)))


def _listed(answered: Answered) -> list[Any]:
    try:
        data = orjson.loads(answered.body).get("data")
    except (orjson.JSONDecodeError, AttributeError):
        data = None
    if not isinstance(data, list):
        raise HubError("its list of hubclientinfo is none")
    return data


def _following(platform: Platform, url: str, answered: Answered) -> str | None:
    """The next page's URL, None on the last one. Raises HubError where it cannot be followed."""
    following = next_page(answered.headers)
    if following is None:
        return None
    try:
        following = urljoin(url, following)
        trusted = known(following, platform.known_origins)
    except (InvalidParameters, ValueError):
        trusted = False
    if not trusted or following == url:
        raise HubError("its next page (Link) is not at an origin that it registered, or is the page itself")
    return following
