"""A process of the hub under test: `serve`, `edge` or `worker` on one data folder, started again and again."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from routing.log.port import TopicPartition
from tests.chaos.entry import ASSIGNED
from tests.engines.process import free_ports, note

ROOT = Path(__file__).resolve().parents[2]
DRAIN_SECONDS = 20
_READY_SECONDS = 60.0
_WRONG = re.compile(r"Traceback|could not be handled|the worker stopped|call_broke|request_not_answered|never awaited")


class HubFailed(Exception):
    """The hub did not get ready, or did not answer its operator; the sentence ends with what it printed last."""


class HubProcess:
    """`start` and `ready`, then `kill` or `terminate`, as often as one likes; everything it prints is in `output`."""

    def __init__(
        self, folder: Path, settings: Mapping[str, str], switch: str | None, *, kind: str = "serve", name: str = "hub"
    ) -> None:
        self.name = name
        self.data = folder / ("data" if name == "hub" else f"data-{name}")
        self.output = folder / f"{name}.log"
        self.port, self.operator_port = free_ports(2)
        broken = ("--switch", switch) if switch else ()
        watched = ("--watched",) if kind == "worker" else ()
        entry = ("tests.chaos.entry", kind, *broken, *watched) if broken or watched else ("hub.cli.main", kind)
        self._command = (sys.executable, "-m", *entry)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        self.environment = clean | {
            "PYTHONPATH": str(ROOT),
            "HUB_PORT": str(self.port),
            "HUB_OPERATOR_PORT": str(self.operator_port),
            "HUB_DATA": str(self.data),
            "HUB_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "HUB_PULL": "false",
            "HUB_ALLOW_NETWORKS": "127.0.0.0/8",
            "HUB_PARTY": "NL-HUB",
            "HUB_LOGGING_FORMAT": "json",
            "HUB_DRAIN_SECONDS": str(DRAIN_SECONDS),
        } | dict(settings)  # fmt: skip
        self._running: asyncio.subprocess.Process | None = None
        self._began = 0.0

    async def start(self) -> None:
        """Begin the process; it is not ready yet."""
        self._began = time.monotonic()
        with self.output.open("ab") as printed:
            self._running = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=printed, stderr=printed, cwd=ROOT,
                env=self.environment, start_new_session=True,
            )  # fmt: skip
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        note(self.data, self._running.pid)  # for the keeper, which ends it where the harness cannot

    async def ready(self) -> float:
        """Wait until /readyz says so; the seconds since the start. Raises HubFailed."""
        last = ""
        while self._process.returncode is None and time.monotonic() - self._began < _READY_SECONDS:
            try:
                status, text = await self._call("GET", "/readyz")
            except (OSError, aiohttp.ClientError):
                pass
            else:
                if status == 200:
                    return time.monotonic() - self._began
                last = text.decode(errors="replace")
            await asyncio.sleep(0.03)
        raise HubFailed(f"the hub did not get ready ({last or self._process.returncode}):\n{self._tail()}")

    async def kill(self) -> None:
        """SIGKILL."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    def pause(self) -> None:
        """SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def ask_to_end(self) -> None:
        """SIGTERM, without waiting."""
        self._process.send_signal(signal.SIGTERM)

    async def terminate(self) -> tuple[int | None, float]:
        """SIGTERM; the exit code, None if it did not end within the drain time, and the seconds it took."""
        began = time.monotonic()
        self.ask_to_end()
        try:
            code = await asyncio.wait_for(self._process.wait(), DRAIN_SECONDS)
        except TimeoutError:
            await self.kill()
            return None, time.monotonic() - began
        return code, time.monotonic() - began

    async def close(self) -> None:
        """End it, whatever state it is in."""
        if self._running is not None and self._running.returncode is None:
            await self.kill()

    async def invite(self, parties: list[tuple[str, str, str]]) -> tuple[str, str]:
        """(versions URL, token) for a platform of these parties. Raises HubFailed."""
        names = ("country_code", "party_id", "role")
        wanted = {"parties": [dict(zip(names, party, strict=True)) for party in parties]}
        given = await self._json("POST", "/api/parties/invite", wanted)
        return given["versions_url"], given["token"]

    async def platform_of(self, country_code: str, party_id: str) -> str:
        """The id of the platform that hosts a party. Raises HubFailed."""
        shown = await self._json("GET", f"/api/parties/{country_code}/{party_id}")
        platform: str = shown["platforms"][0]["id"]
        return platform

    def assigned(self) -> list[tuple[float, frozenset[TopicPartition]]]:
        """When a watched worker was given which partitions, on the clock of all processes."""
        lines = self.output.read_text(errors="replace").splitlines()
        told = [json.loads(line) for line in lines if ASSIGNED in line]
        return [(each["monotonic"], frozenset(TopicPartition(*tp) for tp in each["tps"])) for each in told]

    def complaints(self) -> list[str]:
        """Lines of its logging that no run may cause: defects that it caught."""
        lines = self.output.read_text(errors="replace").splitlines()
        return [line[:400] for line in lines if _WRONG.search(line)]

    def rss(self) -> float:
        """MiB that it occupies now; 0 where it does not run."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return 0.0
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        return int(found.group(1)) / 1024 if found else 0.0

    @property
    def pid(self) -> int:
        """Of the process that was begun last."""
        return self._process.pid

    @property
    def _process(self) -> asyncio.subprocess.Process:
        assert self._running is not None
        return self._running

    def _tail(self) -> str:
        return self.output.read_text(errors="replace")[-3000:]

    async def _json(self, method: str, path: str, body: object = None) -> Any:
        status, text = await self._call(method, path, body)
        if not 200 <= status < 300:
            raise HubFailed(f"{method} {path}: HTTP {status}: {text[:500].decode(errors='replace')}")
        return json.loads(text)

    async def _call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        file = self.data / "operator.key"
        key = self.environment.get("HUB_OPERATOR_KEY") or (file.read_text().strip() if file.exists() else "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = f"http://127.0.0.1:{self.operator_port}{path}"
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
            session.request(method, url, headers=headers, json=body) as answer,
        ):
            return answer.status, await answer.read()
