"""A hub of many processes on Kafka and MongoDB: one edge, and workers that come and go, all on the tested core."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from secrets import token_bytes, token_urlsafe

from tests.bench.engines import Engines
from tests.bench.hubs import Hub, Server
from tests.bench.machine import Cores, free_port
from tests.bench.processes import Process, Together, process

_CLI = ("-m", "hub.cli.main")
_TOPICS_SECONDS = 120.0


class Fleet:
    """`edge` takes the calls and has the operator's ways; `worker` begins a worker."""

    def __init__(self, name: str, cores: Cores, folder: Path, engines: Engines) -> None:
        self.name = name
        self.log = engines.log(name)
        self.store = engines.store(name)
        self.edge: Hub
        self._cores = cores
        self._folder = folder
        self._common = {
            "HUB_LOG": self.log,
            "HUB_STORE": self.store,
            "HUB_KEYS": f"bench:{b64encode(token_bytes(32)).decode()}",
            "HUB_ALLOW_NETWORKS": "127.0.0.0/8",
            "HUB_PARTY": "NL-HUB",
            "HUB_PLATFORM_CALLS_PER_SECOND": "1000000",  # what is measured is the hub, not what it lets one platform do
        }

    async def make_topics(self) -> None:
        """The topics of this hub. Raises DidNotStart."""
        command = (*_CLI, "topics", "create", "--single-node")
        async with self._process("topics", command, {}) as running:
            if await running.ended(_TOPICS_SECONDS):
                raise running.failed("its topics were not made")

    @asynccontextmanager
    async def begun(self, what: str, name: str, *, public: str | None = None) -> AsyncIterator[Hub]:
        """A process of this hub (`edge` or `worker`), not ready yet; ended in order at the end."""
        port, operator, key = free_port(), free_port(), token_urlsafe(32)
        environment = {
            "HUB_PORT": str(port),
            "HUB_OPERATOR_PORT": str(operator),
            "HUB_OPERATOR_KEY": key,
            "HUB_PUBLIC_URL": public or f"http://127.0.0.1:{port}",
            "HUB_PULL": "false",
        }
        async with self._process(name, (*_CLI, what), environment) as running:
            yield Hub(port, running, operator, key)

    @asynccontextmanager
    async def worker(self, name: str) -> AsyncIterator[Hub]:
        """One more worker, ready."""
        async with self.begun("worker", name, public=f"http://127.0.0.1:{self.edge.port}") as worker:
            await worker.ready()
            yield worker

    def served_by(self, *workers: Hub) -> Server:
        """The edge and these workers as one server."""
        return Server(self.edge.port, Together(self.edge.process, *(worker.process for worker in workers)))

    @asynccontextmanager
    async def _process(
        self, name: str, command: tuple[str, ...], environment: dict[str, str]
    ) -> AsyncIterator[Process]:
        name = f"{self.name}-{name}"
        data = self._folder / name
        data.mkdir(parents=True, mode=0o700, exist_ok=True)
        environment = self._common | environment | {"HUB_DATA": str(data)}
        output = self._folder / f"{name}.log"
        async with process(name, command, cores=self._cores.tested, output=output, environment=environment) as running:
            yield running


@asynccontextmanager
async def fleet(name: str, cores: Cores, folder: Path, engines: Engines) -> AsyncIterator[Fleet]:
    """A hub of this name with topics and a database of its own, and its edge ready; no worker yet."""
    await engines.start()
    made = Fleet(name, cores, folder, engines)
    await made.make_topics()
    async with AsyncExitStack() as stack:
        made.edge = await stack.enter_async_context(made.begun("edge", "edge"))
        await made.edge.ready()
        yield made
