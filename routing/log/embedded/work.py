"""What is handed to the writer's thread, and what comes back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from routing.log.embedded.file import Topic
from routing.log.embedded.records import Batch, Entry
from routing.log.port import Committed, Headers, LogAway, Published, PublishRefused, PublishUnknown, TopicPartition


class Together:
    """Stands for the future of each of several records; `done_` is the one future of whoever waits for all."""

    __slots__ = ("done_", "left")

    def __init__(self, left: int, done: asyncio.Future[None]) -> None:
        self.left = left
        self.done_ = done
        if not left:
            done.set_result(None)

    def done(self) -> bool:
        return self.done_.done()

    def landed(self) -> None:
        """One more of them is durable."""
        self.left -= 1
        if not self.left and not self.done_.done():
            self.done_.set_result(None)

    def set_result(self, published: Published) -> None:
        del published
        self.landed()

    def set_exception(self, error: Exception) -> None:
        if not self.done_.done():
            self.done_.set_exception(error)


Answer: TypeAlias = "asyncio.Future[Published] | Together"
"""What is told how a record came to stand."""


class Append(Entry):
    """A record on its way. `until`: the loop's time at which its publisher gives up; `size` as in Batch."""

    __slots__ = ("future", "size", "topic", "until")

    def __init__(
        self,
        topic: Topic,
        partition: int,
        key: bytes,
        headers: Headers,
        value: bytes,
        future: Answer,
        until: float,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.key = key
        self.headers = headers
        self.value = value
        self.future = future
        self.until = until
        self.size = 600 + len(value)


@dataclass(slots=True, eq=False)
class SaveCommits:
    """Commits of a group, each stored if it is still `mine`; `lost` are the others."""

    group: str
    commits: Mapping[TopicPartition, Committed]
    mine: Callable[[TopicPartition], bool]
    future: asyncio.Future[None]
    stored: dict[TopicPartition, Committed] = field(default_factory=dict)

    def run(self, connection: sqlite3.Connection) -> None:
        self.stored = {tp: committed for tp, committed in self.commits.items() if self.mine(tp)}
        if self.stored:
            # One statement, as for the appends: executemany would give up the interpreter's lock once a row.
            connection.execute(
                f"INSERT OR REPLACE INTO commits VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?, ?)'] * len(self.stored))}",  # noqa: S608
                [
                    value
                    for tp, committed in self.stored.items()
                    for value in (self.group, *tp, *committed.next, committed.clean, *(committed.begun or (None, None)))
                ],
            )


@dataclass(slots=True, eq=False)
class Job:
    """Anything else that writes, in turn with the commits. It must be short: appends wait for it."""

    run: Callable[[sqlite3.Connection], object]
    future: asyncio.Future[None] | None


@dataclass(slots=True, eq=False)
class Landed:
    """What one commit did, or why it did not. `batches` are in the order of their offsets."""

    appends: Sequence[Append]
    batches: Sequence[tuple[Topic, Batch, Sequence[Append]]]
    others: Sequence[SaveCommits | Job]
    error: Exception | None = None
    certain: bool = False

    def fail(self) -> None:
        """In the event loop: tell all who wait."""
        why = f"the log could not be written: {self.error}"
        for append in self.appends:
            if not append.future.done():
                append.future.set_exception(PublishRefused(why) if self.certain else PublishUnknown(why))
        for other in self.others:
            if other.future is not None and not other.future.done():
                other.future.set_exception(LogAway(why))
