"""Several edges behind a balancer, several workers, a Kafka and a MongoDB: all processes of their own, all mortal."""

from __future__ import annotations

import asyncio
import sys
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from secrets import token_bytes, token_hex, token_urlsafe

from routing.log.kafka.address import KafkaAddress
from tests.chaos.balancer import Balancer
from tests.chaos.hub import ROOT, HubFailed, HubProcess
from tests.chaos.pauses import Pauses
from tests.chaos.peers import owner
from tests.engines.kafka import Kafka
from tests.engines.mongo import Mongo

EDGES = 2
WORKERS = 3
PARTITIONS = 6
SESSION_SECONDS = 2.0
PUBLISH_SECONDS = 1.5


class Fleet:
    """One hub of many processes. Its engines are given, running; its topics and its database are its own."""

    def __init__(
        self, folder: Path, kafka: Kafka, mongo: Mongo, settings: Mapping[str, str], switch: str | None
    ) -> None:
        self.kafka, self.mongo = kafka, mongo
        name = f"chaos-{token_hex(4)}"
        self.log = f"kafka://{kafka.address}?single_node=true&prefix={name}."
        self.store = mongo.uri(name)
        self.address = KafkaAddress.parse(self.log)
        self.pauses = Pauses(asyncio.get_running_loop().time)
        shared = {
            "HUB_LOG": self.log,
            "HUB_STORE": self.store,
            "HUB_KEYS": f"k1:{b64encode(token_bytes(32)).decode()}",
            "HUB_OPERATOR_KEY": token_urlsafe(32),
            "HUB_SESSION_SECONDS": str(SESSION_SECONDS),
            "HUB_PUBLISH_SECONDS": str(PUBLISH_SECONDS),
        } | dict(settings)  # fmt: skip
        made = {
            f"{kind}-{number}": HubProcess(folder, shared, switch, kind=kind, name=f"{kind}-{number}")
            for kind, count in (("edge", EDGES), ("worker", WORKERS))
            for number in range(1, count + 1)
        }
        self.edges = [process for name, process in made.items() if name.startswith("edge")]
        self.workers = [process for name, process in made.items() if name.startswith("worker")]
        self.balancer = Balancer([edge.port for edge in self.edges])
        self._lag: asyncio.Task[None] | None = None

    @property
    def processes(self) -> list[HubProcess]:
        return [*self.edges, *self.workers]

    async def start(self) -> None:
        """Make the topics, start every process, wait until all are ready. Raises HubFailed."""
        await self.balancer.open()
        for process in self.processes:
            process.environment["HUB_PUBLIC_URL"] = f"http://127.0.0.1:{self.balancer.port}"
        await self._make_topics()
        await asyncio.gather(*(process.start() for process in self.processes))
        await asyncio.gather(*(process.ready() for process in self.processes))
        self._lag = asyncio.create_task(self.pauses.measure_lag())

    async def close(self) -> None:
        """End every process of the hub, whatever state it is in."""
        if self._lag is not None:
            self._lag.cancel()
        await asyncio.gather(*(process.close() for process in self.processes))
        self.balancer.close()

    async def _make_topics(self) -> None:
        words = ("topics", "create", "--single-node", "--partitions", str(PARTITIONS))
        making = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hub.cli.main", *words, cwd=ROOT, env=self.edges[0].environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        printed, _ = await making.communicate()
        if making.returncode:
            raise HubFailed(f"the topics could not be made: {printed.decode(errors='replace')}")

    # --- as recipients ask -------------------------------------------------------------------------------------------

    def begun_by(self, port: int, to: int) -> int | None:
        """The worker that a connection comes from."""
        return owner(port, to, [worker.pid for worker in self.workers])

    def excuses(self, pid: int | None) -> bool:
        """See Pauses."""
        return self.pauses.excuses(pid)
