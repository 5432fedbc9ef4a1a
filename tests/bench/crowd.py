"""Connections that are only a burden: some idle after one call, some ask again whatever they are answered."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

_AT_ONCE = 200
_PAUSE = 0.25  # between so many, so that nothing of it is refused for its pace


class Insisting(asyncio.Protocol):
    """Says the same again after each answer, so often; an answer is small enough to come in one piece."""

    def __init__(self, said: bytes, times: int | None) -> None:
        self._said = said
        self._left = times
        self.answers = 0
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self.answers += 1
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def _ask(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                return
        self.transport.write(self._said)


@asynccontextmanager
async def crowd(port: int, said: bytes, count: int, *, times: int | None = None) -> AsyncIterator[list[Insisting]]:
    """So many connections to this port of the loopback that say this, `times` or without end; cut off at the end.

    Eight hundred are made in a second.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loop, made = asyncio.get_running_loop(), list[Insisting]()
    try:
        while len(made) < count:
            some = [
                loop.create_connection(lambda: Insisting(said, times), "127.0.0.1", port)
                for _ in range(min(_AT_ONCE, count - len(made)))
            ]
            made += [protocol for _, protocol in await asyncio.gather(*some)]
            await asyncio.sleep(_PAUSE)
        yield made
    finally:
        for one in made:
            one.transport.abort()
        await asyncio.sleep(0.5)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
