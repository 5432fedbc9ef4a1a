"""One process of several, as its supervisor sees it: started, told what to do, ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hub.processes import orders
from hub.processes.board import state_file
from hub.processes.place import Place


@dataclass(frozen=True, slots=True)
class Seat:
    """What a process is started with: its place among the others, the sockets it listens on, the run's lock."""

    number: int
    of: int
    edge: tuple[socket.socket, ...]
    operator: tuple[socket.socket, ...]
    folder: Path
    locks: tuple[int, ...]
    member: str


class Child:
    """A process that runs this command line again, in its seat. `start` it first."""

    def __init__(self, seat: Seat, *, heard: Callable[[str], None]) -> None:
        """`heard` is called with each word that it says."""
        self.seat = seat
        self.standing = asyncio.Event()
        self.ready = asyncio.Event()
        self.drained = asyncio.Event()
        self.ended = asyncio.Event()
        self.code: int | None = None
        self.asked = False
        """Whether its supervisor wanted it to end."""
        self._heard = heard
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    async def start(self) -> None:
        """Begin it. Raises OSError where the system has no room for one more."""
        ours, theirs = socket.socketpair()
        with theirs:
            seat = self.seat
            place = Place(
                number=seat.number,
                of=seat.of,
                orders=theirs.fileno(),
                edge=tuple(one.fileno() for one in seat.edge),
                operator=tuple(one.fileno() for one in seat.operator),
                folder=seat.folder,
                member=seat.member,
            )
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *sys.orig_argv[1:],
                env={**os.environ, **place.variable()}, stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(place.orders, *place.edge, *place.operator, *seat.locks),
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which ends all in order
            )  # fmt: skip
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._tasks = [asyncio.create_task(self._hear(reader)), asyncio.create_task(self._wait(self._process))]

    def tell(self, *words: str) -> None:
        """Never waits; one that has ended hears nothing."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write("".join(f"{word}\n" for word in words).encode())

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    async def end(self, *words: str, within: float) -> None:
        """Told to end, and killed where it has not after so many seconds."""
        self.asked = True
        self.tell(*words)
        try:
            await asyncio.wait_for(self.ended.wait(), within)
        except TimeoutError:
            self.kill()
            await self.ended.wait()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        known = {orders.STANDING: self.standing, orders.READY: self.ready, orders.DRAINED: self.drained}
        with suppress(ConnectionError):
            while line := await reader.readline():
                word = line.decode().strip()
                if word in known:
                    known[word].set()
                    self._heard(word)

    async def _wait(self, process: asyncio.subprocess.Process) -> None:
        self.code = await process.wait()
        state_file(self.seat.folder, process.pid).unlink(missing_ok=True)
        if self._writer is not None:
            self._writer.close()
        self.drained.set()
        self.ended.set()
