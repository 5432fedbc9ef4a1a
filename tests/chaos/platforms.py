"""The platforms of the harness: servers that answer the hub as they are tempered, and note all that they saw."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from enum import Enum
from secrets import token_urlsafe
from typing import NamedTuple, Protocol, cast
from urllib.parse import unquote

import httptools

from connectors import headers
from connectors.values import PartyId
from routing.resync import PREFIX
from tests.bench.handshake import credentials, details, register, versions
from tests.witnesses import Begun, Recipient, seqs_of

_ENVELOPE = b'{"status_code":%d,"status_message":"request %d","timestamp":"2026-03-01T10:00:00Z"}'
_RECEIVER = "/ocpi/2.2.1/receiver/"
_TO = (headers.TO_COUNTRY.lower().encode(), headers.TO_PARTY.lower().encode())
_FROM = headers.FROM_PARTY.lower().encode()
_CORRELATION = headers.CORRELATION_ID.lower().encode()


class Kind(Enum):
    """What becomes of a request."""

    TAKE = "taken, and said so"
    REFUSE = "answered 2001"
    BUSY = "answered HTTP 503"
    RESET = "cut off without a trace"
    LOSE = "taken, but the answer is lost"
    TEAR = "taken, but the connection is reset in the middle of the answer"
    HANG = "never answered"


_TAKEN = (Kind.TAKE, Kind.LOSE, Kind.TEAR)
_TORN_AFTER = 0.01
"""Seconds from the first part of an answer to the reset."""


class Reaction(NamedTuple):
    """What becomes of a request, and after how many seconds; `early`: taken when it came, not when it is answered."""

    kind: Kind
    delay: float
    early: bool


Temper = Callable[[Recipient, Begun, bool], Reaction]
"""Decides about a request; the flag says that it is a broadcast."""


class Whose(Protocol):
    """Tells the processes of a fleet apart."""

    def begun_by(self, port: int, to: int) -> int | None:
        """The process at the other end of a connection that has just come, by the ports it comes from and goes to."""

    def excuses(self, pid: int | None) -> bool:
        """Whether what this process has begun is not judged for order now."""


class Platform:
    """One OCPI platform of the harness: it outlives every hub."""

    def __init__(self, parties: list[tuple[str, str, str]], temper: Temper, *, whose: Whose | None = None) -> None:
        self.parties = parties
        self.whose = whose
        self.recipients = {
            PartyId(country, party): Recipient(
                PartyId(country, party), modules=frozenset(("tokens",) if role == "CPO" else ("locations", "tariffs"))
            )
            for country, party, role in parties
        }
        self.temper = temper
        self.port = 0
        self.calls = 0
        self.serving: dict[int, _Connection] = {}
        self.mute = False
        """It answers nothing at all, not even who asks for its versions."""
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Listen on a free port of the loopback; again on the same after `close`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def register(self, versions_url: str, token: str) -> str:
        """Register with the hub; the credential of this platform's calls."""
        return await register(versions_url, token, credentials(token_urlsafe(32), self.origin, self.parties))

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    def vanish(self) -> None:
        """The same, and cut every connection."""
        self.close()
        for connection in list(self.connections):
            connection.cut()


class _Connection(asyncio.Protocol):
    """A connection of the hub: keep-alive, one request at a time."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._parser = httptools.HttpRequestParser(self)
        self._url = self._body = b""
        self._headers: dict[bytes, bytes] = {}
        self._at_work: tuple[Recipient, Begun, asyncio.TimerHandle] | None = None
        self._by: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._platform.connections.add(self)
        peer = transport.get_extra_info("peername")  # None: it was killed before it was accepted
        if self._platform.whose is not None and peer is not None:
            self._by = self._platform.whose.begun_by(peer[1], self._platform.port)

    def cut(self) -> None:
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._platform.connections.discard(self)
        if self._at_work is not None:
            self._at_work[2].cancel()
            self._ended()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        url, body, fields = self._url.decode(), self._body, self._headers
        self._url, self._body, self._headers = b"", b"", {}
        path, _, query = url.partition("?")
        if path.startswith(_RECEIVER):
            self._arrived(self._parser.get_method().decode(), path.removeprefix(_RECEIVER), query, body, fields)
        elif not self._platform.mute:
            page = versions if path.endswith("/versions") else details
            self._write(200, page(self._platform.origin))

    # --- a push ------------------------------------------------------------------------------------------------------

    def _arrived(self, method: str, path: str, query: str, body: bytes, fields: dict[bytes, bytes]) -> None:
        platform, loop = self._platform, asyncio.get_running_loop()
        platform.calls += 1
        recipient = platform.recipients[PartyId(*(fields[name].decode() for name in _TO))]
        module, *segments = [unquote(segment) for segment in path.split("/") if segment]
        seqs = seqs_of(body, fields[_CORRELATION].decode())
        begun = Begun(loop.time(), module, method, tuple(segments), query, body, seqs, by=self._by)
        correlation = fields[_CORRELATION].decode()
        if correlation.startswith(PREFIX):
            begun.resync = correlation
        whose = platform.whose
        begun.excused = whose is not None and whose.excuses(self._by)
        other = recipient.begin(begun)
        excused = begun.excused or (other is not None and whose is not None and whose.excuses(other.by))
        if other is not None and not excused and not platform.serving[id(other)].hung_up():
            recipient.overlaps.append(f"{begun.name}, {method} with {sorted(seqs)} at {begun.at:.3f}")
        broadcast = fields.get(_FROM) == b"HUB"
        reaction = platform.temper(recipient, begun, broadcast)
        if reaction.early and reaction.kind in _TAKEN:
            recipient.process(begun)
        begun.refused = broadcast and reaction.kind is Kind.REFUSE
        timer = loop.call_later(reaction.delay, self._react, reaction.kind, platform.calls)
        self._at_work = recipient, begun, timer
        platform.serving[id(begun)] = self

    def hung_up(self) -> bool:
        """Whether the hub has closed this connection, though the loop has not told yet."""
        with socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno())) as peeked:
            try:
                return peeked.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                return False
            except OSError:
                return True

    def _react(self, kind: Kind, number: int) -> None:
        if kind is Kind.HANG:
            return  # it is under way until the hub gives up
        recipient, begun = self._ended()
        if kind in _TAKEN and not begun.processed:
            recipient.process(begun)
        if kind in (Kind.RESET, Kind.LOSE):
            self._transport.abort()
        elif kind is Kind.TEAR:
            self._transport.write(b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{")
            asyncio.get_running_loop().call_later(_TORN_AFTER, self._transport.abort)
        elif kind is Kind.TAKE:
            location = (
                f"Location: {self._platform.origin}{_RECEIVER}cdrs/{number}\r\n" if begun.module == "cdrs" else ""
            )
            self._write(200, _ENVELOPE % (1000, number), location)
        else:
            self._write(
                *((503, _ENVELOPE % (3000, number)) if kind is Kind.BUSY else (200, _ENVELOPE % (2001, number)))
            )

    def _ended(self) -> tuple[Recipient, Begun]:
        """The request under way is answered, or cut off."""
        assert self._at_work is not None
        recipient, begun, _ = self._at_work
        self._at_work = None
        del self._platform.serving[id(begun)]
        recipient.end(begun, asyncio.get_running_loop().time())
        return recipient, begun

    def _write(self, status: int, body: bytes, more: str = "") -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        self._transport.write(head.encode() + body)
