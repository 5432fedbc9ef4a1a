"""The load: HTTP/1.1 connections as asyncio protocols with httptools, and the closed loop.

Every answer is checked: HTTP 200, and an envelope whose status_code is 1000. Times are seconds by perf_counter.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import httptools

from tests.bench.calls import Source

RIGHT = b'"status_code":1000'

DRAIN_SECONDS = 30.0
_TOLD = 300


@dataclass(slots=True)
class Load:
    """What a load came to. `calls` were answered within `seconds`; `late` were still under way at their end.

    `wrong` counts answers that were not right or never came, `first_wrong` says what the first of them was.
    """

    calls: int = 0
    late: int = 0
    seconds: float = 0.0
    wrong: int = 0
    first_wrong: str = ""
    latencies: array[float] = field(default_factory=lambda: array("d"))
    begun: array[float] = field(default_factory=lambda: array("d"))
    """When each of these was begun, or due; in open loop only."""

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds if self.seconds else 0.0

    def percentile(self, percent: float) -> float:
        """The latency that so many percent of the calls did not exceed, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000 if ordered else 0.0

    def fault(self, what: str) -> None:
        """Count one wrong answer."""
        self.wrong += 1
        self.first_wrong = self.first_wrong or what


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way; `answered` is called with itself at each answer."""

    __slots__ = ("_answered", "_body", "_load", "_parser", "_transport", "alive", "began", "busy")

    def __init__(self, load: Load, answered: Callable[[Connection], None]) -> None:
        self._load = load
        self._answered = answered
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self.alive = False
        self.began = 0.0
        self.busy = False

    def send(self, request: bytes, began: float) -> None:
        """Send a request, whose latency counts from `began`."""
        self.began, self.busy = began, True
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    # --- asyncio and httptools ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.alive = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        if self.busy:
            self.busy = False
            self._load.fault(f"the connection was lost before its answer ({exc or 'closed by the server'})")
            self._answered(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._load.fault(f"the answer is no HTTP: {error}: {data[:_TOLD]!r}")
            self._transport.abort()

    def on_body(self, body: bytes) -> None:
        self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        body, self._body, self.busy = self._body, b"", False
        status = self._parser.get_status_code()
        if status != 200 or RIGHT not in body:
            self._load.fault(f"HTTP {status}: {body[:_TOLD].decode(errors='replace')}")
        self._answered(self)


async def closed_loop(port: int, sources: Sequence[Source], seconds: float, *, most: int | None = None) -> Load:
    """One connection for each source, each with its next request as soon as it has its answer, for so many seconds.

    With `most` it ends after so many calls, those under way beside them.
    """
    load, loop = Load(), asyncio.get_running_loop()
    running, idle = len(sources), asyncio.Event()
    stop = False

    def attach(source: Source) -> Callable[[], Connection]:
        def answered(connection: Connection) -> None:
            nonlocal running
            now = time.perf_counter()
            load.latencies.append(now - connection.began)
            if stop:
                load.late += 1
            else:
                load.calls += 1
            if stop or load.wrong:
                running -= 1
                if not running:
                    idle.set()
                return
            connection.send(source(), now)
            if load.calls == most:
                idle.set()

        return lambda: Connection(load, answered)

    connections = await connect(port, [attach(source) for source in sources])
    began = time.perf_counter()
    for connection, source in zip(connections, sources, strict=True):
        connection.send(source(), time.perf_counter())
    timer = loop.call_later(seconds, idle.set)
    try:
        await idle.wait()
        load.seconds = time.perf_counter() - began
        stop = True
        idle.clear()
        await _drained(load, connections, idle)
    finally:
        timer.cancel()
        for connection in connections:
            connection.close()
    return load


async def connect(port: int, factories: Sequence[Callable[[], Connection]]) -> list[Connection]:
    """Connections to this port of the loopback, one for each factory."""
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(factory, "127.0.0.1", port))[1] for factory in factories]


async def _drained(load: Load, connections: Sequence[Connection], idle: asyncio.Event) -> None:
    if any(connection.busy for connection in connections):
        try:
            await asyncio.wait_for(idle.wait(), DRAIN_SECONDS)
        except TimeoutError:
            load.fault(f"an answer did not come within {DRAIN_SECONDS:.0f} s")
    for connection in connections:
        connection.busy = False
