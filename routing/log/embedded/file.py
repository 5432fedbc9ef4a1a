"""The file of the embedded log: its folder, its lock, its tables, and what stands in them at the start.

One table holds the batches of every topic. Its rowid is the topic's number in the upper bits and the first offset in
the lower ones, so that a topic's batches lie in order and a statement can insert for several topics at once.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from routing.log.port import Committed, LogError, LogUnusable, Position, TopicPartition

OFFSET_BITS: Final = 47
PAGE_SIZE: Final = 16384
_VERSION: Final = 1

_TABLES = """
BEGIN IMMEDIATE;
CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE topics (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL,
                     next INTEGER NOT NULL);
CREATE TABLE batches (id INTEGER PRIMARY KEY, append_time INTEGER NOT NULL, records INTEGER NOT NULL,
                      body BLOB NOT NULL);
CREATE TABLE readers (consumers TEXT NOT NULL, topic TEXT NOT NULL, PRIMARY KEY (consumers, topic)) WITHOUT ROWID;
CREATE TABLE commits (consumers TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, epoch INTEGER NOT NULL,
                      next INTEGER NOT NULL, clean INTEGER NOT NULL, begun_epoch INTEGER, begun_offset INTEGER,
                      PRIMARY KEY (consumers, topic, part)) WITHOUT ROWID;
"""

Commits = dict[str, dict[TopicPartition, Committed]]


class LogLocked(LogError):
    """Another process has the folder."""


@dataclass(slots=True, eq=False)
class Topic:
    """A topic while the log is open. `next` is the writer's, the next offset; `end` is as much as the loop knows."""

    number: int
    name: str
    epoch: int
    next: int
    end: int
    tps: tuple[TopicPartition, ...]

    def id(self, offset: int) -> int:
        """The rowid of a batch that begins at `offset`."""
        return self.number << OFFSET_BITS | offset


@dataclass(slots=True)
class Opened:
    """What the file held when it was opened. `readers`: the groups known for each topic."""

    topics: dict[str, Topic]
    commits: Commits = field(default_factory=dict)
    readers: dict[str, list[str]] = field(default_factory=dict)


class Folder:
    """A folder of this process alone, from `__init__` to `close`, or to the end of the process however it ends.

    Raises LogLocked when another one has it, LogUnusable when it cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "log.db"
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path / "log.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LogUnusable(f"the log's folder {path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._lock, 20).decode("ascii", "replace").strip()
            os.close(self._lock)
            raise LogLocked(
                f"the log in {path} is in use by another process{f' ({holder})' if holder else ''}: "
                "stop that one, or give this one a folder of its own; several processes together need HUB_LOG on Kafka"
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"pid {os.getpid()}".encode(), 0)

    def connect(self, *, write: bool) -> sqlite3.Connection:
        """A connection that any one thread may use. Raises sqlite3.Error."""
        connection = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False, timeout=10)
        if write:
            connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # the checkpointer's part
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("PRAGMA cache_size = -1024")
        return connection

    def close(self) -> None:
        os.close(self._lock)


def open_tables(
    connection: sqlite3.Connection, where: Path, names: Sequence[str], partitions: int, now: Callable[[], int]
) -> Opened:
    """Make the tables if there are none, and every topic that is new; read what is needed in memory.

    Raises LogUnusable, also for another number of partitions than the file was made with, and sqlite3.Error.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"{_TABLES} PRAGMA user_version = {_VERSION}; COMMIT")
    elif version != _VERSION:
        raise LogUnusable(f"the log in {where} was written by another release (format {version}, not {_VERSION})")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT OR IGNORE INTO settings VALUES ('partitions', ?)", (partitions,))
    for name in names:
        # The time is the epoch, so that a topic made anew, in a new file too, has a greater one.
        connection.execute(
            "INSERT OR IGNORE INTO topics (name, epoch, next) VALUES (?, max(?, 1 + (SELECT ifnull(max(epoch), 0)"
            " FROM topics)), 0)",
            (name, now()),
        )
    connection.execute("COMMIT")
    made_with = connection.execute("SELECT value FROM settings WHERE name = 'partitions'").fetchone()[0]
    if made_with != partitions:
        raise LogUnusable(
            f"the log in {where} was made with {made_with} partitions and cannot be opened with {partitions}: "
            "keep the number, or drain the log and begin with a new folder"
        )
    opened = Opened({})
    for number, name, epoch, after in connection.execute("SELECT number, name, epoch, next FROM topics").fetchall():
        if name in names:
            end = max(after, _end(connection, number))
            tps = tuple(TopicPartition(name, partition) for partition in range(partitions))
            opened.topics[name] = Topic(number, name, epoch, end, end, tps)
    for group, name in connection.execute("SELECT consumers, topic FROM readers"):
        opened.readers.setdefault(name, []).append(group)
    for group, name, part, epoch, after, clean, *begun in connection.execute("SELECT * FROM commits"):
        committed = Committed(Position(epoch, after), bool(clean), None if begun[0] is None else Position(*begun))
        opened.commits.setdefault(group, {})[TopicPartition(name, part)] = committed
    return opened


def _end(connection: sqlite3.Connection, number: int) -> int:
    row = connection.execute(
        "SELECT id, records FROM batches WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1",
        (number << OFFSET_BITS, number + 1 << OFFSET_BITS),
    ).fetchone()
    return 0 if row is None else (row[0] & (1 << OFFSET_BITS) - 1) + row[1]
