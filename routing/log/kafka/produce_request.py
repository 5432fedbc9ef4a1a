"""The Produce request of Kafka's protocol (version 7): one batch of each of some partitions that a broker leads."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from struct import Struct
from typing import ClassVar, Final, NamedTuple

from routing.log.kafka.packed import ANSWER_HEAD, COUNT, Named, Packed, text, topic_at

_BEFORE: Final = Struct(">hhi")  # no transaction, acknowledgements, longest wait
_PARTITION: Final = Struct(">ii")  # number, bytes of the batch
_PART: Final = Struct(">ihqqq")  # number, error, offset, append time, log start


class Produced(NamedTuple):
    """What a broker says of one batch. `offset` is that of its first record, -1 where the broker no longer knows it;
    `append_time` in UTC ms, -1 where the topic keeps the time of the sender."""

    name: Named
    error: int
    offset: int
    append_time: int


class _Answer:
    """How aiokafka's connection reads the answer."""

    @staticmethod
    def decode(answer: BytesIO) -> list[Produced]:
        return unpack(answer.getvalue(), ANSWER_HEAD)


class ProduceRequest(Packed):
    """`batches` by partition. With `acks` -1 the broker answers when all replicas that are in sync have them, with 1
    when it has them itself; it gives up after `timeout_ms`."""

    API_KEY: ClassVar = 0
    VERSION: ClassVar = 7
    RESPONSE_TYPE: ClassVar = _Answer

    def __init__(self, acks: int, timeout_ms: int, batches: Mapping[Named, bytes | bytearray]) -> None:
        by_topic: dict[str, list[bytes | bytearray]] = {}
        for (topic, number), batch in batches.items():
            parts = by_topic.setdefault(topic, [])
            parts.append(_PARTITION.pack(number, len(batch)))
            parts.append(batch)
        packed: list[bytes | bytearray] = [_BEFORE.pack(-1, acks, timeout_ms), COUNT.pack(len(by_topic))]
        for topic, parts in by_topic.items():
            packed += [text(topic), COUNT.pack(len(parts) // 2), *parts]
        super().__init__(b"".join(packed))


def unpack(data: bytes, at: int = 0) -> list[Produced]:
    """Raises struct.error or UnicodeDecodeError where `data` is no answer to a request to produce."""
    (topics,) = COUNT.unpack_from(data, at)
    at += COUNT.size
    found: list[Produced] = []
    for _ in range(topics):
        topic, parts, at = topic_at(data, at)
        for _ in range(parts):
            number, code, offset, append_time, _ = _PART.unpack_from(data, at)
            at += _PART.size
            found.append(Produced((topic, number), code, offset, append_time))
    return found
