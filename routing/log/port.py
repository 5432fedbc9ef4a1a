"""What a log is, whichever engine keeps it. The contract suite in tests/contract holds every engine to this page.

A topic has a fixed number of partitions; the partition is a pure function of the key. Within a partition records
have strictly growing positions, but not necessarily consecutive offsets. Times are UTC milliseconds, and the append
time is the log's own.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, bytes], ...]


class Position(NamedTuple):
    """Where a record stands in its partition. The epoch rises when a topic is made anew, so order never restarts."""

    epoch: int
    offset: int


class TopicPartition(NamedTuple):
    topic: str
    partition: int


class Record(NamedTuple):
    """One record as read. `append_time` is the log's own clock, UTC ms."""

    topic: str
    partition: int
    position: Position
    append_time: int
    key: bytes
    headers: Headers
    value: bytes

    @property
    def tp(self) -> TopicPartition:
        return _tp(self.topic, self.partition)


@lru_cache(maxsize=4096)
def _tp(topic: str, partition: int) -> TopicPartition:
    """One for all records of a partition: there are few, and each is asked for by every record several times."""
    return TopicPartition(topic, partition)


class Published(NamedTuple):
    """Where a record came to stand, and when by the log's own clock (UTC ms)."""

    tp: TopicPartition
    position: Position
    append_time: int


@dataclass(frozen=True, slots=True)
class Committed:
    """How far a group has settled a partition.

    `next` is the first position not settled. `clean` says that the owner left in order, and then `begun` names the
    highest position that it had begun or answered (None: none at all); an unclean commit says nothing of `begun`.
    """

    next: Position
    clean: bool = False
    begun: Position | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """A partition given to a consumer: what was committed (None: never), and the end seen at assignment.

    `end` is the position that the next record appended would get, or any position not above it and above every
    record that is there: records below it are the replay window's.

    `gap`: records from `committed.next` on are gone, since retention passed them before they were settled; reading
    goes on with the oldest record that is there. An alarm: whatever they said has to be learned in another way. A
    partition that falls into a gap while it is held is revoked, and assigned anew with the gap said. Engines that
    drop nothing unsettled never say it.
    """

    tp: TopicPartition
    committed: Committed | None
    end: Position
    gap: bool = False


class LogError(Exception):
    """Base of what a log raises; never reaches a caller of the hub as it is."""


class PublishRefused(LogError):
    """The record is certainly not on the log and will not be."""


class PublishUnknown(LogError):
    """The record may be on the log, or may land later."""


class LogUnusable(LogError):
    """The log cannot be used as it is, and waiting mends nothing: the sentence says why and what to do."""


class LogAway(LogError):
    """The log cannot be reached, or could not do this now; nothing is known of a commit."""


class PartitionLost(LogError):
    """A commit came too late: these partitions are no longer the committer's; nothing of them was committed."""

    def __init__(self, lost: Sequence[TopicPartition]) -> None:
        super().__init__(f"no longer the owner of {', '.join(f'{tp.topic}/{tp.partition}' for tp in lost)}")
        self.lost = tuple(lost)


class Listener(Protocol):
    """Told of the partitions that come and go. Both calls are awaited by the consumer before it reads on."""

    async def assigned(self, assignments: Sequence[Assignment]) -> None:
        """These are ours now; the consumer will read each from `committed.next` (or its beginning) on."""

    async def revoked(self, tps: Sequence[TopicPartition]) -> None:
        """These are about to go: settle and commit within the consumer's settle time; after that commits are refused.

        Commits are refused from the start where the partitions were lost already (a member that was away too long).
        """


class Consumer(Protocol):
    """One member of a consumer group. Commits are by hand, a contiguous prefix at a time.

    `start`, `read` and `stop` are called one after the other or by different tasks; `commit`, `pause`, `resume` and
    `fetch` at any time, also by the listener.
    """

    async def start(self, listener: Listener) -> None:
        """Join the group. Partitions are assigned by `read`, never here."""

    async def stop(self) -> None:
        """Leave in order: `revoked` is awaited for everything held, then the member is gone; a second call is idle.

        A `read` that waits meanwhile returns what it has, later ones return nothing.
        """

    async def read(self, *, max_records: int, max_bytes: int, wait: float) -> list[Record]:
        """The next records of the partitions held and not paused, in order within each partition.

        Waits up to `wait` seconds for the first; empty when there is none. Assignment changes are carried out within
        this call (the listener is awaited), so between two calls the set of partitions does not change.
        """

    async def commit(self, commits: Mapping[TopicPartition, Committed]) -> None:
        """Durable when it returns. Raises PartitionLost naming those that are not ours; the others are committed.

        Raises LogAway when the log could not take it: then it may be committed or not.
        """

    def pause(self, tps: Sequence[TopicPartition]) -> None:
        """`read` gives nothing of these until `resume`, or until they are assigned again."""

    def resume(self, tps: Sequence[TopicPartition]) -> None: ...

    async def fetch(self, tp: TopicPartition, start: Position, *, max_records: int) -> list[Record]:
        """Records of a partition from any position on, without moving what `read` gives."""

    def position(self, tp: TopicPartition) -> Position | None:
        """The next position that `read` may give: every record of the partition below it was given already.

        None for a partition that is not held.
        """

    def holds(self) -> bool:
        """Whether this process may begin something now: false once its last answered heartbeat is too old."""


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where replies to one edge process go: its fresh id and the partition that it reads."""

    edge: str
    partition: int


class Log(Protocol):
    """The log. `partitions` is the same for every event topic."""

    @property
    def partitions(self) -> int: ...

    async def start(self) -> None:
        """Raises LogAway when it cannot be reached now (call again later), another LogError when waiting is no use."""

    async def close(self) -> None:
        """Finish what was begun, refuse what comes; members that did not stop are gone as if killed."""

    async def publish(self, topic: str, key: bytes, headers: Headers, value: bytes, *, within: float) -> Published:
        """Append durably. Raises PublishRefused, or PublishUnknown when `within` seconds pass without an answer.

        Nothing withdraws a record that was begun: neither `within`, nor cancelling the caller. One that was not even
        begun within that time is refused.
        """

    def publish_all(
        self, topic: str, records: Sequence[tuple[bytes, Headers, bytes]], *, within: float
    ) -> asyncio.Future[None]:
        """Append these keys, headers and values in order, begun when this returns; done when the last is durable.

        Raises as `publish` does when any of them is not, or may not be; the others may be there.
        """

    async def ends(self, topic: str) -> Mapping[int, Position]:
        """Of each partition the position that the next record gets, or any not above it: above all that was published.

        Raises LogAway.
        """

    async def at(self, topic: str, moment: int) -> Mapping[int, Position]:
        """Of each partition a position below which nothing was appended at `moment` (UTC ms, the log's clock) or later.

        As high a one as there is, but for a moment of which the log may have dropped records: then it is (0, 0).
        Raises LogAway.
        """

    def consumer(self, group: str, topics: Sequence[str], *, member: str) -> Consumer: ...

    async def open_replies(self, edge: str, on_reply: Callable[[Headers, bytes], None]) -> ReplyTo:
        """Position this edge at the end of its reply partition; from then on `on_reply` is called for each reply."""

    def reply(self, to: ReplyTo, headers: Headers, value: bytes) -> None:
        """Send a reply without waiting; to an edge that is gone it is dropped."""

    async def trim(self) -> int:
        """Drop what every reader has settled and retention no longer asks for; returns how many records went."""

    def trouble(self) -> str | None:
        """A sentence if the log cannot take records now, else None (readiness)."""


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, the same in every process, engine and release."""
    return zlib.crc32(key) % partitions
