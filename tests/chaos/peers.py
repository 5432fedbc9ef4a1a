"""Which process a connection comes from: the recipients of a fleet tell its workers apart by it (Linux)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_SOCKET = re.compile(r"socket:\[(\d+)\]")


def owner(port: int, to: int, pids: Iterable[int]) -> int | None:
    """The process among `pids` that is connected on the loopback from this port to that one; None where none is.

    Both say which connection it is: a port may be the near end of several, of several processes.
    """
    inode = _inode(port, to)
    return next((pid for pid in pids if inode in _inodes(pid)), None) if inode else None


def _inode(port: int, to: int) -> str | None:
    wanted = [f"0100007F:{port:04X}", f"0100007F:{to:04X}"]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == wanted and fields[9] != "0":
            return fields[9]
    return None


def _inodes(pid: int) -> set[str]:
    found: set[str] = set()
    try:
        files = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return found  # it has ended
    for file in files:
        try:
            link = str(file.readlink())
        except OSError:
            continue
        if match := _SOCKET.match(link):
            found.add(match.group(1))
    return found
