"""`RunningHub`: the hub as people run it, a process of its own, on free ports and with a data folder of its own."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.scenarios import nursery
from tests.scenarios.backing import Backing, OwnFolder
from tests.scenarios.operated import Operated
from tests.scenarios.vault import Vault, contents

LOOPBACK: Final = "127.0.0.0/8,::1/128"
KEPT_SECRET: Final = ("operator.key", "keys")
"""The two files of the data folder that are secrets."""

_START_SECONDS: Final = 30.0


class HubFailed(AssertionError):
    """The hub did not start or end as it should; the sentence has its last lines."""


class RunningHub(Operated):
    """One hub. `folder` keeps its data and what it prints; `settings` are HUB_ variables without the prefix.

    `backing` are its log and store, the embedded ones unless others are given. What ends it (`stop`, `kill`, leaving
    the context) also searches what it left behind for credentials.
    """

    def __init__(
        self, folder: Path, vault: Vault, *, allow: str = LOOPBACK, backing: Backing | None = None, **settings: object
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.printed = folder / "printed"
        self.vault = vault
        self.port, self.operator_port = free_port(), free_port()
        self._allow = allow
        self.backing = backing or OwnFolder()
        self._settings = {**self.backing.settings(), **settings}
        self.fresh = False
        """Whether it is started as a command, which imports all of it, instead of forked (nursery)."""
        self._process: nursery.Started | None = None
        self._pages: list[bytes] = []
        folder.mkdir(parents=True, exist_ok=True)

    # --- life --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._process is not None:
                self.stop()
        finally:
            self.backing.drop()

    def start(self) -> Self:
        """Start, or start again on the same data and ports; back when it is ready. Raises HubFailed."""
        self.backing.prepare(self.environment())
        for _ in range(3):
            self.begin()
            if self._gets_ready():
                return self
            if "cannot be listened on" not in self.output():
                break
            self.port, self.operator_port = free_port(), free_port()  # somebody else took one meanwhile
        raise HubFailed(f"the hub did not get ready:\n{self.output()[-2000:]}")

    def _gets_ready(self) -> bool:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    return True
            except OSError:
                pass
            time.sleep(0.02)
        self.process.kill()
        self.process.wait()
        self._process = None
        return False

    async def start_again(self) -> None:
        """Start without holding up this loop, so that the parties on it see their old connections end."""
        await asyncio.to_thread(self.start)

    def begin(self) -> None:
        """Start the process and do not wait."""
        self._process = nursery.start(["serve"], self.environment(), self.printed, fresh=self.fresh)

    def environment(self) -> dict[str, str]:
        """The process's environment: nothing of this one's HUB_ variables."""
        settings = {
            "PUBLIC_URL": self.public_url,
            "PORT": self.port,
            "OPERATOR_PORT": self.operator_port,
            "DATA": self.data,
            "ALLOW_NETWORKS": self._allow,
            "PULL": False,  # who counts what a party is asked for should not meet the hub's own questions
            **{name.upper(): value for name, value in self._settings.items()},
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        return kept | {f"HUB_{name}": str(value) for name, value in settings.items()}

    @property
    def process(self) -> nursery.Started:
        """Raises HubFailed where it does not run."""
        if self._process is None:
            raise HubFailed("the hub was not started")
        return self._process

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9, as nothing else ends a process without a chance to tidy up."""
        self._keep_page()
        self.process.kill()
        self.process.wait()
        self._process = None
        self.search()

    def terminate(self) -> int:
        """SIGTERM, and the exit code once it has ended. Raises subprocess.TimeoutExpired."""
        self._keep_page()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._process = None
        self.search()
        return code

    def stop(self) -> None:
        """End it in order. Raises HubFailed unless it ends well, and SecretFound."""
        code = self.terminate()
        if code:
            raise HubFailed(f"the hub ended with {code}:\n{self.output()[-2000:]}")

    # --- what it is seen by ------------------------------------------------------------------------------------------

    @property
    def public_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def versions_url(self) -> str:
        return f"{self.public_url}/ocpi/versions"

    @property
    def operator_key(self) -> str:
        """The key as it is set, or as the hub made it."""
        given = self._settings.get("operator_key")
        return str(given) if given else (self.data / "operator.key").read_text().strip()

    def output(self) -> str:
        """Everything that it printed, logging included."""
        return self.printed.read_text(errors="replace") if self.printed.exists() else ""

    def events(self, event: str) -> list[dict[str, Any]]:
        """The lines of logging of one event."""
        lines = (line for line in self.output().splitlines() if line.startswith("{"))
        return [found for line in lines if (found := orjson.loads(line)).get("event") == event]

    def memory(self) -> int:
        """Resident memory in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics, under `name{label=value,...}` with the labels in alphabetical order."""
        text = self.ask("GET", "/metrics")[1].decode()
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}"] = sample.value
        return found

    def search(self) -> None:
        """Look for credentials in what it printed, in /metrics and in its data folder. Raises SecretFound."""
        places = {"standard output or logging": [self.printed.read_bytes()], "/metrics": self._pages}
        secrets = [(self.data / name).read_text().strip() for name in KEPT_SECRET if (self.data / name).exists()]
        kept = contents(self.data, leave_out=KEPT_SECRET) | dict(self.backing.contents())
        self.vault.search(places | kept, more=secrets)
        self.vault.search(contents(self.data))

    def _keep_page(self) -> None:
        try:
            self._pages.append(self.ask("GET", "/metrics")[1])
        except OSError:
            pass  # it ended by itself; what it printed is searched all the same


def free_port() -> int:
    """A port that nobody listens on, below those that the system gives to outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
