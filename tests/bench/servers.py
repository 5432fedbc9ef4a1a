"""What is measured, each in a process of its own on the tested core: the hub, and its references."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe

from tests.bench.engines import Engines
from tests.bench.fleet import Fleet, fleet
from tests.bench.hubs import Hub, Server
from tests.bench.machine import Cores, free_port
from tests.bench.processes import ROOT, process


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a benchmark runs: its cores, and a folder on the disk of the checkout for everything that is durable."""

    cores: Cores
    folder: Path
    engines: Engines

    @asynccontextmanager
    async def hub(
        self,
        name: str,
        prepare: Callable[[Path], Awaitable[None]] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Hub]:
        """`ocpi-hub serve` with a data folder of its own, ready.

        `prepare` may fill the folder before the start, `settings` are variables above those of every figure.
        """
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
            "HUB_PULL": "false",
            "HUB_ALLOW_NETWORKS": "127.0.0.0/8",
            "HUB_PARTY": "NL-HUB",
            "HUB_PLATFORM_CALLS_PER_SECOND": "1000000",  # what is measured is the hub, not what it lets one platform do
            **(settings or {}),
        }
        command = ("-m", "hub.cli.main", "serve")
        output = self.folder / f"{name}.log"
        async with process(name, command, cores=self.cores.tested, output=output, environment=environment) as running:
            hub = Hub(port, running, operator, key)
            await hub.ready()
            yield hub
        shutil.rmtree(data, ignore_errors=True)

    @asynccontextmanager
    async def fleet(self, name: str) -> AsyncIterator[Fleet]:
        """A hub on Kafka and MongoDB with one edge, ready, and no worker yet."""
        async with fleet(name, self.cores, self.folder, self.engines) as made:
            yield made

    @asynccontextmanager
    async def proxy(self, upstream_port: int) -> AsyncIterator[Server]:
        """The bare reverse proxy in front of this port."""
        port = free_port()
        command = ("-m", "tests.bench.reference_proxy", str(port), f"http://127.0.0.1:{upstream_port}")
        async with self._server("reference_proxy", command, port) as server:
            yield server

    @asynccontextmanager
    async def accepting(self, authorization: str, *, kafka: bool = False) -> AsyncIterator[Server]:
        """The accepting reference, which knows this Authorization header and writes to a file, or to Kafka."""
        port, folder = free_port(), self.folder / "reference_accept"
        digest = sha256(authorization.encode()).hexdigest()
        where = str(folder)
        if kafka:
            await self.engines.start()
            where = f"kafka://{self.engines.bootstrap}"
        command = ("-m", "tests.bench.reference_accept", str(port), where, digest)
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
    engines = Engines(folder / "engines")
    try:
        yield Bench(cores, folder, engines)
    finally:
        await engines.close()
        shutil.rmtree(folder, ignore_errors=True)
