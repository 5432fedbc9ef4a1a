"""A process of the demo: the command line of the hub, ended by SIGTERM when the demo that started it is gone.

`python -m hub.demo.child PID serve ...`, where PID is the demo's.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

_LOOK_SECONDS = 0.5


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the command line with the words after the first."""
    parent = int(sys.argv.pop(1))
    threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()
    from hub.cli.main import main as command_line  # noqa: PLC0415 - watched from the first moment on

    command_line()


if __name__ == "__main__":
    main()
