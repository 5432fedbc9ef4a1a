"""Ends the engines of a test run when the run ends, in whatever way: python -m tests.engines.keeper FOLDER.

The run holds the other end of this process's standard input. When that closes, every engine below the folder is
killed and the folder removed, unless a file `keep` stands in it. This process stands in a session of its own, so no
Ctrl-C reaches it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.engines.process import FILE, ROOT, Process

KEEP: Final = "keep"
_SWEEPS: Final = 4
_BETWEEN_SECONDS: Final = 0.25
_END_SECONDS: Final = 60


class Kept:
    """A folder for a run's engines, with its keeper."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.engines.keeper", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )

    def end(self) -> None:
        """The engines have ended and the folder is gone when this returns."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(_END_SECONDS)


def main(folder: Path) -> None:
    """Wait, then tidy up. A few sweeps: a worker of a run that was killed may begin an engine meanwhile."""
    sys.stdin.buffer.read()
    for sweep in range(_SWEEPS):
        found = list(folder.rglob(FILE))
        for file in found:
            Process(file.parent).kill()
        if not (folder / KEEP).exists():
            shutil.rmtree(folder, ignore_errors=True)
        if not found and sweep:
            break
        time.sleep(_BETWEEN_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
