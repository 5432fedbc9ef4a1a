"""What both engines are: a server in a folder of its own, on ports that stay, with a life that tests may end."""

from __future__ import annotations

import json
import shutil
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final, Self

import psutil

from tests.engines.process import Process, free_ports

READY_SECONDS: Final = 100.0
_STOP_SECONDS: Final = 30.0
_TRIES: Final = 3
_TOLD: Final = 3000


class EngineFailed(AssertionError):
    """An engine did not start; the sentence ends with what it printed last."""


class Engine(ABC):
    """One server. Its folder keeps data, ports, what it prints and which process it is."""

    name: ClassVar[str]
    ports_needed: ClassVar[int]
    port_taken: ClassVar[str]
    """What it prints where one of its ports is somebody else's."""
    chatter: ClassVar[str] = "\0"
    """A line with this in it is none that an error needs to show."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.process = Process(self.folder)

    # --- what each engine says -----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def address(self) -> str:
        """How a client finds it; the same over all restarts. Raises EngineFailed before the first start."""

    @abstractmethod
    def prepare(self) -> None:
        """Make its folder ready for the first start, the ports being chosen. Raises NotHere."""

    @abstractmethod
    def command(self) -> list[str]:
        """What is run. Raises NotHere."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves its clients now. Takes a few seconds at most."""

    # --- life ----------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return self.process.running

    def start(self, within: float = READY_SECONDS) -> Self:
        """Start it, or again on the same ports and data; back when it serves. Does nothing to one that runs.

        Raises EngineFailed, and NotHere where its program cannot be had.
        """
        for _ in range(_TRIES):
            first = not (self.folder / "ready").exists()
            if first:
                self._make_folder()
            if not self.running:
                self.process.begin(self.command())
            if self._ready(within):
                (self.folder / "ready").touch()
                return self
            told = self.printed()
            self.process.kill()
            if not first or self.port_taken not in told:
                break
        lines = [line for line in told.splitlines() if self.chatter not in line]
        last = "\n".join(lines)[-_TOLD:]
        raise EngineFailed(f"{self.name} did not get ready ({self.folder}). It printed last:\n{last}")

    def begin(self) -> None:
        """Start it again and do not wait. It was started before."""
        self.process.begin(self.command())

    def stop(self) -> None:
        """End it in order (SIGTERM); one that does not end is killed."""
        self.process.end(_STOP_SECONDS)

    def kill(self) -> None:
        """kill -9; back when it has ended."""
        self.process.kill()

    def pause(self) -> None:
        """SIGSTOP: its connections stay open and nothing answers. Back when it stands still."""
        self.process.signal(signal.SIGSTOP)
        until = time.monotonic() + _STOP_SECONDS
        while not self.process.stopped and time.monotonic() < until:
            time.sleep(0.005)

    def go_on(self) -> None:
        """SIGCONT."""
        self.process.signal(signal.SIGCONT)

    def restart(self) -> None:
        """End it in order and start it again."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Kill it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def printed(self) -> str:
        """Everything that it printed."""
        return self.process.printed.read_text(errors="replace") if self.process.printed.exists() else ""

    # --- inside --------------------------------------------------------------------------------------------------

    @property
    def ports(self) -> list[int]:
        """Chosen at the first start. Raises EngineFailed before."""
        try:
            found: list[int] = json.loads((self.folder / "ports.json").read_text())
        except OSError:
            raise EngineFailed(f"{self.name} was never started in {self.folder}") from None
        return found

    def _make_folder(self) -> None:
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "ports.json").write_text(json.dumps(free_ports(self.ports_needed)))
        self.prepare()

    def _ready(self, within: float) -> bool:
        until = time.monotonic() + within
        while time.monotonic() < until and self.running:
            if self._listens() and self.answers():
                return True
            time.sleep(0.05)
        return False

    def _listens(self) -> bool:
        """Whether the port is its own process's: what answers there could be somebody else's."""
        found = self.process.identity
        try:
            listening = psutil.Process(found.pid).net_connections("tcp") if found else []
        except psutil.Error:
            return False
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == self.ports[0] for each in listening)
