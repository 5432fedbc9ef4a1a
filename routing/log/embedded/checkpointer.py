"""Moves what was committed from the write-ahead log into the file, beside the writer.

A checkpoint beside a writer never ends with everything moved, because more came meanwhile; then the write-ahead log
would grow for ever. So the bulk is moved here, and the writer itself moves the small rest between two commits, after
which it begins the write-ahead log anew. Where the disk moves less than the writer writes, the writer waits.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

_log = logging.getLogger(__name__)

EVERY: Final = 16 * 2**20  # bytes written between two checkpoints
MOST: Final = 32 * 2**20  # bytes written while one is under way


class Checkpointer(threading.Thread):
    """`rest` is called in this thread when the bulk was moved."""

    def __init__(self, connection: sqlite3.Connection, rest: Callable[[], None]) -> None:
        super().__init__(name="log-checkpointer", daemon=True)
        self._connection = connection
        self._rest = rest
        self._bell: SimpleQueue[bool] = SimpleQueue()
        self._written = 0
        self._at_rest = threading.Event()
        self._at_rest.set()

    def wrote(self, size: int) -> None:
        """Called by the writer after each commit; returns late where the disk does not keep up."""
        self._written += size
        if self._written >= MOST:
            self._at_rest.wait()
        if self._written >= EVERY and self._at_rest.is_set():
            self._at_rest.clear()
            self._written = 0
            self._bell.put(True)

    def run(self) -> None:
        while self._bell.get():
            checkpoint(self._connection)
            self._rest()
            self._at_rest.set()
        self._connection.close()

    def finish(self) -> None:
        """Once the writer has ended."""
        self._bell.put(False)


def checkpoint(connection: sqlite3.Connection, mode: str = "PASSIVE") -> None:
    """Move what can be moved now. A failure costs nothing but a longer write-ahead log; it is logged."""
    try:
        connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
    except sqlite3.Error as error:
        _log.warning("checkpoint of the log failed: %s", error)
