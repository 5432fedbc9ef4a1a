"""The operator's API: parties and their platforms. JSON both ways; every path here needs the key."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiohttp import web

from connectors.values import PartyId
from hub.onboarding.connecting import connect
from hub.onboarding.desk import Desk, told
from hub.onboarding.invitations import invite
from hub.operator import actions, requests, views
from hub.operator.answers import answer, failure
from hub.operator.platform_settings import patched
from hub.operator.requests import BadRequest, ChangedMeanwhile
from routing.directory import Platform
from routing.store.port import Conflict, Store

PAGE, LARGEST_PAGE = 100, 1000

EDITS_AT_ARRIVAL = web.RequestKey("edits_at_arrival", int)
"""What `Registry.edits` said when the request came."""


class Api:
    """The handlers. Raises what `hub.operator.app` turns into sentences."""

    def __init__(self, desk: Desk, store: Store) -> None:
        self._desk = desk
        self._store = store

    def routes(self) -> Iterable[web.RouteDef]:
        """Every path of the API."""
        party = "/api/parties/{country_code}/{party_id}"
        return (
            web.post("/api/parties/invite", self._invite),
            web.get("/api/parties", self._list),
            web.get(party, self._show),
            web.post(f"{party}/suspend", self._suspend),
            web.post(f"{party}/resume", self._resume),
            web.post(f"{party}/remove", self._remove),
            web.post("/api/platforms/connect", self._connect),
            web.patch("/api/platforms/{id}/settings", self._settings),
        )

    async def _invite(self, request: web.Request) -> web.Response:
        body = requests.read(requests.Invite, await request.read())
        credential = await invite(self._desk, [(one.party(), one.role) for one in body.parties])
        return answer({"token": credential, "versions_url": self._desk.identity.versions_url}, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        offset = requests.number(query.get("offset"), 0, least=0, most=2**31, name="offset")
        limit = requests.number(query.get("limit"), PAGE, least=1, most=LARGEST_PAGE, name="limit")
        rows = views.rows(self._desk.registry.directory.platforms.values(), query.get("filter", ""))
        page = rows[offset : offset + limit]
        return answer({"parties": page, "total": len(rows), "offset": offset, "limit": limit})

    async def _show(self, request: web.Request) -> web.Response:
        return await self._shown(_party(request))

    async def _shown(self, party: PartyId) -> web.Response:
        platforms = list(self._desk.registry.directory.platforms.values())
        shown = views.shown(party, platforms, await self._store.load_marks())
        return _unknown(party) if shown is None else answer(shown)

    async def _suspend(self, request: web.Request) -> web.Response:
        return await self._block(request, on=True)

    async def _resume(self, request: web.Request) -> web.Response:
        return await self._block(request, on=False)

    async def _block(self, request: web.Request, *, on: bool) -> web.Response:
        party, now = _party(request), self._desk.registry.now()
        hosts = self._of(lambda platform: actions.hosts(platform, party))
        if not hosts:
            if self._of(lambda platform: actions.concerns(platform, party)):
                return failure(409, f"{party} is invited and has not registered yet; remove withdraws its invitation")
            return _unknown(party)
        for platform in hosts:
            await self._change(request, platform, lambda current: actions.suspended(current, party, on=on, now=now))
        return await self._shown(party)

    async def _remove(self, request: web.Request) -> web.Response:
        party, now = _party(request), self._desk.registry.now()
        hosts = self._of(lambda platform: actions.concerns(platform, party))
        if not hosts:
            return _unknown(party)
        for platform in hosts:
            await self._change(request, platform, lambda current: actions.removed(current, party, now=now))
        return await self._shown(party)

    async def _connect(self, request: web.Request) -> web.Response:
        body = requests.read(requests.Connect, await request.read())
        platform = await connect(self._desk, body.versions_url, body.token)
        return answer({"platform": platform.id, "parties": views.rows([platform])}, status=201)

    async def _settings(self, request: web.Request) -> web.Response:
        body = requests.read(requests.PatchSettings, await request.read())
        id = request.match_info["id"]
        platform = self._desk.registry.directory.platforms.get(id)
        if platform is None or platform.removed:
            return failure(404, f"there is no platform {id}; party show tells the platform of a party")
        changed = await self._change(request, platform, lambda current: patched(current, body), revision=body.revision)
        return answer({**views.settings_of(changed), "revision": changed.revision})

    def _of(self, which: Callable[[Platform], bool]) -> list[Platform]:
        return [platform for platform in self._desk.registry.directory.platforms.values() if which(platform)]

    async def _change(
        self,
        request: web.Request,
        platform: Platform,
        decide: Callable[[Platform], Platform],
        *,
        revision: int | None = None,
    ) -> Platform:
        with told():
            try:
                return await self._desk.registry.edit(
                    platform.id, decide, revision=revision, since=request.get(EDITS_AT_ARRIVAL)
                )
            except Conflict as lost:
                raise ChangedMeanwhile(lost.current) from None


def _party(request: web.Request) -> PartyId:
    try:
        return PartyId.of(request.match_info["country_code"], request.match_info["party_id"])
    except ValueError as wrong:
        raise BadRequest(str(wrong)) from None


def _unknown(party: PartyId) -> web.Response:
    return failure(404, f"the hub does not know the party {party}")
