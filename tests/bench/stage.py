"""The stand-in's platforms as the benchmark drives them, and their registration with a hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import orjson

from tests.bench.bodies import CPO, EMSP
from tests.bench.hubs import Hub
from tests.bench.processes import Process, process
from tests.bench.servers import Bench

Parties = list[tuple[str, str, str]]

CPO_PLATFORM: Parties = [(*CPO, "CPO")]
EMSP_PLATFORM: Parties = [(*EMSP, "EMSP")]


def recipients(count: int) -> dict[str, Parties]:
    """So many eMSP platforms with a party each."""
    return {f"recipient-{at:02}": [("DE", f"R{at:02}", "EMSP")] for at in range(count)}


class UpstreamFailed(Exception):
    """The stand-in did not do what it was told; the sentence is its own."""


class Upstream:
    """The process of `tests.bench.upstream`: commands go in, answers come out, one at a time."""

    def __init__(self, running: Process) -> None:
        self._running = running
        self._turn = asyncio.Lock()

    async def open(self, name: str, parties: Parties, *, silent: bool = False, hangs: bool = False) -> int:
        """A new platform, which answers no GET if it is `silent`, nothing but its versions if it `hangs`; its port."""
        port: int = (await self._do("open", name=name, parties=parties, silent=silent, hangs=hangs))["port"]
        return port

    async def register(self, name: str, hub: Hub, parties: Parties) -> str:
        """Invite and register a platform that is open; the credential of its calls."""
        versions_url, token = await hub.invite(parties)
        done = await self._do("register", name=name, versions_url=versions_url, token=token)
        credential: str = done["credential"]
        return credential

    async def join(self, hub: Hub, name: str, parties: Parties, *, silent: bool = False, hangs: bool = False) -> str:
        """A new platform, registered; the credential of its calls."""
        await self.open(name, parties, silent=silent, hangs=hangs)
        return await self.register(name, hub, parties)

    async def behind(self, names: Collection[str], expected: dict[str, str]) -> int:
        """Of how many objects these platforms have not the last state, over all of them."""
        return sum((await self._do("behind", names=list(names), expected=expected)).values())

    async def delays(self, names: Collection[str], sent: dict[str, float]) -> list[float]:
        """Milliseconds from when each push was sent until each of these had it, of those that came since the last time.

        By the marker of its body `sent` says when, seconds by perf_counter, which all processes of a machine share.
        """
        found: list[float] = (await self._do("delays", names=list(names), sent=sent))["ms"]
        return found

    async def counts(self) -> dict[str, int]:
        """How many calls each platform has had."""
        return await self._do("counts")

    async def _do(self, what: str, **given: Any) -> dict[str, Any]:
        running = self._running.running
        if running.stdin is None or running.stdout is None:
            raise UpstreamFailed("the stand-in has no pipes")
        async with self._turn:
            running.stdin.write(orjson.dumps({"do": what, **given}) + b"\n")
            await running.stdin.drain()
            line = await running.stdout.readline()
        if not line:
            raise self._running.failed("it gave no answer")
        answer: dict[str, Any] = orjson.loads(line)
        if "error" in answer:
            raise UpstreamFailed(answer["error"])
        return answer


@asynccontextmanager
async def upstream(bench: Bench) -> AsyncIterator[Upstream]:
    """The stand-in, without a platform yet."""
    command = ("-m", "tests.bench.upstream")
    output = bench.folder / "upstream.log"
    async with process("upstream", command, cores=bench.cores.others, output=output, piped=True) as running:
        yield Upstream(running)
