"""HTTP in and out: aiohttp's low-level server, its requests as calls, and responses written in one piece.

No router and no middlewares: the pipeline decides from the raw target. Whatever is wrong with the HTTP itself is
answered with an envelope too (promise 10): protocol.py, requested.py, written.py.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web

from hub.edge.backlog import end_listening
from hub.edge.protocol import Manager, Patience
from hub.edge.requested import Requested
from hub.edge.values import Call, Pairs, Response
from hub.edge.written import Written
from routing.clock import Clock

Answering = Callable[[Call], Awaitable[tuple[Response, Pairs]]]
"""Answers a call: the response, and the headers that every answer has. Raises nothing."""

BACKLOG: Final = 4096
"""Connections that wait to be accepted; the system may have a lower bound of its own."""

_LOOK_SECONDS: Final = 0.05

_CLOSING: Final = frozenset((408, 413))
"""After these the rest of a body would have to be read before the next call."""


class HttpServer:
    """The listening socket and its connections. `answer` is the pipeline."""

    def __init__(self, answer: Answering, clock: Clock, patience: Patience | None = None) -> None:
        self.answer = answer
        self._clock = clock
        self._patience = patience or Patience()
        self._manager: Manager | None = None
        self._servers: list[asyncio.Server] = []
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._draining = False

    async def start(self, host: str, port: int, sockets: Sequence[socket.socket] = ()) -> None:
        """Listen, on `sockets` where they are given. Raises OSError when the address is taken or not this machine's."""
        self._manager = Manager(self._handle, self._patience)
        loop = asyncio.get_running_loop()
        if sockets:
            self._servers = [await loop.create_server(self._manager, sock=one, backlog=BACKLOG) for one in sockets]
        else:
            self._servers = [await loop.create_server(self._manager, host, port, backlog=BACKLOG)]

    @property
    def port(self) -> int:
        """The port that is listened on: the one asked for, or the one given for 0."""
        if not self._servers:
            raise RuntimeError("the server was not started")
        return int(self._servers[0].sockets[0].getsockname()[1])

    @property
    def in_flight(self) -> int:
        return self._in_flight

    async def drain(self, seconds: float, *, linger: float = 0.0) -> bool:
        """Take no new connections, close each after its next answer; True when all calls ended in time.

        Whoever is connected is served, accepted by now or not. A caller that keeps a connection may be about to use
        it: for `linger` seconds, where there are any, it is answered and told to close, which no caller mistakes for a
        failure.
        """
        self._draining = True
        if self._manager is not None:
            await end_listening(self._servers, self._manager, BACKLOG)
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        lingers = min(until, loop.time() + linger)
        # the library tells nobody when its last connection ends
        while self._manager is not None and self._manager.connections and loop.time() < lingers:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        if not self._in_flight:
            return True
        self._idle.clear()
        try:
            async with asyncio.timeout_at(until):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Close the socket and every connection, whatever is in flight."""
        self._draining = True
        for server in self._servers:
            server.close()
        self._servers = []
        if self._manager is not None:
            await self._manager.shutdown(0.1)
            self._manager = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        patience = self._patience
        self._in_flight += 1
        try:
            call = Requested(request, self._clock, patience.body)
            response, common = await self.answer(call)
            closing = self._draining or response.http_status in _CLOSING
            return Written(response, common, patience.idle, close=closing, after=call.leave)
        finally:
            self._in_flight -= 1
            if not self._in_flight and self._draining:
                self._idle.set()
