"""The one thread that writes: takes all that waits, commits it with one sync, and tells the event loop once.

A batch of appends alone is a single INSERT outside a transaction, hence a single step of SQLite: the thread gives up
the interpreter's lock once for the work and the sync, and a busy event loop holds it up only once.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final

from routing.log.embedded.checkpointer import checkpoint
from routing.log.embedded.file import PAGE_SIZE, Topic
from routing.log.embedded.records import Batch, encode
from routing.log.embedded.work import Append, Job, Landed, SaveCommits

BATCH_RECORDS: Final = 1024
BATCH_BYTES: Final = 2 * 2**20
_PROBE_EVERY = 1.0  # seconds between attempts to write while the disk is in trouble
_PROBE_BYTES = 262_144
_CERTAIN = {  # a commit that failed so left no whole transaction in the file: the record is certainly not there
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_NOMEM,
}


class Writer(threading.Thread):
    """The thread. `append` and `submit` belong to the event loop; `landed` is called there, once a commit.

    `wrote` is called in the thread with the bytes of each commit. `before_commit` is for tests.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], int],
        landed: Callable[[Landed], None],
        wrote: Callable[[int], None],
        before_commit: Callable[[], None] | None,
    ) -> None:
        super().__init__(name="log-writer", daemon=True)
        self.trouble: str | None = None
        self.busy_since: float | None = None
        self.rest_to_move = False  # set by the checkpointer
        self._connection = connection
        self._loop = loop
        self._clock = clock
        self._landed = landed
        self._wrote = wrote
        self._before_commit = before_commit
        self._appends: deque[Append] = deque()
        self._others: deque[SaveCommits | Job] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._idle = False
        self._closing = False
        self._inserts: dict[int, str] = {}

    def append(self, item: Append) -> None:
        self._appends.append(item)
        if self._idle:
            self._ring()

    def submit(self, item: SaveCommits | Job) -> None:
        self._others.append(item)
        if self._idle:
            self._ring()

    def finish(self) -> None:
        """Write what waits, then end."""
        self._closing = True
        self._bell.put(None)

    def _ring(self) -> None:
        self._idle = False
        self._loop.call_soon(self._bell.put, None)  # later, so that all that this turn of the loop brings comes along

    def run(self) -> None:
        while True:
            self.busy_since = None
            if not self._wait():
                return
            self.busy_since = time.monotonic()
            self._tell(self._write(*self._take()))
            if self.rest_to_move:
                self.rest_to_move = False
                checkpoint(self._connection)

    def _wait(self) -> bool:
        """Until something waits; false at the end."""
        while not (self._appends or self._others):
            if self._closing:
                return False
            self._idle = True
            if not (self._appends or self._others or self._closing):
                try:
                    self._bell.get(timeout=_PROBE_EVERY if self.trouble else None)
                except Empty:
                    self._probe()
            self._idle = False
        return True

    def _take(self) -> tuple[list[Append], list[SaveCommits | Job]]:
        appends: list[Append] = []
        room = BATCH_BYTES
        waiting = self._appends
        while waiting and room > 0 and len(appends) < BATCH_RECORDS:
            item = waiting.popleft()
            room -= item.size
            appends.append(item)
        others: list[SaveCommits | Job] = []
        while self._others:
            others.append(self._others.popleft())
        return appends, others

    def _write(self, appends: list[Append], others: list[SaveCommits | Job]) -> Landed:
        batches: list[tuple[Topic, Batch, Sequence[Append]]] = []
        try:
            if self._before_commit is not None:
                self._before_commit()
            statement, values, size = self._lay_out(appends, batches)
            if not others:
                self._connection.execute(statement, values)
            else:
                self._connection.execute("BEGIN IMMEDIATE")
                for other in others:
                    other.run(self._connection)
                if statement:
                    self._connection.execute(statement, values)
                self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it was, those who wait are told and the thread goes on
            certain = self._roll_back(error)
            self.trouble = f"the log cannot be written: {error}"
            return Landed(appends, (), others, error, certain)
        self.trouble = None
        self._wrote(size + 2 * PAGE_SIZE)
        return Landed(appends, batches, others)

    def _lay_out(
        self, appends: Sequence[Append], batches: list[tuple[Topic, Batch, Sequence[Append]]]
    ) -> tuple[str, list[Any], int]:
        """Give out offsets; the statement that inserts all, its values, and their bytes."""
        by_topic: dict[Topic, list[Append]] = {}
        for item in appends:
            of_topic = by_topic.get(item.topic)
            if of_topic is None:
                of_topic = by_topic[item.topic] = []
            of_topic.append(item)
        now = self._clock()
        values: list[Any] = []
        size = 0
        for topic, items in by_topic.items():
            blob = encode(items)
            base = topic.next
            topic.next = base + len(items)
            values += (topic.id(base), now, len(items), blob)
            size += len(blob)
            batches.append((topic, Batch(base, now, items, len(blob) + 500 * len(items)), items))
        rows = len(by_topic)
        statement = self._inserts.get(rows)
        if statement is None:
            statement = f"INSERT INTO batches VALUES {', '.join(['(?, ?, ?, ?)'] * rows)}" if rows else ""  # noqa: S608
            self._inserts[rows] = statement
        return statement, values, size

    def _roll_back(self, error: Exception) -> bool:
        """Whether it is certain that nothing was written."""
        code = getattr(error, "sqlite_errorcode", None)
        certain = not isinstance(error, sqlite3.Error) or code in _CERTAIN or (code or 0) & 0xFF in _CERTAIN
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            certain = False
        return certain

    def _probe(self) -> None:
        """Nobody may publish while there is trouble, so the thread itself finds out whether it is over."""
        try:
            if self._before_commit is not None:
                self._before_commit()
            self._connection.execute("INSERT OR REPLACE INTO batches VALUES (-1, 0, 0, zeroblob(?))", (_PROBE_BYTES,))
            self._connection.execute("DELETE FROM batches WHERE id = -1")
            self.trouble = None
        except sqlite3.Error as error:
            self._roll_back(error)
            self.trouble = f"the log cannot be written: {error}"

    def _tell(self, landed: Landed) -> None:
        try:
            self._loop.call_soon_threadsafe(self._landed, landed)
        except RuntimeError:  # the loop was closed without close(): nobody waits any more
            self._closing = True
