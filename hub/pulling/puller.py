"""Has the lists of every platform read, by one process at a time: after its registration, on demand, once a day.

A platform is read by a task of its own, one list after the other, so one that is slow or away keeps no other waiting
(promise 3). Nobody who is OFFLINE is asked; it is read on once it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Protocol

import structlog

from connectors.errors import OcpiError
from connectors.values import Module, PartyId
from hub.pulling import progress
from hub.pulling.progress import PULLED, Plan, Progress, Whose
from hub.pulling.reader import Reader
from routing import complete
from routing.clock import Clock
from routing.directory import Directory, Platform, Status
from routing.getall import OWN
from routing.leases import while_held
from routing.log.port import LogError
from routing.store.port import Lease, Store, StoreError

log = structlog.get_logger(__name__)

LEASE: Final = "pulling"
AT_ONCE: Final = 16
"""Platforms that are read at once; the others have their turn."""
HUBS: Final = Module.HUBCLIENTINFO.value
"""The list of those behind a hub, beside those of objects."""
_LOOK_SECONDS: Final = 1.0
_BROKE_SECONDS: Final = 30.0

_Key = tuple[str, str]


class Known(Protocol):
    """The directory as this process sees it (hub/registry)."""

    @property
    def directory(self) -> Directory: ...


class Hubs(Protocol):
    """Reads who is behind another hub (hub/clientinfo/behind)."""

    async def pull(self, id: str, so_far: Progress, lease: Lease) -> Progress: ...


class Puller:
    """`run` it in every process: whoever holds the lease reads. `name` is the process's own.

    Without `first` nothing is read after a registration, only on demand; `daily` has what changed read once a day.
    Who is behind another hub is `behind`'s to read, always and once a day.
    """

    def __init__(
        self,
        store: Store,
        registry: Known,
        reader: Reader,
        clock: Clock,
        *,
        name: str,
        first: bool,
        daily: bool,
        behind: Hubs | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._reader = reader
        self._clock = clock
        self._name = name
        self._first = first
        self._daily = daily
        self._behind = behind
        self._readers: tuple[Directory | None, tuple[str, ...]] = None, ()

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            try:
                await while_held(self._store, LEASE, self._name, self._pull, clock=self._clock)
            except Exception:
                log.exception("pulling_broke")
                await asyncio.sleep(_BROKE_SECONDS)

    async def _pull(self, lease: Lease) -> None:
        reading: dict[str, asyncio.Task[None]] = {}
        known: dict[_Key, Progress] | None = None
        try:
            while True:
                for id in [id for id, task in reading.items() if task.done()]:
                    reading.pop(id).result()  # LeaseLost, StoreAway
                    known = None
                if known is None:  # only those tasks write it, each of a platform that is not looked at meanwhile
                    known = await progress.read(self._store)
                asked = await progress.asked(self._store)
                await self._forget(known)
                for platform in self._registry.directory.platforms.values():
                    if len(reading) >= AT_ONCE:
                        break
                    if platform.id not in reading and self._due(platform, known, asked):
                        reading[platform.id] = asyncio.create_task(
                            self._read(platform.id, known, asked, lease), name=f"pull-{platform.id}"
                        )
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            for task in reading.values():
                task.cancel()
            await asyncio.gather(*reading.values(), return_exceptions=True)

    def _due(
        self, platform: Platform, known: Mapping[_Key, Progress], asked: Mapping[_Key, int]
    ) -> dict[str, tuple[Plan, Whose]]:
        """By module what is to be done about a platform's lists, and whose they are."""
        if not platform.registered or platform.status in (Status.OFFLINE, Status.SUSPENDED):
            return {}
        found: dict[str, tuple[Plan, Whose]] = {}
        if self._behind is not None and platform.in_front is not None:
            key, nobody = (platform.id, HUBS), Whose(())
            plan = progress.due(known.get(key), asked.get(key), nobody, self._clock.utc(), daily=True)
            if plan is not None:
                found[HUBS] = plan, nobody
        for module in PULLED:
            whose = progress.whose(platform, module, self._readers_now())
            key = platform.id, module.value
            so_far, wanted = known.get(key), asked.get(key)
            if not whose.owners or (so_far is None and wanted is None and not self._first):
                continue
            plan = progress.due(so_far, wanted, whose, self._clock.utc(), daily=self._daily)
            if plan is Plan.RESUME and so_far is not None and self._anew(key, so_far):
                plan = Plan.WHOLE
            if plan is not None:
                found[module.value] = plan, whose
        return found

    def _readers_now(self) -> tuple[str, ...]:
        """For whom lists are read, found once a directory: each look asks it of every platform."""
        directory = self._registry.directory
        if self._readers[0] is not directory:
            self._readers = directory, progress.readers(directory)
        return self._readers[1]

    def _anew(self, key: _Key, so_far: Progress) -> bool:
        """Whether what was read so far is not known here, though what the list lacks is to be told by it."""
        if key[1] in OWN:
            return False
        return so_far.since is None and so_far.whole is not None and not self._reader.remembers(*key, so_far)

    async def _read(self, id: str, known: Mapping[_Key, Progress], asked: Mapping[_Key, int], lease: Lease) -> None:
        """What is due of one platform. Raises LeaseLost, StoreAway."""
        platform = self._registry.directory.platforms[id]
        for module, (plan, whose) in self._due(platform, known, asked).items():
            so_far = known.get((id, module))
            if so_far is None or plan is not Plan.RESUME:
                so_far = progress.begun(so_far, plan, whose, self._clock.utc())
                await progress.write(self._store, id, module, so_far, lease)
            try:
                if module == HUBS and self._behind is not None:
                    ended = await self._behind.pull(id, so_far, lease)
                else:
                    ended = await self._reader.read(id, module, so_far, lease)
                log.info("list_pulled", platform=id, module=module, objects=ended.objects, gone=ended.gone)
            except (OcpiError, LogError) as error:
                reason = error.message if isinstance(error, OcpiError) else f"the log does not take it: {error}"
                log.warning("list_not_pulled", platform=id, module=module, reason=reason)
                await self._failed(id, module, reason, lease)
            except StoreError:
                raise
            except Exception as error:  # one platform that breaks its reader must not keep the others waiting
                log.exception("list_broke", platform=id, module=module)
                await self._failed(id, module, f"the hub failed at this: {type(error).__name__}", lease)

    async def _failed(self, id: str, module: str, reason: str, lease: Lease) -> None:
        so_far = (await progress.read(self._store)).get((id, module))
        if so_far is not None:
            failed = replace(so_far, failures=so_far.failures + 1, reason=reason[:500], tried=self._clock.utc())
            await progress.write(self._store, id, module, failed, lease)

    async def _forget(self, known: dict[_Key, Progress]) -> None:
        """Who is not registered any more is read anew once it is again."""
        platforms = self._registry.directory.platforms
        for (id, module), so_far in list(known.items()):
            platform = platforms.get(id)
            if platform is not None and platform.registered:
                continue
            del known[id, module]
            for owner in so_far.owners:
                await complete.forget_pulled(self._store, PartyId.parse(owner), module)
            await progress.forget(self._store, id, module)
