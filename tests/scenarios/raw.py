"""HTTP by hand, for what no client library would send."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tests.scenarios.hub import RunningHub


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back: the status, the headers with their names in lower case, the body."""

    http_status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def envelope(self) -> dict[str, Any]:
        """The body as OCPI's envelope. Raises AssertionError where it is none."""
        found = orjson.loads(self.body)
        assert isinstance(found, dict), self.body
        assert isinstance(found.get("status_code"), int) and isinstance(found.get("timestamp"), str), self.body
        message = found.get("status_message", "")
        assert isinstance(message, str) and "Traceback" not in message, self.body
        return found


async def exchange(hub: RunningHub, request: bytes, *, within: float = 10.0) -> RawAnswer:
    """Send these bytes to the edge over a connection of their own, and read one answer. Raises AssertionError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=1 << 20)
    try:
        async with asyncio.timeout(within):
            writer.write(request)
            try:
                await writer.drain()
            except ConnectionError:
                pass  # it answered before it had read everything
            head = b"HTTP/1.1 100 "
            while head.startswith(b"HTTP/1.1 100 "):
                head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines if line)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            return RawAnswer(int(first.split()[1]), headers, body)
    except (asyncio.IncompleteReadError, TimeoutError) as error:
        raise AssertionError(f"no whole answer to {request[:80]!r}: {error}") from error
    finally:
        writer.close()


def request(
    hub: RunningHub,
    target: str | bytes,
    *,
    method: str = "GET",
    headers: Mapping[str, str | bytes] | None = None,
    body: bytes = b"",
    version: str = "HTTP/1.1",
) -> bytes:
    """The bytes of a request with Host and Content-Length."""
    path = target if isinstance(target, bytes) else target.encode("latin-1")
    lines = [method.encode() + b" " + path + b" " + version.encode(), f"Host: 127.0.0.1:{hub.port}".encode()]
    for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
        lines.append(name.encode() + b": " + (value if isinstance(value, bytes) else value.encode("latin-1")))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
