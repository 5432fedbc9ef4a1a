"""One attempt: one request on the wire, and the knowledge whether a byte of it was written.

aiohttp sends an idempotent request again when its connection drops (ClientSession._request, after ClientOSError or
ServerDisconnectedError). An attempt is carried through aiohttp as a middleware and turns those errors into the
project's own before aiohttp sees them; that is what keeps one attempt one request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import BytesIO
from typing import Final, cast

import aiohttp
from aiohttp import ClientRequest, ClientResponse, hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_middlewares import ClientHandlerType
from aiohttp.connector import Connection
from aiohttp.http import StreamWriter
from aiohttp.typedefs import LooseHeaders
from multidict import CIMultiDict

from connectors.client import failures
from connectors.client.dialing import Conversation
from connectors.errors import NotConnected

AT_ONCE: Final = 32 * 1024
"""Bodies up to this many bytes are written together with the headers, without a task."""


class Attempt:
    """What one request may do and how far it came."""

    __slots__ = ("begun", "body", "deadline", "loop", "origin", "permit")

    def __init__(self, origin: str, body: bytes | None, deadline: float, permit: Callable[[], bool] | None) -> None:
        self.origin = origin
        self.body = body
        self.deadline = deadline
        self.permit = permit
        self.loop = asyncio.get_running_loop()
        self.begun = False

    def begin(self) -> None:
        """The connection is at hand; the next byte is the first. Raises NotConnected when it may not be written."""
        if self.loop.time() >= self.deadline:
            raise failures.late(self.origin, begun=False)
        if self.permit is not None and not self.permit():
            raise NotConnected(f"the hub may no longer begin this request to {self.origin}; nothing was sent")
        self.begun = True

    async def carry(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """The middleware. Raises NotConnected, OutcomeUnknown, InvalidParameters, and nothing of aiohttp's."""
        cast("Request", request).attempt = self
        try:
            return await handler(request)
        except failures.FOREIGN as error:
            raise self.failure(error) from error

    def failure(self, error: BaseException) -> Exception:
        """The project's error for one of failures.FOREIGN."""
        return failures.unknown(error, self.origin) if self.begun else failures.unsent(error, self.origin)


class Reply(ClientResponse):
    """aiohttp's response, whose connection is cut off when it is given up before it is whole."""

    async def start(self, connection: Connection) -> ClientResponse:
        """Wait for the header of the answer."""
        protocol = cast("Conversation", connection.protocol)
        await super().start(connection)
        protocol.headed()
        return self

    def close(self) -> None:
        """Give up: nothing of the request leaves the hub after this."""
        protocol = self._connection and self._connection.protocol
        if protocol is not None:
            cast("Conversation", protocol).cut()
        super().close()


class Request(ClientRequest):
    """aiohttp's request, which asks its attempt before the first byte, and owns the headers of the hop."""

    attempt: Attempt

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Take the given headers; those that belong to the hop are this client's own."""
        own: CIMultiDict[str] = CIMultiDict(headers or ())
        for name in (hdrs.CONTENT_LENGTH, hdrs.TRANSFER_ENCODING, hdrs.CONNECTION, hdrs.EXPECT):
            own.pop(name, None)
        own[hdrs.HOST] = self.url.host_port_subcomponent or ""
        own[hdrs.ACCEPT_ENCODING] = "identity"
        self.headers = own

    async def send(self, conn: Connection) -> ClientResponse:
        """Write the request if the attempt still may. Raises NotConnected, otherwise what aiohttp raises."""
        attempt = self.attempt
        protocol = cast("Conversation", conn.protocol)
        if not protocol.is_connected():
            raise NotConnected(f"{attempt.origin} ended the connection before it was asked; nothing was sent")
        conn.add_callback(protocol.done)
        if self._body is not None:
            return await super().send(conn)
        writer = StreamWriter(protocol, self.loop)
        if attempt.body is not None:
            self.headers[hdrs.CONTENT_LENGTH] = str(len(attempt.body))
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        try:
            attempt.begin()
        except NotConnected:
            conn.release()
            raise
        protocol.ask()
        if attempt.body:
            await writer.write(attempt.body, drain=False)
        writer.set_eof()
        return self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=self._traces,
            loop=self.loop,
            session=self._session,
            stream_writer=writer,
        )

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write a long body, in a task beside the answer; the attempt is asked here, where the first byte is."""
        protocol = cast("Conversation", conn.protocol)
        try:
            self.attempt.begin()
        except NotConnected as refusal:
            protocol.set_exception(refusal)
            return
        protocol.ask()
        await super().write_bytes(writer, conn, content_length)


def payload(body: bytes | None) -> aiohttp.BytesIOPayload | None:
    """The body for aiohttp's own writer: only one that is too long to be written at once."""
    return aiohttp.BytesIOPayload(BytesIO(body)) if body is not None and len(body) > AT_ONCE else None
