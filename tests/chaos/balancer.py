"""A TCP balancer before several edges, as small as one can be: in turn, and on to the next where nobody listens.

It knows no HTTP and no health: a connection stays with its edge, and ends when that ends. What was sent to an edge is
never sent to another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

_MOST_HELD = 256 * 1024


class Balancer:
    """Listens on a free port of the loopback from `open` to `close`. `refused` counts those that no edge took."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.port = 0
        self.refused = 0
        self._ports = list(ports)
        self._next = 0
        self._server: asyncio.Server | None = None
        self.callers: set[Caller] = set()

    async def open(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Caller(self), "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no more, and cut every connection."""
        if self._server is not None:
            self._server.close()
        for caller in list(self.callers):
            caller.cut()

    async def connect(self, caller: Caller) -> Edge | None:
        """A connection to the edge whose turn it is, or to the next that takes one; None where none does."""
        loop, count = asyncio.get_running_loop(), len(self._ports)
        first, self._next = self._next, (self._next + 1) % count
        for step in range(count):
            port = self._ports[(first + step) % count]
            try:
                _, edge = await loop.create_connection(lambda: Edge(caller), "127.0.0.1", port)
            except ConnectionRefusedError:
                continue
            except OSError:
                break
            return edge
        self.refused += 1
        return None


class _Half(asyncio.Protocol):
    """One side of a connection; what it reads is written to the other, at the other's pace."""

    transport: asyncio.Transport
    other: _Half | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=_MOST_HELD)

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()  # after what is still to be written

    def cut(self) -> None:
        """End it at once."""
        self.transport.abort()


class Edge(_Half):
    """The side towards an edge."""

    def __init__(self, caller: Caller) -> None:
        self.other = caller


class Caller(_Half):
    """The side of whoever called; what it says before there is an edge for it is kept."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer
        self._said = b""
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._balancer.callers.add(self)
        self._connecting = asyncio.create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._said += data
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._balancer.callers.discard(self)
        super().connection_lost(exc)

    async def _connect(self) -> None:
        edge = await self._balancer.connect(self)
        if edge is None:
            self.cut()
        elif self.transport.is_closing():
            edge.cut()
        elif edge.transport.is_closing():
            self.cut()
        else:
            self.other = edge
            edge.transport.write(self._said)
            self._said = b""
