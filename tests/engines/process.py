"""A process that may outlive who started it: known by a file, and never mistaken for another of the same pid."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = "process.json"
PORTS: Final = range(10_000, 20_000)
"""Those of the engines. The suite's own servers take ports above, so that none slips in while an engine is down."""

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Identity:
    """What no second process has: its pid, when it began (clock ticks since boot), and in which boot."""

    pid: int
    began: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Of a process that runs; None where it has ended, also while nobody has asked for its exit code."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]), _BOOT.read_text().strip())

    @property
    def running(self) -> bool:
        return Identity.of(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.running:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass


class Process:
    """The one process of a folder: `process.json` says which, `printed` keeps what it printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.printed = folder / "printed"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def identity(self) -> Identity | None:
        """Of the process that was begun last, whether it runs or not."""
        try:
            return Identity(**json.loads((self.folder / FILE).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def running(self) -> bool:
        found = self.identity
        return found is not None and found.running

    def begin(self, command: Sequence[str]) -> None:
        """Begin it in a session of its own, which no Ctrl-C and no end of its starter reaches."""
        with self.printed.open("ab") as out:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder, start_new_session=True
            )
        note(self.folder, self._child.pid)

    def signal(self, number: signal.Signals) -> None:
        found = self.identity
        if found is not None:
            found.signal(number)

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP has reached all of its threads; a busy machine takes its time."""
        found = self.identity
        tasks = Path(f"/proc/{found.pid}/task").glob("*/stat") if found else ()
        return all(task.read_text().rpartition(")")[2].split()[0] in "Tt" for task in tasks)

    def wait(self, within: float) -> bool:
        """Whether it ended within so many seconds."""
        until = time.monotonic() + within
        while self.running:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        if self._child is not None:
            self._child.wait()
            self._child = None
        return True

    def end(self, within: float) -> None:
        """SIGTERM (a paused one goes on first), and SIGKILL to one that is still there after `within` seconds."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        if not self.wait(within):
            self.kill()

    def kill(self) -> None:
        """SIGKILL; back when it has ended."""
        self.signal(signal.SIGKILL)
        self.wait(30)


def note(folder: Path, pid: int) -> None:
    """Write down that this is the process of a folder."""
    found = Identity.of(pid)
    if found is not None:
        filling = folder / f"{FILE}.new"
        filling.write_text(json.dumps(asdict(found)))
        filling.rename(folder / FILE)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    found: list[int] = []
    while len(found) < count:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found
