"""`python -m tests.bench.pinned CORES COMMAND ...`: the command on these cores, killed when its parent ends.

A process that a killed benchmark leaves behind would spoil every measurement after it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(cores: str, *command: str) -> None:
    """Become the command. `cores` is a list such as `0` or `1,2`."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the benchmark ended meanwhile")
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
