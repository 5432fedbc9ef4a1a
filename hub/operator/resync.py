"""The operator's API for sending a party everything once more: counted first, then worked off by the workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aiohttp import web

from connectors.values import InterfaceRole, PartyId
from hub.operator import actions, shapes
from hub.operator.answers import answer, failure
from hub.operator.operations import Asked as Request
from hub.operator.operations import Operation, Operations
from hub.operator.requests import BadRequest, Resync
from hub.operator.requests import Nothing as NoQuery
from hub.operator.views import Json, when
from hub.registry import Registry
from routing import asked, resync
from routing.asked import Asked, Asking, Counted
from routing.directory import Directory, Platform
from routing.log.port import Log
from routing.store.codec import moment
from routing.store.port import Mark, Store


class Resyncs:
    """The handler. Raises what `hub.operator.app` turns into sentences."""

    def __init__(self, registry: Registry, store: Store, log: Log) -> None:
        self._registry = registry
        self._store = store
        self._asking = Asking(store, log, lambda: registry.directory, registry.now)

    def operations(self) -> Operations:
        """All of this part."""
        one = "/api/parties/{country_code}/{party_id}/resync"
        return (Operation("POST", one, self._ask, Resync, NoQuery, shapes.ResyncAsked, also=(404, 409)),)

    async def _ask(self, request: Request[Resync, NoQuery]) -> web.Response:
        """Send a party the newest state of all that it may see once more; every look at it tells how far that is."""
        party, body, directory = request.party, request.body, self._registry.directory
        hosts = [platform for platform in directory.platforms.values() if actions.hosts(platform, party)]
        if not hosts:
            return failure(404, f"the hub does not know the party {party}, or it has not registered yet")
        since = _moment(body.since)
        wanted = [(platform, module) for platform in hosts for module in _modules(platform, body.modules)]
        if (why := _cannot(directory, hosts, party, wanted, body.modules)) is not None:
            return failure(409, why)
        counted = [await self._asking.count(platform, party, module, since) for platform, module in wanted]
        if not body.dry_run:
            await self._register(counted)
        marks = [] if body.dry_run else await self._store.load_marks()
        rows = [told(one.asked, marks, directory, counted=body.dry_run) for one in counted]
        return answer({"party": str(party), "dry_run": body.dry_run, "resyncs": rows})

    async def _register(self, counted: Iterable[Counted]) -> None:
        for one in counted:
            await self._asking.ask(one)


def told(one: Asked, marks: Sequence[Mark], directory: Directory, *, counted: bool = False) -> Json:
    """How far what was asked for came."""
    state = "counted" if counted else _state(one, directory)
    return {
        "platform": one.platform,
        "module": one.module,
        "state": state,
        "asked": when(one.asked),
        "since": None if one.since is None else when(one.since),
        "objects": one.objects,
        "done": 0 if counted else one.done(marks),
        "skipped": one.skipped,
    }


def _state(one: Asked, directory: Directory) -> str:
    if one.over:
        return "skipped" if one.skipped else "done"
    return "running" if resync.reachable(directory, one.platform) else "waiting"


def _modules(platform: Platform, wanted: Sequence[str]) -> list[str]:
    return [
        str(module) for module in asked.MODULES
        if (not wanted or module in wanted) and platform.endpoint(module, InterfaceRole.RECEIVER) is not None
    ]  # fmt: skip


def _cannot(
    directory: Directory,
    hosts: Sequence[Platform],
    party: PartyId,
    wanted: Sequence[tuple[Platform, str]],
    modules: Sequence[str],
) -> str | None:
    """Why nothing would be sent, as a sentence."""
    missing = [module for module in modules if not any(module == there for _, there in wanted)]
    if missing or not wanted:
        return f"{party} takes no {', '.join(missing or asked.MODULES)}: its platform offers no endpoint as RECEIVER"
    if not any(platform.settings.resync for platform in hosts):
        return f"resync of the platform of {party} is off: party set {party.country_code} {party.party_id} --resync"
    if not any(resync.may_have(directory, platform.id, party) for platform in hosts):
        return f"{party} is suspended, or its platform has not registered: nothing would be sent to it"
    return None


def _moment(text: str | None) -> int | None:
    if not text:
        return None
    found = moment(text)
    if found is None:
        raise BadRequest(f"since: {text!r} is no moment, written as 2026-01-31T12:00:00Z")
    return found
