"""The operator's API for parties: invite, list, show, suspend, resume, complete, pull, remove."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from connectors.values import PartyId
from hub.onboarding.desk import Desk
from hub.onboarding.invitations import invite
from hub.operator import actions, resync, shapes, views
from hub.operator.answers import answer, failure
from hub.operator.editing import edited
from hub.operator.operations import Asked, Operation, Operations
from hub.operator.pages import PageQuery, cut, page
from hub.operator.policies import of_party
from hub.operator.requests import Complete, Invite, Nothing, Pull
from hub.pulling import progress
from hub.pulling.puller import HUBS
from routing import complete
from routing.asked import read as read_asked
from routing.directory import Platform
from routing.store.port import Store

Plain = Asked[Nothing, Nothing]


class Parties:
    """The handlers. Raises what `hub.operator.app` turns into sentences."""

    def __init__(self, desk: Desk, store: Store) -> None:
        self._desk = desk
        self._store = store

    def operations(self) -> Operations:
        """All of this part."""
        one = "/api/parties/{country_code}/{party_id}"
        shown = shapes.PartyShown
        return (
            Operation("POST", "/api/parties/invite", self._invite, Invite, Nothing, shapes.Invited, 201, (409,)),
            Operation("GET", "/api/parties", self._list, Nothing, PageQuery, shapes.PartyPage),
            Operation("GET", one, self._show, Nothing, Nothing, shown, also=(404,)),
            Operation("POST", f"{one}/suspend", self._suspend, Nothing, Nothing, shown, also=(404, 409)),
            Operation("POST", f"{one}/resume", self._resume, Nothing, Nothing, shown, also=(404, 409)),
            Operation("POST", f"{one}/complete", self._complete, Complete, Nothing, shown, also=(404,)),
            Operation("POST", f"{one}/pull", self._pull, Pull, Nothing, shown, also=(404, 409)),
            Operation("POST", f"{one}/remove", self._remove, Nothing, Nothing, shown, also=(404, 409)),
        )

    async def _invite(self, asked: Asked[Invite, Nothing]) -> web.Response:
        """Invite a platform to register these parties."""
        credential = await invite(self._desk, [(one.party(), one.role) for one in asked.body.parties])
        return answer({"token": credential, "versions_url": self._desk.identity.versions_url}, status=201)

    async def _list(self, asked: Asked[Nothing, PageQuery]) -> web.Response:
        """A row for each party and role; the filter looks at party, role, name and status, or is a platform's id."""
        directory = self._desk.registry.directory
        rows = views.rows(directory.platforms.values(), asked.query.filter, directory.beyond)
        return page(asked.request, "parties", cut(rows, asked.query), len(rows), asked.query)

    async def _show(self, asked: Plain) -> web.Response:
        """All of one party: its platforms, roles, endpoints, settings, and what it has to be resynced with."""
        return await self._shown(asked.party)

    async def _shown(self, party: PartyId) -> web.Response:
        platforms = list(self._desk.registry.directory.platforms.values())
        marks, since = await self._store.load_marks(), await complete.since(self._store, party)
        pulls, asked = await progress.read(self._store), await progress.asked(self._store)
        directory = self._desk.registry.directory
        delivery = of_party(directory.policies, party)
        resyncs = [resync.told(one, marks, directory) for one in await read_asked(self._store, party)]
        custody = await self._store.count_custody()
        shown = views.shown(
            party,
            platforms,
            marks,
            since,
            pulls,
            asked,
            delivery=delivery,
            resyncs=resyncs,
            custody=custody,
            beyond=directory.beyond,
        )
        return _unknown(party) if shown is None else answer(shown)

    def _elsewhere(self, party: PartyId) -> web.Response:
        """Why nothing is done about a party that is not here itself."""
        for hosted in self._desk.registry.directory.hosted(party):
            if hosted.party.behind is not None:
                return failure(
                    409,
                    f"{party} is behind the hub {hosted.party.behind}: deny it by an agreement, or do this "
                    f"to {hosted.party.behind}",
                )
        return _unknown(party)

    async def _suspend(self, asked: Plain) -> web.Response:
        """Block a party: it can neither call nor be called, and is shown as OFFLINE."""
        return await self._block(asked, on=True)

    async def _resume(self, asked: Plain) -> web.Response:
        """End a suspension."""
        return await self._block(asked, on=False)

    async def _block(self, asked: Plain, *, on: bool) -> web.Response:
        party, now = asked.party, self._desk.registry.now()
        hosts = self._of(lambda platform: actions.hosts(platform, party))
        if not hosts:
            if self._of(lambda platform: actions.concerns(platform, party)):
                return failure(409, f"{party} is invited and has not registered yet; remove withdraws its invitation")
            return self._elsewhere(party)
        for platform in hosts:
            await self._change(asked, platform, lambda current: actions.suspended(current, party, on=on, now=now))
        return await self._shown(party)

    async def _complete(self, asked: Asked[Complete, Nothing]) -> web.Response:
        """Say that the hub has all that a party owns of some modules, since all of it is pushed; or take that back."""
        party, modules = asked.party, asked.body.modules or complete.MODULES
        known = self._desk.registry.directory.hosted(party)
        if not known and not self._of(lambda platform: actions.concerns(platform, party)):
            return _unknown(party)
        if asked.body.complete:
            await complete.declare(self._store, party, modules, self._desk.registry.now())
        else:
            await complete.undo(self._store, party, modules)
        return await self._shown(party)

    async def _pull(self, asked: Asked[Pull, Nothing]) -> web.Response:
        """Have the lists of a party's platforms read anew; how far that is, is told by every look at the party."""
        party, modules = asked.party, asked.body.modules or progress.PULLED
        hosts = self._of(lambda platform: actions.hosts(platform, party))
        lists: list[tuple[str, str]] = [
            (platform.id, module) for platform in hosts for module in modules
            if any(owner.id == party for owner in progress.owners_of(platform, module))
        ]  # fmt: skip
        if not asked.body.modules:
            lists += [(one.id, HUBS) for one in hosts if one.in_front is not None and one.in_front.id == party]
        if not lists:
            if not self._of(lambda platform: actions.concerns(platform, party)):
                return self._elsewhere(party)
            return failure(409, f"{party} offers no list of {', '.join(modules)} that it owns")
        for platform, module in lists:
            await progress.ask(self._store, platform, module, self._desk.registry.now())
        return await self._shown(party)

    async def _remove(self, asked: Plain) -> web.Response:
        """Remove a party for good, or withdraw its invitation; it stays listed as SUSPENDED."""
        party, now = asked.party, self._desk.registry.now()
        hosts = self._of(lambda platform: actions.concerns(platform, party))
        if not hosts:
            return self._elsewhere(party)
        for platform in hosts:
            await self._change(asked, platform, lambda current: actions.removed(current, party, now=now))
        await complete.undo(self._store, party, complete.MODULES)
        return await self._shown(party)

    def _of(self, which: Callable[[Platform], bool]) -> list[Platform]:
        return [platform for platform in self._desk.registry.directory.platforms.values() if which(platform)]

    async def _change(self, asked: Plain, platform: Platform, decide: Callable[[Platform], Platform]) -> Platform:
        return await edited(self._desk, asked.request, platform, decide)


def _unknown(party: PartyId) -> web.Response:
    return failure(404, f"the hub does not know the party {party}")
