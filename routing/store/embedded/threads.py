"""Threads that own a SQLite connection: SQLite blocks, so the event loop never calls it.

Work is queued as closures. A thread takes everything that is queued at once, and gives all results back to the event
loop by one call, because waking the loop costs more than a point read. The one writer commits everything that was
queued in one transaction, so callers share an fsync.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from routing.store.port import Conflict, LeaseLost, StoreAway, Taken

T = TypeVar("T")

_BATCH: Final = 512
_PROBE_SECONDS: Final = 1.0
_CALLER_DEFECTS: Final = (sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.IntegrityError)


@dataclass(slots=True)
class Job:
    """Something to do with the connection. `landed` is called in the event loop once it is done (and durable)."""

    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    landed: Callable[[], None] | None = None
    value: Any = None
    error: Exception | None = None


class Reader:
    """One thread that does jobs one by one on its own connection."""

    verb: str = "read"

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._name = name
        self._connect = connect
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None] | None = None
        self._trouble: str | None = None

    async def start(self) -> None:
        """Open the connection, in the thread; raises what `connect` raises."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        ended: asyncio.Future[None] = loop.create_future()
        threading.Thread(target=self._run, args=(loop, opened, ended), name=self._name, daemon=True).start()
        await opened
        self._loop, self._ended = loop, ended

    async def close(self) -> None:
        """What is queued is still done; then the connection is closed."""
        ended, self._loop, self._ended = self._ended, None, None
        if ended is not None:
            self._queue.put(None)
            await ended

    def trouble(self) -> str | None:
        return self._trouble

    def submit(
        self, work: Callable[[sqlite3.Connection], T], *, landed: Callable[[], None] | None = None
    ) -> asyncio.Future[T]:
        """Queue work; the future raises StoreAway when it could not be done. Raises StoreAway when not started."""
        if self._loop is None:
            raise StoreAway("the store is not open")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(Job(work, future, landed))
        return future

    # --- in the thread -----------------------------------------------------------------------------------------------

    def _run(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None], ended: asyncio.Future[None]) -> None:
        try:
            connection = self._connect()
        except Exception as error:  # noqa: BLE001 - handed on to who started the thread
            _call(loop, _fail, opened, error)
            return
        _call(loop, _succeed, opened)
        try:
            while jobs := self._take(connection):
                self._do(connection, jobs)
                _call(loop, _resolve, jobs)
        finally:
            try:
                connection.close()
            finally:
                _call(loop, _succeed, ended)

    def _take(self, connection: sqlite3.Connection) -> list[Job]:
        """Everything that is queued, at least one job; empty when the store is being closed."""
        while True:
            try:
                first = self._queue.get(timeout=None if self._trouble is None else _PROBE_SECONDS)
                break
            except queue.Empty:
                self._probe(connection)
        jobs: list[Job] = []
        while first is not None:
            jobs.append(first)
            if len(jobs) == _BATCH:
                return jobs
            try:
                first = self._queue.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._queue.put(None)  # the end comes after these
        return jobs

    def _do(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
        for job in jobs:
            try:
                job.value = job.work(connection)
            except Exception as error:  # noqa: BLE001 - handed on to who asked
                with suppress(sqlite3.Error):
                    connection.rollback()
                job.error = self._judged(error)
            else:
                self._trouble = None

    def _probe(self, connection: sqlite3.Connection) -> None:
        """Nobody may be asking any more, so whether the trouble is over is found out here."""
        try:
            connection.execute("SELECT value FROM counters").fetchall()
        except sqlite3.Error as error:
            self._judged(error)
        else:
            self._trouble = None

    def _judged(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.Error) and not isinstance(error, _CALLER_DEFECTS):
            self._trouble = f"the store cannot {self.verb}: {error}"
            away = StoreAway(self._trouble)
            away.__cause__ = error
            return away
        return error


class Writer(Reader):
    """The one thread that writes, a transaction for everything that is queued.

    A job checks before it writes: when it raises Conflict, Taken or LeaseLost it has written nothing, and its
    neighbours go on.
    """

    verb = "write"

    def _do(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
        try:
            self._commit(connection, jobs)
        except Exception as error:  # noqa: BLE001 - handed on to who asked
            judged = self._judged(error)
            if len(jobs) > 1 and not isinstance(judged, StoreAway):
                # One of them is defective, and may have written a part: it alone shall fail.
                for job in jobs:
                    self._do(connection, (job,))
                return
            for job in jobs:
                job.error = judged
        else:
            self._trouble = None

    def _commit(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.error = None
                try:
                    job.value = job.work(connection)
                except (Conflict, Taken, LeaseLost) as refused:
                    job.error = refused
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _probe(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'marks'")
        except sqlite3.Error as error:
            self._judged(error)
        else:
            self._trouble = None


# --- in the event loop -----------------------------------------------------------------------------------------------


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: object) -> None:
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        if not loop.is_closed():  # a loop that ended without closing the store has nobody left who waits
            raise


def _resolve(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.error is None:
            if not job.future.done():
                job.future.set_result(job.value)
            if job.landed is not None:
                job.landed()
        elif not job.future.done():
            job.future.set_exception(job.error)


def _succeed(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
