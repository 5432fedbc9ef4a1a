"""Ports that several processes listen on: for each process sockets of its own, bound here and inherited by it.

A socket begins to listen in its process, and ends when nobody has it any more. So while one process replaces another
in order both accept from the same socket, and no connection is lost between them; when one is killed its socket is
given up with it, and the system gives new connections to the others.
"""

from __future__ import annotations

import socket
import time
from typing import Final

AGAIN_SECONDS: Final = 1.5
_PAUSE: Final = 0.1
_BOTH_STACKS: Final = ("", "*")


class Port:
    """`host`:`port` for several processes. Raises OSError where it cannot be bound, or somebody else listens on it."""

    def __init__(self, host: str, port: int) -> None:
        self._host = None if host in _BOTH_STACKS else host
        self.port = port
        until = time.monotonic() + AGAIN_SECONDS
        while True:
            try:
                for one in self._bound(shared=False):  # of two hubs on one port each would get half of the calls
                    one.close()
            except OSError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE)  # those of a supervisor that was killed may be about to go
            else:
                return

    def sockets(self) -> list[socket.socket]:
        """Those of one more process, one an address of the host; not listening yet. Raises OSError."""
        return self._bound(shared=True)

    def _bound(self, *, shared: bool) -> list[socket.socket]:
        found = socket.getaddrinfo(self._host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        made: list[socket.socket] = []
        try:
            for family, kind, protocol, _, address in dict.fromkeys(found):
                one = socket.socket(family, kind, protocol)
                made.append(one)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if shared:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind((address[0], self.port, *address[2:]))
                self.port = one.getsockname()[1]  # of port 0 the one that was given
                if not shared:
                    one.listen(1)
        except OSError:
            for one in made:
                one.close()
            raise
        return made
