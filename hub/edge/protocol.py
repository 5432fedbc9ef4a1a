"""aiohttp's protocol as the edge wants it: its own answers are envelopes, and it waits for nobody for ever."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, BadStatusLine, InvalidHeader, InvalidURLError, LineTooLong
from aiohttp.web_protocol import RequestHandler

from connectors.errors import NotJson
from hub.edge.errors import defect, refusal
from hub.edge.values import Call
from hub.edge.written import Written

log = structlog.get_logger(__name__)

LINGERING_SECONDS: Final = 5.0

READ_BYTES: Final = 64 * 1024
"""Twice as much of a body may wait on each connection before it is read, when nothing of it is counted yet."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection is kept waiting, in seconds.

    `header`: from its first moment until a whole header is there. `idle`: between two calls, and for an answer that is
    not read. `body`: over how long a body must keep its least rate up.
    """

    header: float = 10.0
    idle: float = 75.0
    body: float = 10.0


_REASONS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (LineTooLong, "a line of its header is longer than 8190 bytes"),
    (BadHttpMethod, "its method is not one, or it speaks TLS to a port without"),
    (InvalidHeader, "a header's name or value has a character that may not be there"),
    (InvalidURLError, "its URL is not one"),
    (BadStatusLine, "its first line is not METHOD URL HTTP/1.1"),
)


def _reason(error: BaseException | None, message: str | None) -> str:
    """What is wrong, without what was sent: that may hold a credential. The library quotes it after its own words."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return (message or "").partition("\n")[0].partition(": b")[0].rstrip(".: ")[:100]


class Protocol(RequestHandler):
    """One connection."""

    __slots__ = ("_patience",)

    def __init__(self, manager: Manager, loop: asyncio.AbstractEventLoop, patience: Patience) -> None:
        super().__init__(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None is how aiohttp's own runner turns it off
            keepalive_timeout=patience.idle,
            lingering_time=LINGERING_SECONDS,
            read_bufsize=READ_BYTES,
        )
        self._patience = patience

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first header; aiohttp by itself gives that as long as the pause between two calls."""
        super().connection_made(transport)
        if self._keepalive_handle is not None:
            self._keepalive_handle.cancel()
        self._next_keepalive_close_time = until = self._loop.time() + self._patience.header
        self._keepalive_handle = self._loop.call_at(until, self._process_keepalive)

    def _process_keepalive(self) -> None:
        transport = self.transport
        super()._process_keepalive()
        if self._force_close and transport is not None:
            transport.abort()  # to close in order would be to wait until what was answered has been read

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What aiohttp calls when a request is not HTTP, or the handler raised."""
        if request.writer.output_size > 0:
            raise ConnectionError("a response was begun already")
        call = Call(request.method, "", request.headers, 0.0, 0)
        if status < 500:
            response = refusal(call, NotJson(f"this is not an HTTP request that can be read: {_reason(exc, message)}"))
        else:
            log.error("request_not_answered", exc_info=exc)
            response = defect(call)
        return Written(response, (), self._patience.idle, close=True)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """What aiohttp calls for whatever it does not expect; a body that cannot be read is its sender's alone."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


class Manager(web.Server):
    """Makes a Protocol for each connection, and knows those that are open."""

    def __init__(self, handler: Any, patience: Patience) -> None:
        super().__init__(handler)
        self._patience = patience

    def __call__(self) -> RequestHandler:
        return Protocol(self, self._loop, self._patience)
