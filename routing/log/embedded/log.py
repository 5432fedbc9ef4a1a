"""The embedded log: a SQLite file for one process, put together from its writer, tail, reader and checkpointer."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from routing.clock import SystemClock
from routing.log.embedded.checkpointer import Checkpointer, checkpoint
from routing.log.embedded.cursors import EmbeddedCursors
from routing.log.embedded.file import Folder, Opened, Topic, open_tables
from routing.log.embedded.reader import Reader, since
from routing.log.embedded.records import MAX_KEY, MAX_NAME
from routing.log.embedded.tail import Tail
from routing.log.embedded.trim import delete, plan, settled_by
from routing.log.embedded.waiting import Waiting
from routing.log.embedded.work import Answer, Append, Job, Landed, SaveCommits, Together
from routing.log.embedded.writer import Writer
from routing.log.local import LocalConsumer
from routing.log.members import Group
from routing.log.port import (
    Committed,
    Headers,
    LogAway,
    LogUnusable,
    Position,
    Published,
    PublishRefused,
    ReplyTo,
    TopicPartition,
    partition_of,
)

DAY_MS: Final = 86_400_000
_utc = SystemClock().utc
_STALLED = 2.0  # seconds that one commit may take before readiness says so


class EmbeddedLog:
    """The log port over `folder`/log.db.

    `topics` are all there are; `clock` is UTC ms; `retention_ms` is what `trim` keeps at least; `settle` is how many
    seconds a listener may take over `revoked`; `tail_bytes` is how much of the newest records stays in memory,
    `queue_bytes` how much may wait for the disk before publishing is refused. `before_commit` is called in the
    writer's thread before each commit: a test's way to a slow or failing disk.
    """

    def __init__(
        self,
        folder: Path,
        topics: Sequence[str],
        *,
        partitions: int = 24,
        retention_ms: int = DAY_MS,
        settle: float = 10.0,
        tail_bytes: int = 16 * 2**20,
        queue_bytes: int = 64 * 2**20,
        clock: Callable[[], int] = _utc,
        before_commit: Callable[[], None] | None = None,
    ) -> None:
        self._path = folder
        self._names = tuple(topics)
        self._partitions = partitions
        self._retention_ms = retention_ms
        self._settle = settle
        self._tail_bytes = tail_bytes
        self._queue_bytes = queue_bytes
        self._clock = clock
        self._before_commit = before_commit
        self._topics: dict[str, Topic] = {}
        self._groups: dict[str, Group] = {}
        self._consumers: list[tuple[LocalConsumer, frozenset[str], EmbeddedCursors]] = []
        self._replies: dict[str, Callable[[Headers, bytes], None]] = {}
        self._accepting = False

    @property
    def partitions(self) -> int:
        return self._partitions

    @property
    def held_bytes(self) -> int:
        """What records take in memory: those that wait for the disk, the tail, and what consumers read from disk."""
        return self._waiting.bytes + self._tail.bytes + sum(cursors.kept_bytes for _, _, cursors in self._consumers)

    async def start(self) -> None:
        """Raises LogLocked when another process has the folder, LogUnusable when it cannot be used."""
        self._loop = asyncio.get_running_loop()
        self._opened = await asyncio.to_thread(self._open)
        self._topics = self._opened.topics
        self._waiting = Waiting(self._loop)
        self._tail = Tail(list(self._topics.values()), self._tail_bytes)
        self._checkpointer = Checkpointer(self._folder.connect(write=False), self._checkpoint_rest)
        self._writer = Writer(
            self._connection, self._loop, self._clock, self._landed, self._checkpointer.wrote, self._before_commit
        )
        self._reader = Reader(self._folder.connect(write=False))
        self._writer.start()
        self._checkpointer.start()
        self._accepting = True

    async def close(self) -> None:
        if not self._accepting:
            return
        self._accepting = False
        for consumer, _, _ in list(self._consumers):
            consumer.abandon()
        self._writer.finish()
        await asyncio.to_thread(self._shut)
        self._waiting.close()
        self._replies.clear()

    async def publish(self, topic: str, key: bytes, headers: Headers, value: bytes, *, within: float) -> Published:
        future: asyncio.Future[Published] = self._loop.create_future()
        self._append(self._taking(topic), key, headers, value, future, self._loop.time() + within)
        return await future

    def publish_all(
        self, topic: str, records: Sequence[tuple[bytes, Headers, bytes]], *, within: float
    ) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        together = Together(len(records), done)
        until = self._loop.time() + within
        try:
            to = self._taking(topic)
            for key, headers, value in records:
                self._append(to, key, headers, value, together, until)
        except PublishRefused as error:
            together.set_exception(error)
        return done

    def _taking(self, topic: str) -> Topic:
        """The topic, if records may be appended now."""
        to = self._topics.get(topic)
        if to is None or not self._accepting:
            raise PublishRefused(f"there is no topic {topic}" if self._accepting else "the log is closed")
        if self._waiting.bytes > self._queue_bytes:
            raise PublishRefused("too much waits for the log's disk")
        return to

    def _append(self, to: Topic, key: bytes, headers: Headers, value: bytes, future: Answer, until: float) -> None:
        if len(key) > MAX_KEY or any([len(name) > MAX_NAME // 4 for name, _ in headers]):  # noqa: C419 - hot
            raise PublishRefused(f"a key or the name of a header of {to.name} is too long")
        item = Append(to, partition_of(key, self._partitions), key, headers, value, future, until)
        self._waiting.add(item)
        self._writer.append(item)

    async def ends(self, topic: str) -> Mapping[int, Position]:
        if not self._accepting:
            raise LogAway("the log is closed")
        return {number: self.end(TopicPartition(topic, number)) for number in range(self._partitions)}

    async def at(self, topic: str, moment: int) -> Mapping[int, Position]:
        if not self._accepting:
            raise LogAway("the log is closed")
        to = self._topics[topic]
        if moment < self._clock() - self._retention_ms:
            position = Position(0, 0)
        else:
            found = await self._reader.run(partial(since, topic=to, moment=moment))
            position = Position(to.epoch, to.end if found is None else found)
        return dict.fromkeys(range(self._partitions), position)

    def consumer(self, group: str, topics: Sequence[str], *, member: str) -> LocalConsumer:
        """Raises LogUnusable for a topic that there is not."""
        unknown = [topic for topic in topics if topic not in self._topics]
        if unknown:
            raise LogUnusable(f"there is no topic {', '.join(unknown)}")
        for topic in topics:
            readers = self._opened.readers.setdefault(topic, [])
            if group not in readers:  # from now on nothing is trimmed that it has not settled
                readers.append(group)
                self._writer.submit(Job(partial(_insert_reader, group=group, topic=topic), None))
        cursors = EmbeddedCursors(self._topics, topics, self._tail, self._reader)
        members = self._groups.setdefault(group, Group(group, self._partitions))
        consumer = LocalConsumer(members, member, topics, cursors, self, self._settle)
        self._consumers = [held for held in self._consumers if not held[0].gone]
        self._consumers.append((consumer, frozenset(topics), cursors))
        return consumer

    async def open_replies(self, edge: str, on_reply: Callable[[Headers, bytes], None]) -> ReplyTo:
        self._replies[edge] = on_reply
        return ReplyTo(edge, 0)

    def reply(self, to: ReplyTo, headers: Headers, value: bytes) -> None:
        on_reply = self._replies.get(to.edge)
        if on_reply is not None:
            self._loop.call_soon(on_reply, headers, value)

    async def trim(self) -> int:
        before = self._clock() - self._retention_ms
        return sum([await self._trim(topic, before) for topic in self._topics.values()])

    def trouble(self) -> str | None:
        if not self._accepting:
            return "the log is closed"
        since = self._writer.busy_since
        if since is not None and time.monotonic() - since > _STALLED:
            return f"the log's disk has not answered for {time.monotonic() - since:.0f} s"
        return self._writer.trouble

    # --- Keeper ------------------------------------------------------------------------------------------------------

    async def committed(self, group: str, tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, Committed]:
        await self._submit(_nothing)  # whatever was sent before has landed then
        stored = self._opened.commits.get(group, {})
        return {tp: stored[tp] for tp in tps if tp in stored}

    def end(self, tp: TopicPartition) -> Position:
        topic = self._topics[tp.topic]
        return Position(topic.epoch, topic.end)

    async def save(
        self, group: str, commits: Mapping[TopicPartition, Committed], mine: Callable[[TopicPartition], bool]
    ) -> Sequence[TopicPartition]:
        if not self._accepting:
            raise LogAway("the log is closed")
        item = SaveCommits(group, commits, mine, self._loop.create_future())
        self._writer.submit(item)
        await item.future
        return [tp for tp in commits if tp not in item.stored]

    # --- inside ------------------------------------------------------------------------------------------------------

    def _open(self) -> Opened:
        self._folder = Folder(self._path)
        try:
            self._connection = self._folder.connect(write=True)
            return open_tables(self._connection, self._path, self._names, self._partitions, self._clock)
        except BaseException as error:
            self._folder.close()
            if isinstance(error, sqlite3.Error):
                raise LogUnusable(f"{self._folder.file} cannot be used: {error}") from error
            raise

    def _shut(self) -> None:
        self._writer.join()
        self._checkpointer.finish()
        self._checkpointer.join()
        self._reader.close()
        checkpoint(self._connection, "TRUNCATE")
        self._connection.close()
        self._folder.close()

    def _checkpoint_rest(self) -> None:
        self._writer.rest_to_move = True

    async def _submit(self, run: Callable[[sqlite3.Connection], object]) -> None:
        if not self._accepting:
            raise LogAway("the log is closed")
        future: asyncio.Future[None] = self._loop.create_future()
        self._writer.submit(Job(run, future))
        await future

    async def _trim(self, topic: Topic, before: int) -> int:
        gone = 0
        more = True
        while more and self._accepting:
            readers = self._opened.readers.get(topic.name, ())
            settled = settled_by(topic, readers, self._opened.commits)
            going = await self._reader.run(partial(plan, topic=topic, before=before, settled=settled))
            if going is None:
                break
            await self._submit(partial(delete, topic=topic, going=going))
            self._tail.trim(topic, going.end)
            gone += going.records
            more = going.more
        return gone

    def _landed(self, landed: Landed) -> None:
        """In the event loop, once a commit: answer all who wait, and hand the records to the tail."""
        self._waiting.landed(landed.appends)
        if landed.error is not None:
            landed.fail()
            return
        for topic, batch, items in landed.batches:
            offset, time_, epoch, tps = batch.base, batch.append_time, topic.epoch, topic.tps
            for item in items:
                future = item.future
                if type(future) is Together:
                    future.landed()
                elif not future.done():
                    future.set_result(Published(tps[item.partition], Position(epoch, offset), time_))
                offset += 1
            topic.end = offset
            self._tail.add(topic, batch)
        for other in landed.others:
            if isinstance(other, SaveCommits):
                self._opened.commits.setdefault(other.group, {}).update(other.stored)
            if other.future is not None and not other.future.done():
                other.future.set_result(None)
        names = {topic.name for topic, _, _ in landed.batches}
        for consumer, topics, _ in self._consumers:
            if not names.isdisjoint(topics):
                consumer.wake.ring()


def _nothing(_connection: sqlite3.Connection) -> None:
    pass


def _insert_reader(connection: sqlite3.Connection, *, group: str, topic: str) -> None:
    connection.execute("INSERT OR IGNORE INTO readers VALUES (?, ?)", (group, topic))
