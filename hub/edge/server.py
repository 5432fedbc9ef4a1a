"""HTTP in and out: aiohttp's low-level server, its requests as calls, and responses written in one piece.

No router and no middlewares: the pipeline decides from the raw target. Whatever is wrong with the HTTP itself is
answered with an envelope too (promise 10).
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_protocol import RequestHandler

from connectors.errors import NotJson, OcpiError, TooLarge
from hub.edge.errors import defect, refusal
from hub.edge.values import Call, Pairs, Response
from routing.clock import Clock

log = structlog.get_logger(__name__)

Answering = Callable[[Call], Awaitable[tuple[Response, Pairs]]]
"""Answers a call: the response, and the headers that every answer has. Raises nothing."""

BACKLOG: Final = 1024
BODY_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.05
LINGERING_SECONDS: Final = 5.0

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Requested(Call):
    """A call that came as an aiohttp request."""

    def __init__(self, request: web.BaseRequest, clock: Clock) -> None:
        super().__init__(request.method, request.raw_path, request.headers, clock.monotonic(), clock.utc())
        self.request = request

    async def read(self, limit: int) -> bytes:
        request = self.request
        content = request.content
        if content.is_eof() and not content.total_bytes:
            return b""
        if (request.content_length or 0) > limit:
            raise _too_large(limit)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(_CONTINUE)
        try:
            if content.is_eof():
                return await _read(content, limit)
            async with asyncio.timeout(BODY_SECONDS):
                return await _read(content, limit)
        except OcpiError:
            raise
        except Exception as error:  # whatever the library makes of a body that is cut off or wrongly encoded
            raise NotJson("the body did not arrive whole: check Content-Length, Content-Encoding and chunks") from error


async def _read(content: Any, limit: int) -> bytes:
    body: bytes = await content.readany()
    while len(body) <= limit:
        more = await content.readany()
        if not more:
            return body
        body += more
    raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is over the limit of {limit} bytes: send fewer or smaller objects in one call")


class Written(web.StreamResponse):
    """A response written in one piece, without the dictionaries that aiohttp's own goes through."""

    def __init__(self, response: Response, common: Pairs, *, close: bool = False) -> None:
        # aiohttp's own __init__ is left out: it makes what only its own prepare reads
        self._status = response.http_status
        self._response = response
        self._common = common
        self._closing = close

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write it. Raises ConnectionError when the caller is gone."""
        writer = request.writer
        keep = request.keep_alive and not self._closing
        self._keep_alive = keep
        head = _head(self._response, self._common, keep=keep, old=request.version < (1, 1))
        body = b"" if request.method == "HEAD" else self._response.body
        await writer.write(head + body)
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: prepare wrote everything."""
        del data


def _head(response: Response, common: Pairs, *, keep: bool, old: bool) -> bytes:
    status, body = response.http_status, response.body
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"]
    for pairs in (response.headers, common):
        for name, value in pairs:
            if "\r" in value or "\n" in value or "\0" in value:
                continue  # a peer's header that would end the line is not given on
            lines.append(f"{name}: {value}\r\n")
    lines.append(f"Content-Length: {len(body)}\r\nDate: {_date()}\r\n")
    if not keep:
        lines.append("Connection: close\r\n")
    elif old:
        lines.append("Connection: keep-alive\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


_dated = (0, "")


def _date() -> str:
    global _dated  # noqa: PLW0603 - one date a second, not one a response
    second = int(time.time())
    if _dated[0] != second:
        _dated = (second, formatdate(second, usegmt=True))
    return _dated[1]


class _Protocol(RequestHandler):
    """aiohttp's protocol, whose own answers are envelopes."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What aiohttp calls when a request is not HTTP, or the handler raised."""
        if request.writer.output_size > 0:
            raise ConnectionError("a response was begun already")
        call = Call(request.method, "", request.headers, 0.0, 0)
        if status < 500:
            reason = " ".join((message or "").split())[:200]
            response = refusal(call, NotJson(f"this is not an HTTP request that can be read: {reason}"))
        else:
            log.error("request_not_answered", exc_info=exc)
            response = defect(call)
        return Written(response, (), close=True)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """What aiohttp calls for whatever it does not expect; a body that cannot be read is its sender's alone."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


class _Manager(web.Server):
    def __call__(self) -> RequestHandler:
        return _Protocol(
            self,
            loop=self._loop,
            access_log=None,  # type: ignore[arg-type]  # None is how its own runner turns it off
            lingering_time=LINGERING_SECONDS,
        )


class HttpServer:
    """The listening socket and its connections. `answer` is the pipeline."""

    def __init__(self, answer: Answering, clock: Clock) -> None:
        self._answer = answer
        self._clock = clock
        self._manager: _Manager | None = None
        self._servers: list[asyncio.Server] = []
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._draining = False

    async def start(self, host: str, port: int, sockets: Sequence[socket.socket] = ()) -> None:
        """Listen, on `sockets` where they are given. Raises OSError when the address is taken or not this machine's."""
        self._manager = _Manager(self._handle)
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

        A caller that keeps a connection may be about to use it: for `linger` seconds, where there are any, it is
        answered and told to close, which no caller mistakes for a failure.
        """
        self._draining = True
        for server in self._servers:
            server.close()
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
        self._in_flight += 1
        try:
            response, common = await self._answer(Requested(request, self._clock))
            return Written(response, common, close=self._draining or response.http_status == 413)
        finally:
            self._in_flight -= 1
            if not self._in_flight and self._draining:
                self._idle.set()
