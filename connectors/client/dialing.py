"""From a host to a connected socket, judged by the guard (promise 12).

A name is refused as a whole when one of its addresses is forbidden: nobody has a reason to mix a public and an
inside address, and whichever were tried first would be a matter of luck. Each address is judged once more where its
socket is made, which is also where addresses written in URLs are judged. What that made is what is connected to.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import cast

from aiohttp import AddrInfoType, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage

from connectors.client.guard import Guard

KEEPALIVE_SECONDS = 15.0
HEAD_BYTES = 1024 * 1024
"""What may come before an answer's header is at its end: what the loop reads at once, and interim answers."""

_DNS_THREADS = 64
_DROP_UNSENT = struct.pack("ii", 1, 0)


class Forbidden(OSError):
    """The guard refused an address; the text is a clause that says why."""


class Resolver(AbstractResolver):
    """The system's resolver on threads of its own.

    The loop's own lookups share a handful of threads (uvloop: four): a few parties whose name servers hang would
    keep all others from being resolved.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_DNS_THREADS, thread_name_prefix="dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`; raises OSError."""
        lookup = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, lookup)
        except UnicodeError as error:
            raise OSError("the name cannot be encoded") from error
        return [
            ResolveResult(hostname=host, host=str(at[0]), port=port, family=kind, proto=proto, flags=0)
            for kind, _, proto, _, at in found
        ]

    async def close(self) -> None:
        """Let the threads go; lookups that hang end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedResolver(AbstractResolver):
    """Another resolver, whose answers are refused as a whole when one address in them is forbidden."""

    def __init__(self, resolver: AbstractResolver, guard: Guard, scheme: str) -> None:
        self._resolver = resolver
        self._guard = guard
        self._scheme = scheme

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`; raises OSError, and Forbidden when the guard refuses one of them."""
        found = await self._resolver.resolve(host, port, family)
        if not found:
            raise OSError("the name has no address")
        for result in found:
            refusal = self._guard.refusal(result["host"], self._scheme)
            if refusal is not None:
                raise Forbidden(f"its name resolves to an address that is {refusal}")
        return found

    async def close(self) -> None:
        """Nothing: the resolver behind belongs to who made it."""


def sockets(guard: Guard, scheme: str) -> Callable[[AddrInfoType], socket.socket]:
    """A factory of sockets for `scheme` that raises Forbidden instead of making one for a forbidden address."""

    def make(at: AddrInfoType) -> socket.socket:
        family, kind, proto, _, address = at
        refusal = guard.refusal(str(address[0]), scheme)
        if refusal is not None:
            raise Forbidden(f"its address is {refusal}")
        return socket.socket(family, kind, proto)

    return make


class Conversation(ResponseHandler):
    """aiohttp's protocol, cut off when the peer speaks without having been asked.

    On an idle connection aiohttp keeps whatever comes, without bound, and hands it to the next request as its answer.
    And it reads on for as long as what comes is neither a body nor wrong: one interim answer after another, chunks
    whose sizes and extensions have no end. So what may come is counted: `largest` bytes for a whole answer.
    """

    asked = False

    def __init__(self, largest: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._largest = largest
        self._left = 0

    def ask(self) -> None:
        """The first byte of a request is about to be written: an answer may come."""
        self.asked = True
        self._left = HEAD_BYTES

    def headed(self) -> None:
        """The answer's header is there: its body may come, where it has not come with it."""
        if self.asked:
            self._left += self._largest

    def data_received(self, data: bytes) -> None:
        """Take what came, if something was asked and there is no end of it to be missed."""
        self._left -= len(data)
        if self._left >= 0 or not data:
            super().data_received(data)
        elif not self.asked:
            self.cut()
        else:
            self._give_up(BadHttpMessage("the answer has no end"))

    def _give_up(self, error: BadHttpMessage) -> None:
        payload = self._payload
        self.cut()
        self.set_exception(error)
        if payload is not None:
            payload.set_exception(error)

    def cut(self) -> None:
        """End the connection now and drop what was not sent, also in the kernel: it must not arrive later."""
        transport = self.transport
        if transport is not None:
            sock: socket.socket | None = transport.get_extra_info("socket")
            if sock is not None:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP_UNSENT)
            self.abort()

    def done(self) -> None:
        """The answer is complete: nothing more may come."""
        self.asked = False
        self._left = 0


def largest(body_limit: int) -> int:
    """How many bytes may come for a body of so many: chunks cost their sizes, which may be written at length."""
    return 4 * body_limit + HEAD_BYTES


class Connector(TCPConnector):
    """The pool of connections of one scheme, unlimited, every one of them judged by the guard."""

    def __init__(
        self,
        guard: Guard,
        scheme: str,
        resolver: AbstractResolver,
        *,
        dns_ttl: int,
        tls: ssl.SSLContext | None,
        body_limit: int,
    ) -> None:
        super().__init__(
            limit=0,
            keepalive_timeout=KEEPALIVE_SECONDS,
            ttl_dns_cache=dns_ttl,
            resolver=GuardedResolver(resolver, guard, scheme),
            socket_factory=sockets(guard, scheme),
            ssl=True if tls is None else tls,
        )
        self._factory = cast("partial[ResponseHandler]", partial(Conversation, largest(body_limit), loop=self._loop))
