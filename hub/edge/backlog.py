"""The end of listening: whoever is connected by then is served, though nobody has accepted them yet.

The system completes a connection before it is accepted. To close a listening socket resets those that wait there, which
to their callers is a call that failed.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress


async def end_listening(
    servers: Iterable[asyncio.Server], protocol: Callable[[], asyncio.BaseProtocol], most: int
) -> None:
    """Close these servers, and serve at `most` so many that wait to be accepted by each of their sockets."""
    servers = list(servers)
    kept = [socket.socket(fileno=os.dup(one.fileno())) for server in servers for one in server.sockets]
    for server in servers:
        server.close()
    waiting = []
    for listener in kept:
        with listener:
            waiting += _accepted(listener, most)
    loop = asyncio.get_running_loop()
    for one in waiting:
        with suppress(OSError):  # the caller is gone again
            await loop.connect_accepted_socket(protocol, one)


def _accepted(listener: socket.socket, most: int) -> list[socket.socket]:
    listener.setblocking(False)
    found: list[socket.socket] = []
    with suppress(OSError):  # nobody waits any more
        while len(found) < most:
            one, _ = listener.accept()
            one.setblocking(False)
            found.append(one)
    return found
