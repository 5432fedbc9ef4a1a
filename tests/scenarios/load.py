"""A steady load of calls of which none may fail: relays both ways, and broadcasts whose newest states must arrive."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Final

from connectors.sample import NoAnswer, SamplePlatform
from connectors.sample.client import SampleAnswer
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, SENDER, eventually, got, party_of

LOCATIONS: Final = 4
_PAUSE: Final = 0.03


class Load:
    """`answered` counts what was answered well; `wrong` says what was not, and `cut` counts what had no answer."""

    def __init__(self, cpo: SamplePlatform, *emsps: SamplePlatform) -> None:
        self.answered = self.cut = 0
        self.wrong: list[object] = []
        self._cpo, self._emsps = cpo, emsps
        self._last: dict[str, str] = {}
        self._over = asyncio.Event()

    async def relay(self, platform: SamplePlatform, to: SamplePlatform, module: str) -> None:
        """One GET after the other."""
        while not self._over.is_set():
            await self._judge(platform.call("GET", module, SENDER, to=party_of(to)))
            await asyncio.sleep(_PAUSE)

    async def broadcast(self) -> None:
        """One state of a location after the other; each has a number."""
        body = bodies.location(party_of(self._cpo))
        for number in itertools.count():
            if self._over.is_set():
                return
            named = body | {"name": f"state {number:06}"}
            self._last[body["id"]] = named["name"]
            await self._judge(
                self._cpo.call("PUT", "locations", RECEIVER, *party_of(self._cpo), body["id"], to=HUB, body=named)
            )
            await asyncio.sleep(_PAUSE)

    async def _judge(self, call: Awaitable[SampleAnswer]) -> None:
        try:
            answer = await call
        except NoAnswer as error:
            self.cut += 1
            self.wrong.append(error)
            return
        if (answer.http_status, answer.status_code) == (200, 1000):
            self.answered += 1
        else:
            self.wrong.append((answer.http_status, answer.body))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All of it, until this is left."""
        runs = (
            *(self.relay(emsp, self._cpo, "tariffs") for emsp in self._emsps),
            self.relay(self._cpo, self._emsps[0], "tokens"),
            *(self.broadcast() for _ in range(LOCATIONS)),
        )
        working = [asyncio.create_task(run) for run in runs]
        try:
            yield
        finally:
            self._over.set()
            await asyncio.gather(*working)

    async def arrived(self, platform: SamplePlatform) -> None:
        """Wait for the newest state of each location there. Raises AssertionError where an older one came after it."""

        def newest() -> dict[str, str]:
            received = (one.json for one in got(platform, "locations") if one.json["id"] in self._last)
            return {one["id"]: one["name"] for one in received}

        await eventually(lambda: newest() == self._last, within=30)
        for id in self._last:
            seen = [one.json["name"] for one in got(platform, "locations") if one.json["id"] == id]
            assert seen == sorted(seen)
