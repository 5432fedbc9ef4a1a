"""The line between a supervisor and one of its processes: words, one a line, both ways.

The process tells how far it is: `standing` (everything but the worker's membership is there), `ready`, `drained`. It is
told `go` (take part), `end` (drain), and `leave` or `stay` (end now; and whether its name comes back, so that its
partitions wait for it). A line that is cut means that the supervisor is gone: the process then ends as for SIGTERM.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

STANDING: Final = "standing"
READY: Final = "ready"
DRAINED: Final = "drained"

GO: Final = "go"
END: Final = "end"
LEAVE: Final = "leave"
STAY: Final = "stay"


class Orders:
    """The end of the process. Without a supervisor it goes at once, and parts when it is drained."""

    def __init__(self, *, stay: bool) -> None:
        """`stay` is how it parts where nobody says."""
        self.go = asyncio.Event()
        self.end = asyncio.Event()
        self.part = asyncio.Event()
        self.stay = stay
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    def alone(self) -> None:
        """There is no supervisor."""
        self.go.set()
        self.part.set()

    async def listen(self, descriptor: int) -> None:
        """The line is this descriptor."""
        reader, self._writer = await asyncio.open_connection(sock=socket.socket(fileno=descriptor))
        self._listening = asyncio.create_task(self._hear(reader), name="orders")

    def tell(self, word: str) -> None:
        """Never waits; a supervisor that is gone hears nothing."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(f"{word}\n".encode())

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        while word := (await _line(reader)):
            if word == GO:
                self.go.set()
            elif word == END:
                self.end.set()
            elif word in (LEAVE, STAY):
                self.stay = word == STAY
                self.part.set()
        self.end.set()
        self.part.set()


async def _line(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readline()).decode().strip()
    except ConnectionError:
        return ""
