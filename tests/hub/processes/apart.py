"""`python -m tests.hub.processes.apart serve --processes N`: every process with embedded engines of its own.

So what a supervisor and its processes do together is tested where there is no Kafka and no MongoDB.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hub.processes import engines
from hub.processes.place import VARIABLE
from hub.settings import Settings
from routing.log.embedded import EmbeddedLog
from routing.log.port import Log
from routing.store.embedded import EmbeddedStore
from routing.store.port import Store
from routing.topics import PUBLIC


def main() -> None:
    """The command line of the hub, but for the engines."""
    failing = os.environ.get("FAILS_AT_START")
    if failing and VARIABLE in os.environ and Path(failing).exists():
        sys.exit(int(Path(failing).read_text()))
    engines.make_log = _log
    engines.make_store = _store
    from hub.cli.main import main as hub

    sys.argv[0] = "ocpi-hub"
    hub()


def _folder(settings: Settings) -> Path:
    folder = settings.data_folder / str(os.getpid())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _log(settings: Settings, settle: float, *, named: bool) -> Log:
    del named
    return EmbeddedLog(_folder(settings), PUBLIC, settle=settle)


def _store(settings: Settings) -> Store:
    return EmbeddedStore(_folder(settings))


if __name__ == "__main__":
    main()
