"""Peers that speak raw bytes, so that what is on the wire is seen and counted, and a resolver that is a table."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from aiohttp.abc import AbstractResolver, ResolveResult

Talk = Callable[["Peer", asyncio.StreamWriter], Awaitable[None]]
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"status_code":1000}'


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time can be put forward, so that a deadline passes at a known moment and nobody waits for it."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def expire() -> None:
    """Let an hour pass, on a loop that is a Clock."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Clock)
    loop.ahead += 3600


class Peer:
    """A server on 127.0.0.1. `talk` is called for each request, on its connection; the default answers OK."""

    def __init__(self, talk: Talk | None = None) -> None:
        self.talk = talk
        self.connections = 0
        self.requests: list[bytes] = []
        self.ended = asyncio.Event()
        self.reset = False
        self.server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> Peer:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(x[15:]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length:")), 0)
                self.requests.append(head + await reader.readexactly(length))
                if self.talk is None:
                    writer.write(OK)
                else:
                    await self.talk(self, writer)
        except ConnectionResetError:
            self.reset = True
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.ended.set()
            with suppress(OSError):
                writer.close()


class Names(AbstractResolver):
    """A resolver that answers from a table and remembers what it was asked; unknown names fail."""

    def __init__(self, **table: list[str]) -> None:
        self.table = {name.replace("_", "."): addresses for name, addresses in table.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.table:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.table[host]
        ]

    async def close(self) -> None:
        pass


class Listen(Protocol):
    """Starts a peer that ends with the test."""

    def __call__(self, talk: Talk | None = None) -> Awaitable[Peer]: ...


def answering(*parts: bytes) -> Talk:
    """A peer that answers every request with these bytes, each part written by itself."""

    async def talk(_: Peer, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return talk


async def silent(_: Peer, writer: asyncio.StreamWriter) -> None:
    """Reads the request and never answers; the connection stays open."""


async def resetting(_: Peer, writer: asyncio.StreamWriter) -> None:
    """Resets the connection after it has read the request."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise ConnectionAbortedError


async def closing(_: Peer, writer: asyncio.StreamWriter) -> None:
    """Closes the connection after it has read the request."""
    raise ConnectionAbortedError
