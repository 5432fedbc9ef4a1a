"""The platforms on the hub's other side: a server of its own process that answers every OCPI call at once.

`python -m tests.bench.upstream` takes commands as lines of JSON on standard input and answers each with one; it ends
with its standard input. Every platform listens on a port of its own and remembers the last body of each object.

    {"do": "open", "name": "cpo", "parties": [["NL", "TNM", "CPO"]]}       -> {"port": 40000}
    {"do": "open", ..., "silent": true}                                    -> the same, and it answers no GET
    {"do": "open", ..., "hangs": true}                                     -> the same, and it answers versions only
    {"do": "register", "name": "cpo", "versions_url": ..., "token": ...}   -> {"credential": ...}
    {"do": "behind", "names": [...], "expected": {path: marker}}           -> {"cpo": 0}
    {"do": "delays", "names": [...], "sent": {marker: seconds}}            -> {"ms": [...]} since these were asked last
    {"do": "counts"}                                                       -> {"cpo": 1234}
    {"do": "forget"}                                                       -> {}
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
import time
from secrets import token_urlsafe
from typing import Any, cast

import httptools
import orjson
import uvloop

from tests.bench import bodies
from tests.bench.handshake import credentials, details, register, versions

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def response(body: bytes) -> bytes:
    """A whole HTTP answer."""
    return _HEAD % len(body) + body


_MARKER = re.compile(rb"Charge point \d{10}")
_READ = response(bodies.location_answer())
_TAKEN = response(bodies.ACCEPTED)
_BEGUN = response(bodies.COMMAND_TAKEN)
_ALLOWED = response(bodies.authorize_answer())


class Platform:
    """One platform of the stand-in: its parties, its server, and what it was sent."""

    def __init__(
        self, name: str, parties: list[tuple[str, str, str]], *, silent: bool = False, hangs: bool = False
    ) -> None:
        self.name = name
        self.silent = silent
        self.hangs = hangs
        self.arrived: list[tuple[float, bytes]] | None = None
        self.parties = parties
        self.port = 0
        self.calls = 0
        self.last: dict[bytes, bytes] = {}
        self.credential = token_urlsafe(32)  # what the hub shows here; nothing depends on it
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Listen on a free port of the loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def register(self, versions_url: str, token: str) -> str:
        """Register with the hub; the credential that its calls must show."""
        return await register(versions_url, token, credentials(self.credential, self.origin, self.parties))

    def answer(self, method: bytes, path: bytes, body: bytes) -> bytes:
        """What a call is answered with."""
        if method == b"GET":
            if path == b"/ocpi/versions":
                return response(versions(self.origin))
            if path == b"/ocpi/2.2.1":
                return response(details(self.origin))
            self.calls += 1
            return b"" if self.silent or self.hangs else _READ
        self.calls += 1
        if self.hangs:
            return b""
        if method == b"POST":
            if b"/commands/" in path:
                return _BEGUN
            if path.endswith(b"/authorize"):
                return _ALLOWED
        if self.arrived is not None:
            self.arrived.append((time.perf_counter(), body))
        self.last[path.partition(b"/receiver/")[2]] = body
        return _TAKEN

    def delays(self, sent: dict[bytes, float]) -> list[float]:
        """Milliseconds from when each push was sent until it was here, of those that came since this was asked last."""
        arrived, self.arrived = self.arrived or [], []
        found = ((at, _MARKER.search(body)) for at, body in arrived)
        return [(at - sent[mark[0]]) * 1000 for at, mark in found if mark is not None and mark[0] in sent]

    def behind(self, expected: dict[bytes, bytes]) -> int:
        """Of how many objects the last body here is not the one that is marked so."""
        last = self.last
        return sum(1 for path, marker in expected.items() if marker not in last.get(path, b""))


class Connection(asyncio.Protocol):
    """A connection of a caller: keep-alive, answers in order, nothing waits."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_url(self, url: bytes) -> None:
        self._url = self._url + url if self._url else url

    def on_body(self, body: bytes) -> None:
        self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        url, body, self._url, self._body = self._url, self._body, b"", b""
        self._transport.write(self._platform.answer(self._parser.get_method(), url.partition(b"?")[0], body))


class Upstream:
    """Every platform of this process, and the commands of whoever runs it."""

    def __init__(self) -> None:
        self._platforms: dict[str, Platform] = {}

    async def do(self, command: dict[str, Any]) -> dict[str, Any]:
        """Raises KeyError for a platform or command that is not there."""
        match command["do"]:
            case "open":
                parties = [(country, party, role) for country, party, role in command["parties"]]
                platform = self._platforms[command["name"]] = Platform(
                    command["name"], parties, silent=command.get("silent", False), hangs=command.get("hangs", False)
                )
                return {"port": await platform.open()}
            case "register":
                platform = self._platforms[command["name"]]
                return {"credential": await platform.register(command["versions_url"], command["token"])}
            case "behind":
                expected = {path.encode(): marker.encode() for path, marker in command["expected"].items()}
                return {name: self._platforms[name].behind(expected) for name in command["names"]}
            case "delays":
                sent = {marker.encode(): at for marker, at in command["sent"].items()}
                return {"ms": [ms for name in command["names"] for ms in self._platforms[name].delays(sent)]}
            case "counts":
                return {name: platform.calls for name, platform in self._platforms.items()}
            case "forget":
                for platform in self._platforms.values():
                    platform.last.clear()
                return {}
        raise KeyError(command["do"])


async def main() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    upstream = Upstream()
    gc.freeze()
    while line := await reader.readline():
        try:
            answer = await upstream.do(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
