"""A server under measurement, and a hub with the ways of its operator."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.bench.processes import Measured, Process

_READY_SECONDS = 90.0
_METRIC = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """A server under measurement: where it takes calls, and its process or processes."""

    port: int
    process: Measured


@dataclass(frozen=True, slots=True)
class Hub(Server):
    """A process of a hub under measurement, with the ways of its operator."""

    process: Process
    operator_port: int
    operator_key: str

    async def invite(self, parties: list[tuple[str, str, str]]) -> tuple[str, str]:
        """(versions URL, token) for a platform of these parties."""
        names = ("country_code", "party_id", "role")
        wanted = {"parties": [dict(zip(names, party, strict=True)) for party in parties]}
        given = await self._json("POST", "/api/parties/invite", wanted)
        return given["versions_url"], given["token"]

    async def complete(self, party: tuple[str, str], module: str) -> None:
        """Say that the hub has all of this module that a party owns."""
        await self._json("POST", f"/api/parties/{party[0]}/{party[1]}/complete", {"modules": [module]})

    async def act(self, party: tuple[str, str], action: str) -> None:
        """`suspend` or `resume` a party."""
        await self._json("POST", f"/api/parties/{party[0]}/{party[1]}/{action}")

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
