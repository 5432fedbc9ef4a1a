"""The Fetch request of Kafka's protocol (version 11) with its sessions, packed and read without intermediate objects.

With a session a broker remembers which partitions are asked for: a request names only what changed, an answer only
what has something new. A worker reads 120 partitions; naming each of them in each request and answer would cost more
than all that is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from struct import Struct
from typing import ClassVar, Final, NamedTuple

from routing.log.kafka.packed import ANSWER_HEAD, COUNT, Named, Packed, text, topic_at

NO_SESSION: Final = (0, 0)
"""Session and epoch of a request that asks for a new session."""

ONCE: Final = (0, -1)
"""Session and epoch of a request that wants no session."""

_BEFORE = Struct(">iiiibii")  # replica, longest wait, least bytes, most bytes, isolation, session, epoch
_PARTITION = Struct(">iiqqi")  # number, leader epoch, offset, log start, most bytes
_TOP = Struct(">ihii")  # throttle, error, session, topics
_PART = Struct(">ihqqqi")  # number, error, high watermark, last stable, log start, aborted transactions
_LAST = Struct(">ii")  # preferred replica, bytes of records
_BATCH = Struct(">qi")
_DELTA = Struct(">i")
_DELTA_AT: Final = 23
_ABORTED: Final = 16


class FetchedPartition(NamedTuple):
    """`records` are whole batches, and perhaps the beginning of one more."""

    name: Named
    error: int
    high_watermark: int
    log_start: int
    records: bytes


class Fetched(NamedTuple):
    error: int
    session: int
    partitions: list[FetchedPartition]


class _Answer:
    """How aiokafka's connection reads the answer."""

    @staticmethod
    def decode(answer: BytesIO) -> Fetched:
        return unpack(answer.getvalue(), ANSWER_HEAD)


class FetchRequest(Packed):
    """`partitions` are those whose offset is to be told, `forgotten` those that leave the session. Waits at the broker
    up to `wait_ms` for the first byte.
    """

    API_KEY: ClassVar = 1
    VERSION: ClassVar = 11
    RESPONSE_TYPE: ClassVar = _Answer

    def __init__(
        self,
        session: tuple[int, int],
        partitions: Mapping[Named, int],
        forgotten: Sequence[Named] = (),
        *,
        wait_ms: int,
        max_bytes: int,
        partition_bytes: int,
    ) -> None:
        packed = [_BEFORE.pack(-1, wait_ms, 1, max_bytes, 0, *session)]
        by_topic: dict[str, list[bytes]] = {}
        for (topic, number), offset in partitions.items():
            by_topic.setdefault(topic, []).append(_PARTITION.pack(number, -1, offset, -1, partition_bytes))
        gone: dict[str, list[bytes]] = {}
        for topic, number in forgotten:
            gone.setdefault(topic, []).append(COUNT.pack(number))
        for topics in (by_topic, gone):
            packed.append(COUNT.pack(len(topics)))
            for topic, parts in topics.items():
                packed += [text(topic), COUNT.pack(len(parts)), *parts]
        packed.append(text(""))  # no rack
        super().__init__(b"".join(packed))


def unpack(data: bytes, at: int = 0) -> Fetched:
    """Raises struct.error or UnicodeDecodeError where `data` is no answer to a fetch."""
    _, error, session, topics = _TOP.unpack_from(data, at)
    at += _TOP.size
    found: list[FetchedPartition] = []
    for _ in range(topics):
        topic, parts, at = topic_at(data, at)
        for _ in range(parts):
            number, code, high, _, start, aborted = _PART.unpack_from(data, at)
            at += _PART.size + max(aborted, 0) * _ABORTED
            _, size = _LAST.unpack_from(data, at)
            at += _LAST.size
            records = data[at : at + size] if size > 0 else b""
            at += max(size, 0)
            found.append(FetchedPartition((topic, number), code, high, start, records))
    return Fetched(error, session, found)


def next_offset(records: bytes) -> int | None:
    """The offset behind the last whole batch, None when there is no whole batch."""
    found = None
    for at, _, base in _batches(records):
        (delta,) = _DELTA.unpack_from(records, at + _DELTA_AT)
        found = base + delta + 1
    return found


def one_batch(records: bytes, base: int) -> bytes:
    """The bytes of the batch with this first offset."""
    return next((records[at:end] for at, end, first in _batches(records) if first == base), b"")


def _batches(records: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each whole batch begins and ends, and its first offset."""
    at = 0
    while at + _DELTA_AT + _DELTA.size <= len(records):
        base, length = _BATCH.unpack_from(records, at)
        end = at + _BATCH.size + length
        if length <= 0 or end > len(records):
            break
        yield at, end, base
        at = end
