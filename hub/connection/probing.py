"""Asks a platform whether it is there: GET on its versions URL, which changes nothing (OCPI 2.2.1, 14.3)."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from uuid_utils import uuid7

from connectors import headers
from connectors.errors import OcpiError
from hub.connection.seen import Seen
from hub.edge.ports import Outbound
from routing.clock import Clock
from routing.directory import Platform, Status
from routing.outbound import headers_of

WITHIN: Final = 5.0
APART_SECONDS: Final = 1.0
"""Between two of one process that callers brought about."""


class Authorizing(Protocol):
    def authorization_for(self, platform: Platform) -> str: ...


class Probing:
    """What comes of it is a sign of life or a failure, like those of calls."""

    def __init__(self, client: Outbound, registry: Authorizing, seen: Seen, clock: Clock) -> None:
        self._client = client
        self._registry = registry
        self._seen = seen
        self._clock = clock
        self._last: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[bool]] = {}

    async def ask(self, platform: Platform) -> bool:
        """Whether it answered; whatever it says but an error of its server shows that it is there."""
        sent = {
            "Authorization": self._registry.authorization_for(platform),
            **headers_of(platform),
            headers.REQUEST_ID: str(uuid7()),
            headers.CORRELATION_ID: str(uuid7()),
        }
        try:
            answer = await self._client.send("GET", platform.versions_url, sent, None, within=WITHIN)
        except OcpiError:
            self._seen.failed(platform)
            return False
        if answer.http_status >= 500:
            self._seen.failed(platform)
            return False
        self._seen.alive(platform)
        return True

    def soon(self, platform: Platform) -> None:
        """Ask beside everything else, unless that is under way, or was done a moment ago. Nobody waits for it."""
        now = self._clock.monotonic()
        if platform.id in self._asking or now - self._last.get(platform.id, float("-inf")) < APART_SECONDS:
            return
        self._last[platform.id] = now
        task = asyncio.create_task(self._ask(platform), name=f"probe {platform.id}")
        self._asking[platform.id] = task
        task.add_done_callback(lambda _: self._asking.pop(platform.id, None))

    async def _ask(self, platform: Platform) -> bool:
        try:
            return await self.ask(platform)
        except OcpiError:  # it has no credential of the hub's
            return False

    def away(self, platform: Platform | None) -> None:
        """Somebody was refused because this platform is OFFLINE."""
        if platform is not None and platform.status is Status.OFFLINE:
            self.soon(platform)

    async def close(self) -> None:
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
