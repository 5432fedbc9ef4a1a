"""What is measured, each in a process of its own on the tested core: the hub, and its references."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import aiohttp

from tests.bench.machine import Cores, free_port
from tests.bench.processes import ROOT, Process, process

_READY_SECONDS = 60.0
_METRIC = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """A server under measurement: where it takes calls, and its process."""

    port: int
    process: Process


@dataclass(frozen=True, slots=True)
class Hub(Server):
    """A hub under measurement, with the ways of its operator."""

    operator_port: int
    operator_key: str

    async def invite(self, parties: list[tuple[str, str, str]]) -> tuple[str, str]:
        """(versions URL, token) for a platform of these parties."""
        names = ("country_code", "party_id", "role")
        wanted = {"parties": [dict(zip(names, party, strict=True)) for party in parties]}
        given = await self._json("POST", "/api/parties/invite", wanted)
        return given["versions_url"], given["token"]

    async def marks(self) -> int:
        """How many resync marks there are for any party."""
        listed = await self._json("GET", "/api/parties?limit=1000")
        marked: dict[str, int] = {}
        for row in listed["parties"]:
            shown = await self._json("GET", f"/api/parties/{row['country_code']}/{row['party_id']}")
            marked |= {platform["id"]: len(platform["marks"]) for platform in shown["platforms"]}
        return sum(marked.values())

    async def deliveries(self) -> dict[str, float]:
        """Events settled for a recipient since the start, by outcome, from /metrics."""
        text = (await self._call("GET", "/metrics"))[1].decode()
        found: dict[str, float] = {}
        for name, labels, value in _METRIC.findall(text):
            outcome = re.search(r'outcome="(\w+)"', labels)
            if name == "ocpi_hub_deliveries_total" and outcome:
                found[outcome[1]] = found.get(outcome[1], 0) + float(value)
        return found

    async def ready(self) -> None:
        """Wait until /readyz says so. Raises DidNotStart."""
        loop = asyncio.get_running_loop()
        until, last = loop.time() + _READY_SECONDS, ""
        while loop.time() < until and self.process.running.returncode is None:
            try:
                status, text = await self._call("GET", "/readyz")
            except (OSError, aiohttp.ClientError):
                pass
            else:
                if status == 200:
                    self.process.refresh()
                    return
                last = text.decode(errors="replace")
            await asyncio.sleep(0.1)
        raise self.process.failed(f"not ready after {_READY_SECONDS:.0f} s {last}")

    async def _json(self, method: str, path: str, body: object = None) -> Any:
        status, text = await self._call(method, path, body)
        if not 200 <= status < 300:
            raise RuntimeError(f"{method} {path}: HTTP {status}: {text[:500].decode(errors='replace')}")
        return json.loads(text)

    async def _call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        url = f"http://127.0.0.1:{self.operator_port}{path}"
        sent = {"Authorization": f"Bearer {self.operator_key}"}
        timeout = aiohttp.ClientTimeout(total=30)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, url, headers=sent, json=body) as answer,
        ):
            return answer.status, await answer.read()


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a benchmark runs: its cores, and a folder on the disk of the checkout for everything that is durable."""

    cores: Cores
    folder: Path

    @asynccontextmanager
    async def hub(self, name: str, prepare: Callable[[Path], Awaitable[None]] | None = None) -> AsyncIterator[Hub]:
        """`ocpi-hub serve` with a data folder of its own, ready; `prepare` may fill the folder before the start."""
        data = self.folder / name
        data.mkdir(parents=True, mode=0o700)
        if prepare is not None:
            await prepare(data)
        port, operator, key = free_port(), free_port(), token_urlsafe(32)
        environment = {
            "HUB_PORT": str(port),
            "HUB_OPERATOR_PORT": str(operator),
            "HUB_OPERATOR_KEY": key,
            "HUB_DATA": str(data),
            "HUB_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "HUB_ALLOW_NETWORKS": "127.0.0.0/8",
            "HUB_PARTY": "NL-HUB",
        }
        command = ("-m", "hub.cli.main", "serve")
        output = self.folder / f"{name}.log"
        async with process(name, command, cores=self.cores.tested, output=output, environment=environment) as running:
            hub = Hub(port, running, operator, key)
            await hub.ready()
            yield hub
        shutil.rmtree(data, ignore_errors=True)

    @asynccontextmanager
    async def proxy(self, upstream_port: int) -> AsyncIterator[Server]:
        """The bare reverse proxy in front of this port."""
        port = free_port()
        command = ("-m", "tests.bench.reference_proxy", str(port), f"http://127.0.0.1:{upstream_port}")
        async with self._server("reference_proxy", command, port) as server:
            yield server

    @asynccontextmanager
    async def accepting(self, authorization: str) -> AsyncIterator[Server]:
        """The accepting reference, which knows this Authorization header."""
        port, folder = free_port(), self.folder / "reference_accept"
        digest = sha256(authorization.encode()).hexdigest()
        command = ("-m", "tests.bench.reference_accept", str(port), str(folder), digest)
        async with self._server("reference_accept", command, port) as server:
            yield server
        shutil.rmtree(folder, ignore_errors=True)

    @asynccontextmanager
    async def _server(self, name: str, command: tuple[str, ...], port: int) -> AsyncIterator[Server]:
        async with process(name, command, cores=self.cores.tested, output=self.folder / f"{name}.log") as running:
            await running.listening(port)
            yield Server(port, running)


@asynccontextmanager
async def bench(cores: Cores) -> AsyncIterator[Bench]:
    """A folder below the checkout's `.hub/`, removed at the end, and so are those of benchmarks that were killed."""
    for left in (ROOT / ".hub").glob("bench-*"):
        if not Path("/proc", left.name.removeprefix("bench-")).exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = ROOT / ".hub" / f"bench-{os.getpid()}"
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield Bench(cores, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
