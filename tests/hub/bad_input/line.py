"""A connection without a socket, and what came over it read strictly."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

WAIT: Final = 200.0
"""Seconds of the loop's time within which every connection has an end; virtual, so they cost nothing."""

HIGH_WATER: Final = 64 * 1024
"""Bytes not read at which the hub is told to stop writing, as real transports do."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer: its HTTP status, its headers (names in lower case), its body."""

    http_status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def envelope(self) -> dict[str, Any]:
        """Raises AssertionError where the body is no OCPI envelope."""
        assert self.headers["content-type"] == "application/json", self
        found = orjson.loads(self.body)
        assert isinstance(found, dict), self
        assert type(found.get("status_code")) is int, self
        assert isinstance(found.get("timestamp"), str), self
        return found

    @property
    def answer(self) -> tuple[int, int]:
        return self.http_status, int(self.envelope["status_code"])

    @property
    def message(self) -> str:
        return str(self.envelope.get("status_message", ""))


class Line(asyncio.Transport):
    """The caller's end: `say` bytes, `hear` an answer, `end` it. While `reads` is false, the hub's writes pile up."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.reads = True
        self._loop = loop
        self._protocol = protocol
        self._came = bytearray()
        self._news = asyncio.Event()
        self.closed = False
        self._paused = False
        self._full = False
        self._held: list[bytes] = []
        protocol.connection_made(self)

    # --- the caller's side -------------------------------------------------------------------------------------------

    def say(self, data: bytes) -> None:
        """Bytes that arrive at the hub, together."""
        if self._paused:
            self._held.append(data)
        elif not self.closed and data:
            self._protocol.data_received(data)

    async def hear(self, *, head: bool = False) -> Heard | None:
        """The next answer; None where the connection was closed without one. Raises TimeoutError where neither is."""
        while True:
            answer = self._take(head)
            if answer is not None:
                return answer
            if self.closed:
                assert not self._came, bytes(self._came)
                return None
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), WAIT)

    async def ended(self) -> None:
        """Wait until the hub has closed it. Raises TimeoutError."""
        while not self.closed:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), WAIT)

    @property
    def unread(self) -> int:
        """Bytes that came and were not heard."""
        return len(self._came)

    def end(self) -> None:
        """The caller goes away."""
        self.close()

    def _take(self, head: bool) -> Heard | None:
        while True:
            raw, blank, rest = bytes(self._came).partition(b"\r\n\r\n")
            if not blank:
                return None
            first, *lines = raw.split(b"\r\n")
            version, status, _ = first.split(b" ", 2)
            assert version == b"HTTP/1.1", first
            headers = {}
            for line in lines:
                name, colon, value = line.partition(b": ")
                assert colon and name and not set(line) & set(b"\r\n\0"), line
                headers[name.decode().lower()] = value.decode("latin-1")
            if status != b"100":
                break
            self._came[:] = rest
        length = 0 if head else int(headers["content-length"])
        if len(rest) < length:
            return None
        self._came[:] = rest[length:]
        return Heard(int(status), headers, rest[:length])

    # --- the hub's side ----------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self.closed:
            self._came += data
            self._news.set()
            if not self.reads and not self._full and len(self._came) > HIGH_WATER:
                self._full = True
                self._protocol.pause_writing()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._news.set()
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        while self._held and not self._paused:
            self.say(self._held.pop(0))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.1", 1)}.get(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return cast("asyncio.BaseProtocol", self._protocol)
