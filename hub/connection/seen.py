"""What this process sees of each platform. A call from one that counts as OFFLINE brings it back at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

import structlog

from routing.breaker import Breakers
from routing.clock import Clock
from routing.connection import Signs
from routing.directory import Directory, Platform, Status
from routing.store.port import StoreError

log = structlog.get_logger(__name__)


class Changing(Protocol):
    """The directory as this process sees and changes it (hub/registry)."""

    @property
    def directory(self) -> Directory: ...

    async def change(self, id: str, decide: Decide) -> Platform: ...


class Decide(Protocol):
    def __call__(self, platform: Platform, /) -> Platform: ...


class Seen:
    """Told of every call and attempt, so it does next to nothing; `report` gives what is new."""

    def __init__(self, registry: Changing, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._seen: dict[str, Signs] = {}
        self._alive: dict[str, int] = {}
        self._news = False
        self._returning: dict[str, asyncio.Task[None]] = {}
        self.breakers = Breakers(clock.monotonic)
        """Closed by every sign of life."""

    def alive(self, platform: Platform) -> None:
        """It called, or it answered."""
        self._alive[platform.id] = self._clock.utc()
        self.breakers.close(platform.id)
        if platform.status is Status.OFFLINE and platform.id not in self._returning:
            task = asyncio.create_task(self._return(platform.id), name=f"returning {platform.id}")
            self._returning[platform.id] = task
            task.add_done_callback(lambda _: self._returning.pop(platform.id, None))

    def failed(self, platform: Platform) -> None:
        """An attempt to reach it failed: no connection, or no answer in time."""
        self._take_over(platform.id)
        self._seen[platform.id] = self._seen.get(platform.id, Signs()).failure(self._clock.utc())
        self._news = True

    def report(self) -> dict[str, Signs] | None:
        """What this process saw; None where it is what was reported last."""
        news = self._news or bool(self._alive)
        for id in list(self._alive):
            self._take_over(id)
        self._news = False
        return dict(self._seen) if news else None

    def again(self) -> None:
        """What was reported did not arrive."""
        self._news = True

    def forget(self, known: set[str]) -> None:
        """Keep what was seen of these platforms only."""
        for id in self._seen.keys() - known:
            del self._seen[id]

    def _take_over(self, id: str) -> None:
        if (at := self._alive.pop(id, None)) is not None:
            self._seen[id] = self._seen.get(id, Signs()).sign(at)

    async def _return(self, id: str) -> None:
        try:
            await self._registry.change(id, connected)
        except (StoreError, KeyError) as error:
            log.warning("return_not_stored", platform=id, reason=str(error))
        else:
            log.info("platform_is_back", platform=id)


def connected(platform: Platform) -> Platform:
    """The record of a platform that was OFFLINE and is not any more."""
    return replace(platform, status=Status.CONNECTED) if platform.status is Status.OFFLINE else platform


def offline(platform: Platform) -> Platform:
    """The record of a platform that was CONNECTED and cannot be reached any more."""
    return replace(platform, status=Status.OFFLINE) if platform.status is Status.CONNECTED else platform
