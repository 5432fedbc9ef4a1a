"""The machine as /proc tells it: cores, CPU time and memory of processes, and who else uses the hub's core (Linux)."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cores:
    """`tested`: the core of the hub and of its references, one at a time. `others`: those of everything else."""

    tested: frozenset[int]
    others: frozenset[int]

    @property
    def shared(self) -> bool:
        """Whether there is only one core, so that the figures say little."""
        return self.tested == self.others


def cores() -> Cores:
    """The first core that this process may use, and the others."""
    allowed = frozenset(os.sched_getaffinity(0))
    tested = frozenset({min(allowed)})
    return Cores(tested, allowed - tested or tested)


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, at = [pid], 0
    while at < len(found):
        found += parents.get(found[at], ())
        at += 1
    return found


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of these processes since they began, all threads, in seconds (a hundredth exact)."""
    return sum(int(fields[11]) + int(fields[12]) for pid in pids if (fields := _stat(pid))) * _TICK


def core_seconds(core: int) -> float:
    """How long a core has worked for any process since the machine began, in seconds."""
    for line in (_PROC / "stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system = line.split()[1:4]
            return (int(user) + int(nice) + int(system)) * _TICK
    return 0.0


def rss_mib(pids: list[int]) -> float:
    """The resident memory of these processes, in MiB."""
    total = 0
    for pid in pids:
        try:
            status = (_PROC / str(pid) / "status").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return total / 1024


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty when the process has gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
