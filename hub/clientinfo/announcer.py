"""Tells every platform what changed of the others: PUT on its hubclientinfo RECEIVER, by one process at a time.

What was told, and what of it was taken, is durable, so neither a restart nor another process tells it again. Each
platform is told by a task of its own, always the newest status, so one that hangs keeps nobody waiting (promise 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Protocol

import orjson
import structlog
from uuid_utils import uuid7

from connectors import headers
from connectors.errors import OcpiError
from connectors.values import InterfaceRole, Module, Role
from hub.clientinfo import told
from hub.edge.ports import Outbound
from routing.clientinfo import Client, Told, shown_to, told_now
from routing.clock import Clock
from routing.directory import Directory, Hosted, Platform, Status
from routing.leases import while_held
from routing.outbound import accept, headers_of, target
from routing.policy import ended
from routing.store.port import Lease, Store

log = structlog.get_logger(__name__)

LEASE: Final = "clientinfo"
_WITHIN: Final = 10.0
_BACKOFF: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_GATHER_SECONDS: Final = 0.2
_OPERATING: Final = frozenset((Role.CPO, Role.NAP))


class Known(Protocol):
    """The directory as this process sees it (hub/registry)."""

    @property
    def directory(self) -> Directory: ...

    def authorization_for(self, platform: Platform) -> str: ...

    def follow(self, changed: Callable[[], None]) -> None: ...


class Announcer:
    """`run` it in every process: whoever holds the lease tells. `name` is the process's own."""

    def __init__(self, store: Store, registry: Known, client: Outbound, clock: Clock, *, name: str) -> None:
        self._store = store
        self._registry = registry
        self._client = client
        self._clock = clock
        self._name = name
        self._changed = asyncio.Event()
        registry.follow(self._changed.set)

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            try:
                await while_held(self._store, LEASE, self._name, self._announce, clock=self._clock)
            except Exception:
                log.exception("clientinfo_broke")
                await asyncio.sleep(_BACKOFF[-1])

    async def _announce(self, lease: Lease) -> None:
        viewers: dict[str, Viewer] = {}
        try:
            while True:
                self._changed.clear()
                directory = self._registry.directory
                registered = {id: one for id, one in directory.platforms.items() if one.registered}
                for id in viewers.keys() - registered.keys():
                    viewers.pop(id).end()
                for id in registered:
                    if id not in viewers:
                        viewers[id] = viewer = Viewer(id, lease, self._store, self._registry, self._client, self._clock)
                        viewer.task.add_done_callback(lambda _: self._changed.set())
                    viewers[id].look()
                await self._changed.wait()
                await asyncio.sleep(_GATHER_SECONDS)
                for viewer in viewers.values():
                    viewer.check()
        finally:
            for viewer in viewers.values():
                viewer.end()
            await asyncio.gather(*(viewer.task for viewer in viewers.values()), return_exceptions=True)


class Viewer:
    """One platform that is told, by a task of its own."""

    def __init__(self, id: str, lease: Lease, store: Store, registry: Known, client: Outbound, clock: Clock) -> None:
        self._id = id
        self._lease = lease
        self._store = store
        self._registry = registry
        self._client = client
        self._clock = clock
        self._looking = asyncio.Event()
        self._failures = 0
        self.task = asyncio.create_task(self._run(), name=f"clientinfo-{id}")

    def look(self) -> None:
        """The directory changed: see whether this platform is to be told of something."""
        self._looking.set()

    def end(self) -> None:
        self.task.cancel()

    def check(self) -> None:
        """Raises what ended the task: LeaseLost, StoreAway."""
        if self.task.done() and not self.task.cancelled():
            self.task.result()

    async def _run(self) -> None:
        known = await told.read(self._store, self._id)
        while True:
            self._looking.clear()
            directory = self._registry.directory
            viewer = directory.platforms[self._id]
            known = await self._bring_up_to_date(known, directory, viewer)
            known, all_taken = await self._tell(known, directory, viewer)
            pause = None if all_taken else _BACKOFF[min(self._failures, len(_BACKOFF)) - 1]
            try:
                async with asyncio.timeout(pause):
                    await self._looking.wait()
            except TimeoutError:
                continue

    async def _bring_up_to_date(
        self, known: dict[Client, Told], directory: Directory, viewer: Platform
    ) -> dict[Client, Told]:
        current = told_now(known, shown_to(directory, viewer), self._clock.utc())
        if current != known:
            await told.write(self._store, self._id, current, self._lease)
        return current

    async def _tell(
        self, known: dict[Client, Told], directory: Directory, viewer: Platform
    ) -> tuple[dict[Client, Told], bool]:
        """What is taken now, and whether that is all there is to tell; one failure ends the round."""
        if viewer.endpoint(Module.HUBCLIENTINFO, InterfaceRole.RECEIVER) is None:
            return known, True  # it reads the list itself
        if viewer.status in (Status.OFFLINE, Status.SUSPENDED):
            return known, True  # told once it is back
        current = dict(known)
        for client in _in_order(known, viewer):
            if directory is not self._registry.directory:
                break  # something newer may be to be told
            if not await self._put(viewer, client, known[client]):
                self._failures += 1
                break
            self._failures = 0
            current[client] = replace(known[client], taken=True)
        if current != known:
            await told.write(self._store, self._id, current, self._lease)
        return current, all(one.taken for one in current.values())

    async def _put(self, viewer: Platform, client: Client, one: Told) -> bool:
        """Whether that is done: taken, or refused for good."""
        to = Hosted(viewer, viewer.parties[0])
        sent = {
            "Authorization": self._registry.authorization_for(viewer),
            "Content-Type": "application/json",
            **headers_of(viewer),
            headers.REQUEST_ID: str(uuid7()),
            headers.CORRELATION_ID: str(uuid7()),
        }
        try:
            url = target(viewer, Module.HUBCLIENTINFO, InterfaceRole.RECEIVER, tuple(client.party), "")
            body = orjson.dumps(told.client_info(client, one))
            outcome = ended(accept(await self._client.send("PUT", url, sent, body, within=_WITHIN), to))
        except OcpiError as error:
            log.debug("clientinfo_not_told", platform=viewer.id, party=str(client.party), reason=error.message)
            return False
        return outcome is not None


def _in_order(known: Mapping[Client, Told], viewer: Platform) -> list[Client]:
    """What is not taken yet; of one party in two roles the one that the viewer deals with last, since that stays."""
    operating = any(party.role in _OPERATING for party in viewer.parties if not party.removed)
    waiting = [client for client, one in known.items() if not one.taken]
    return sorted(waiting, key=lambda client: (client.party, (client.role in _OPERATING) is not operating))
