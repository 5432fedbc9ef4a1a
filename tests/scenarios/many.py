"""`Many`: one hub of several processes on a Kafka and a MongoDB, behind a balancer that gives each call its turn."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Any, Final, cast

import aiohttp
import orjson
from prometheus_client.parser import text_string_to_metric_families

from connectors.sample import SamplePlatform
from tests.chaos.balancer import Balancer
from tests.scenarios import nursery
from tests.scenarios.backing import OnEngines
from tests.scenarios.hub import LOOPBACK, HubFailed, RunningHub, free_port
from tests.scenarios.operated import Operated
from tests.scenarios.parties import Parties
from tests.scenarios.vault import Vault

_START_SECONDS: Final = 60.0


class Process(Operated):
    """One process of a hub, or a supervisor with several: `words` are those of the command line."""

    def __init__(self, many: Many, name: str, words: Sequence[str], **settings: object) -> None:
        self.name = name
        self.vault = many.vault
        self.port, self.operator_port = free_port(), free_port()
        self.printed = many.folder / f"{name}.printed"
        self._many = many
        self._words = words
        self._settings = settings
        self.fresh = False
        """Whether it is started as a command (nursery)."""
        self.process: nursery.Started | None = None

    @property
    def operator_key(self) -> str:
        return str(self._many.settings["operator_key"])

    def environment(self) -> dict[str, str]:
        settings = {
            "public_url": self._many.public_url, "port": self.port, "operator_port": self.operator_port,
            "data": self._many.folder / self.name, "allow_networks": LOOPBACK, "logging_format": "json",
            "pull": False,
            **self._many.settings, **self._settings,
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        return kept | {f"HUB_{name.upper()}": str(value) for name, value in settings.items()}

    def begin(self) -> None:
        """Start it and do not wait."""
        self.process = nursery.start(self._words, self.environment(), self.printed, fresh=self.fresh)

    async def ready(self) -> None:
        """Wait until it is. Raises HubFailed with what it printed last."""
        until = time.monotonic() + _START_SECONDS
        while self.running and time.monotonic() < until:
            if await asyncio.to_thread(self.is_ready):
                return
            await asyncio.sleep(0.05)
        raise HubFailed(f"{self.name} did not get ready:\n{self.output()[-2000:]}")

    def is_ready(self) -> bool:
        try:
            return self.ask("GET", "/readyz", timeout=5)[0] == 200
        except OSError:
            return False

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def ended(self) -> int:
        """The exit code, once it has ended."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, _START_SECONDS)

    def output(self) -> str:
        return self.printed.read_text(errors="replace") if self.printed.exists() else ""

    def events(self, event: str) -> list[dict[str, Any]]:
        """The lines of logging of one event."""
        lines = (line for line in self.output().splitlines() if line.startswith("{"))
        return [found for line in lines if (found := orjson.loads(line)).get("event") == event]

    def metric(self, name: str) -> float:
        """The sum of all samples of this name."""
        families = text_string_to_metric_families(self.ask("GET", "/metrics")[1].decode())
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)


class Many(Operated):
    """The processes. The operator speaks to the first; parties speak to the balancer, which goes round the `edges`."""

    def __init__(self, folder: Path, vault: Vault, backing: OnEngines, **settings: object) -> None:
        self.folder = folder
        self.vault = vault
        self.balanced = free_port()
        self.settings: dict[str, object] = {
            **backing.settings(),
            "keys": f"k1:{b64encode(token_bytes(32)).decode()}",
            "operator_key": vault.add(token_urlsafe(32)),
            **settings,
        }
        self.processes: list[Process] = []
        self._backing = backing
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, *words: str, **settings: object) -> Process:
        """One more process, not started; `settings` are HUB_ variables of its own, without the prefix."""
        made = Process(self, name, words, **settings)
        self.processes.append(made)
        return made

    def prepare(self) -> None:
        """Make the topics."""
        self._backing.prepare(self.processes[0].environment())

    async def start(self) -> None:
        """Make the topics, start all, wait until they are ready."""
        await asyncio.to_thread(self.prepare)
        for process in self.processes:
            process.begin()
        await asyncio.gather(*(process.ready() for process in self.processes))

    def close(self) -> None:
        """End all, and look for credentials in what they left behind. Raises SecretFound."""
        for process in self.processes:
            if process.running:
                process.signal(signal.SIGTERM)
        for process in self.processes:
            if process.process is not None:
                try:
                    process.process.wait(_START_SECONDS)
                except subprocess.TimeoutExpired:
                    process.signal(signal.SIGKILL)
                    process.process.wait()
        try:
            places: dict[str, Iterable[bytes]] = {
                f"what {process.name} printed": [process.output().encode()] for process in self.processes
            }
            self.vault.search(places | dict(self._backing.contents()), more=[str(self.settings["keys"])])
        finally:
            self._backing.drop()

    # --- as the operator and the parties see it ----------------------------------------------------------------------

    @property
    def public_url(self) -> str:
        return f"http://127.0.0.1:{self.balanced}"

    @property
    def running(self) -> bool:
        return self.processes[0].running

    @property
    def operator_key(self) -> str:
        return self.processes[0].operator_key

    def environment(self) -> dict[str, str]:
        return self.processes[0].environment()

    def ask(
        self, method: str, path: str, body: object = None, *, key: str | None = None, timeout: float = 40.0
    ) -> tuple[int, bytes]:
        return self.processes[0].ask(method, path, body, key=key, timeout=timeout)

    @asynccontextmanager
    async def balancer(self, *edges: Process) -> AsyncIterator[Balancer]:
        """The balancer before these processes, on the loop of this test."""
        balancer = Balancer([edge.port for edge in edges])
        balancer.port = self.balanced
        await balancer.open()
        try:
            yield balancer
        finally:
            balancer.close()


class Guests(Parties):
    """Parties at such a hub, whose calls take turns over its edges; without `turns` they keep their connections."""

    def __init__(self, many: Many, *, turns: bool = True) -> None:
        super().__init__(cast(RunningHub, many))  # all that parties ask of a hub is to be operated
        self._turns = turns

    async def start(self, platform: SamplePlatform) -> SamplePlatform:
        await super().start(platform)
        if self._turns:
            await take_turns(platform)
        return platform

    async def close(self) -> None:
        """End the platforms; the hub's database goes with the hub."""
        for platform in self._started:
            await platform.stop()


async def take_turns(platform: SamplePlatform) -> None:
    """Each call of this platform goes over a connection of its own, and so to the next edge."""
    client = platform._client
    assert client is not None
    await client._session.close()
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    client._session = aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), middlewares=client._session._middlewares
    )
