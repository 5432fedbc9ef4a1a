"""The operator's API for platforms: list, show, connect, and what is set for one."""

from __future__ import annotations

from aiohttp import web

from hub.onboarding.connecting import connect
from hub.onboarding.desk import Desk
from hub.operator import shapes, views
from hub.operator.answers import answer, failure
from hub.operator.editing import edited
from hub.operator.operations import Asked, Operation, Operations
from hub.operator.pages import PageQuery, cut, page
from hub.operator.platform_settings import patched
from hub.operator.requests import Connect, Nothing, PatchSettings
from hub.pulling import progress
from hub.pulling.puller import HUBS
from routing.store.port import Store


class Platforms:
    """The handlers. Raises what `hub.operator.app` turns into sentences."""

    def __init__(self, desk: Desk, store: Store) -> None:
        self._desk = desk
        self._store = store

    def operations(self) -> Operations:
        """All of this part."""
        one, settings = "/api/platforms/{id}", "/api/platforms/{id}/settings"
        changed = shapes.SettingsChanged
        return (
            Operation("GET", "/api/platforms", self._list, Nothing, PageQuery, shapes.PlatformPage),
            Operation(
                "POST", "/api/platforms/connect", self._connect, Connect, Nothing, shapes.Connected, 201, (409, 502)
            ),
            Operation("GET", one, self._show, Nothing, Nothing, shapes.PlatformShown, also=(404,)),
            Operation("PATCH", settings, self._settings, PatchSettings, Nothing, changed, also=(404, 409)),
        )

    async def _list(self, asked: Asked[Nothing, PageQuery]) -> web.Response:
        """Every platform, the removed ones too; the filter looks at its id, status, version, versions URL, parties."""
        rows = views.platform_rows(self._desk.registry.directory.platforms.values(), asked.query.filter)
        return page(asked.request, "platforms", cut(rows, asked.query), len(rows), asked.query)

    async def _show(self, asked: Asked[Nothing, Nothing]) -> web.Response:
        """All of one platform, with the roles of all its parties."""
        platform = self._desk.registry.directory.platforms.get(asked.named("id"))
        if platform is None:
            return _unknown(asked.named("id"))
        beyond = self._desk.registry.directory.beyond(platform.id)
        return answer(views.platform_shown(platform, None, await self._store.load_marks(), beyond))

    async def _connect(self, asked: Asked[Connect, Nothing]) -> web.Response:
        """Register the hub with a platform that invited it: the hub starts the handshake."""
        platform = await connect(self._desk, asked.body.versions_url, asked.body.token)
        return answer({"platform": platform.id, "parties": views.rows([platform])}, status=201)

    async def _settings(self, asked: Asked[PatchSettings, Nothing]) -> web.Response:
        """Set what a platform needs; in force at its next call."""
        platform = self._desk.registry.directory.platforms.get(asked.named("id"))
        if platform is None or platform.removed:
            return _unknown(asked.named("id"))
        changed = await edited(
            self._desk,
            asked.request,
            platform,
            lambda current: patched(current, asked.body),
            revision=asked.body.revision,
        )
        if asked.body.behind and not platform.settings.behind:
            # what it told meanwhile was not taken
            await progress.ask(self._store, changed.id, HUBS, self._desk.registry.now())
        return answer({**views.settings_of(changed), "revision": changed.revision})


def _unknown(id: str) -> web.Response:
    return failure(404, f"there is no platform {id}; party show tells the platform of a party")
