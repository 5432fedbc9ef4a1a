"""Responses as bytes: written in one piece, and held for a caller that does not read for a bounded time only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter

from hub.edge.values import Pairs, Response

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class Written(web.StreamResponse):
    """A response written in one piece, without the dictionaries that aiohttp's own goes through.

    `patience` is how many seconds a caller may leave it unread, where it does not fit what the connection takes.
    `after` is called once it is written, or cannot be.
    """

    def __init__(
        self,
        response: Response,
        common: Pairs,
        patience: float,
        *,
        close: bool = False,
        after: Callable[[], None] | None = None,
    ) -> None:
        # aiohttp's own __init__ is left out: it makes what only its own prepare reads
        self._status = response.http_status
        self._response = response
        self._common = common
        self._patience = patience
        self._closing = close
        self._after = after

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write it. Raises ConnectionError when the caller is gone, or does not read."""
        writer = cast("StreamWriter", request.writer)
        keep = request.keep_alive and not self._closing
        self._keep_alive = keep
        written = _head(self._response, self._common, keep=keep, old=request.version < (1, 1))
        if request.method != "HEAD":
            written += self._response.body
        after = self._after
        # aiohttp remembers the last response of a connection until its next one: it need not remember bodies.
        del self._response, self._common, self._after
        try:
            await writer.write(written, drain=False)
            del written
            # After small answers too: for who asks on and on and reads nothing, they would pile up.
            if request.protocol.writing_paused:
                await self._drain(request)
        finally:
            if after is not None:
                after()
        return writer

    async def _drain(self, request: web.BaseRequest) -> None:
        transport = request.transport
        try:
            async with asyncio.timeout(self._patience):
                await request.writer.drain()
        except TimeoutError:
            if transport is not None:
                transport.abort()
            raise ConnectionResetError("the caller does not read its answer") from None

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
