"""Reports what this process sees; in the one that holds the lease, concludes who is OFFLINE and asks who is silent.

What every process saw lies in the store's small facts under `seen/` and the process's name. The holder reads them
once a second; every change of a status is a change of the directory, which all processes follow.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from hub.connection.living import SEEN
from hub.connection.probing import Probing
from hub.connection.seen import Changing, Seen, offline
from routing.clock import Clock
from routing.connection import Signs, decode, encode, is_doubtful, is_offline, together
from routing.directory import Platform, Status
from routing.leases import while_held
from routing.store.port import Lease, Store, StoreError

log = structlog.get_logger(__name__)

LEASE: Final = "connection"
EVERY_SECONDS: Final = 1.0
PROBE_SECONDS: Final = 5.0
STALE_MS: Final = 600_000
"""A process that said nothing for so long is gone, and its report with it."""
REPEAT_MS: Final = 10_000
"""A process with nothing new says so now and then: the others count those that are there (living.py)."""


class Watching:
    """`run` it in every process. `silent_seconds`: a platform of which nothing was seen for so long is asked. `sends`:
    this process sends to platforms, whatever else it does."""

    def __init__(
        self,
        store: Store,
        registry: Changing,
        seen: Seen,
        probing: Probing,
        clock: Clock,
        *,
        name: str,
        silent_seconds: float,
        sends: bool = True,
    ) -> None:
        self._store = store
        self._registry = registry
        self._seen = seen
        self._probing = probing
        self._clock = clock
        self._name = name
        self._sends = sends
        self._silent_ms = int(silent_seconds * 1000)
        self._reported = 0
        self._asked: dict[str, float] = {}

    async def run(self) -> None:
        """Runs until it is cancelled."""
        watching = asyncio.create_task(self._watch(), name="connection-lease")
        try:
            while True:
                await asyncio.sleep(EVERY_SECONDS)
                await self.report()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def report(self) -> None:
        """Tell the others what is new here, or once in a while that nothing is."""
        now = self._clock.utc()
        self._seen.forget(set(self._registry.directory.platforms))
        seen = self._seen.report()
        if seen is None and now - self._reported < REPEAT_MS:
            return
        if seen is None:
            self._seen.again()
            seen = self._seen.report() or {}
        try:
            await self._store.set_meta(SEEN + self._name, encode(seen, now, sends=self._sends))
            self._reported = now
        except StoreError:
            self._seen.again()

    async def end(self) -> None:
        """This process sends no more, and what it saw still counts."""
        self._sends = False
        self._seen.again()
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_SECONDS):
                await self.report()

    async def _watch(self) -> None:
        while True:
            try:
                await while_held(self._store, LEASE, self._name, self._conclude_often, clock=self._clock)
            except Exception:
                log.exception("connection_broke")
                await asyncio.sleep(PROBE_SECONDS)

    async def _conclude_often(self, lease: Lease) -> None:
        del lease  # two that conclude at once conclude the same
        since = self._clock.utc()
        while True:
            await self.conclude(since)
            await asyncio.sleep(EVERY_SECONDS)

    async def conclude(self, since: int) -> None:
        """Read what all saw, and act on it once. Before `since`, UTC ms, nobody was watched. Raises StoreError."""
        now = self._clock.utc()
        reports: list[dict[str, Signs]] = []
        for name, value in (await self._store.list_meta(SEEN)).items():
            at, seen = decode(value)
            if now - at > STALE_MS:
                await self._store.remove_meta(name)
            else:
                reports.append(seen)
        for platform in self._registry.directory.platforms.values():
            if platform.removed or not platform.registered or platform.status is Status.SUSPENDED:
                continue
            signs = together([Signs(since), *(seen[platform.id] for seen in reports if platform.id in seen)])
            await self._judge(platform, signs, now)

    async def _judge(self, platform: Platform, signs: Signs, now: int) -> None:
        if platform.status is Status.CONNECTED and is_offline(signs):
            await self._registry.change(platform.id, offline)
            log.warning("platform_is_offline", platform=platform.id, failures=len(signs.failed))
        if platform.status is Status.OFFLINE or is_doubtful(signs, now, silent=self._silent_ms):
            asked = self._asked.get(platform.id, float("-inf"))
            if self._clock.monotonic() - asked >= PROBE_SECONDS:
                self._asked[platform.id] = self._clock.monotonic()
                self._probing.soon(platform)
