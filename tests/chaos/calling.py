"""The senders' way to the hub: keep-alive connections as asyncio protocols, and what each call came to."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import dataclass
from typing import cast

import httptools
import orjson

from connectors import headers
from connectors.values import PartyId

CUT = 0
"""Told to a sender whose connection was cut before the answer."""


class HubDown(Exception):
    """Nobody listened: nothing of the call was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender read. `code` is the OCPI status code, 503 where that was the HTTP status."""

    code: int
    body: bytes = b""
    location: str | None = None


class Line(asyncio.Protocol):
    """One connection, at most one call at a time."""

    def __init__(self) -> None:
        self.open = True
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._location: str | None = None
        self._waiting: asyncio.Future[Answer] | None = None

    async def call(self, request: bytes) -> Answer:
        """Send it and wait for its answer, or for the cut."""
        self._waiting = waiting = asyncio.get_running_loop().create_future()
        self._body, self._location = b"", None
        self._transport.write(request)
        answer: Answer = await waiting
        return answer

    def close(self) -> None:
        self.open = False
        self._transport.abort()

    # --- asyncio and httptools ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._tell(Answer(CUT))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"location":
            self._location = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.open = self.open and self._parser.should_keep_alive()
        status = self._parser.get_status_code()
        code = 503 if status == 503 else orjson.loads(self._body)["status_code"]
        self._tell(Answer(code, self._body, self._location))

    def _tell(self, answer: Answer) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)


class Caller:
    """A platform's calls to the hub, each by as many connections as it needs."""

    def __init__(self, port: int, credential: str) -> None:
        self._port = port
        self._authorization = f"Token {b64encode(credential.encode()).decode()}"
        self._free: list[Line] = []

    async def call(
        self, method: str, path: str, body: bytes, *, seq: int, sender: PartyId, to: PartyId | None
    ) -> Answer:
        """One call, whose request and correlation id are its seq. Raises HubDown."""
        line = await self._line()
        answer = await line.call(self._request(method, path, body, seq, sender, to))
        if line.open:
            self._free.append(line)
        return answer

    def close(self) -> None:
        """Cut every connection that is free."""
        for line in self._free:
            line.close()

    async def _line(self) -> Line:
        while self._free:
            line = self._free.pop()
            if line.open:
                return line
        try:
            _, line = await asyncio.get_running_loop().create_connection(Line, "127.0.0.1", self._port)
        except OSError:
            raise HubDown from None
        return line

    def _request(self, method: str, path: str, body: bytes, seq: int, sender: PartyId, to: PartyId | None) -> bytes:
        lines = [
            f"{method} /ocpi/2.2.1/receiver/{path} HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            f"Authorization: {self._authorization}",
            f"{headers.REQUEST_ID}: {seq}",
            f"{headers.CORRELATION_ID}: {seq}",
            f"{headers.FROM_COUNTRY}: {sender.country_code}",
            f"{headers.FROM_PARTY}: {sender.party_id}",
        ]
        if to is not None:
            lines += [f"{headers.TO_COUNTRY}: {to.country_code}", f"{headers.TO_PARTY}: {to.party_id}"]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
