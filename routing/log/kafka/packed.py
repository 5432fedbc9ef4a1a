"""Requests of Kafka's protocol that the hub packs by itself, in the shape in which aiokafka's connection takes them.

aiokafka describes each request by a schema, and walks it value by value. Fetching and producing are all that a busy
hub asks of its brokers; packed by hand they cost a tenth of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from struct import Struct
from typing import Any, ClassVar, Final, NamedTuple, Self

from aiokafka.errors import IncompatibleBrokerVersion

ANSWER_HEAD: Final = 4
"""Bytes before what an answer says."""

COUNT: Final = Struct(">i")
SHORT: Final = Struct(">h")

_HEADER: Final = Struct(">hhih")
_ANSWER_HEADER: Final = Struct(">i")

Named = tuple[str, int]
"""A topic as the cluster knows it, and a partition."""


class _Head(NamedTuple):
    data: bytes

    def encode(self) -> bytes:
        return self.data


class _AnswerHead(NamedTuple):
    correlation_id: int


class Packed:
    """One request. A kind of them says its number, its version, and what decodes its answer."""

    API_KEY: ClassVar[int]
    VERSION: ClassVar[int]
    RESPONSE_TYPE: ClassVar[Any]

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> Self:
        least, most = versions.get(self.API_KEY, (0, 0))
        if not least <= self.VERSION <= most:
            raise IncompatibleBrokerVersion("the brokers are older than Kafka 2.3, which the hub needs at least")
        return self

    def build_request_header(self, *, correlation_id: int, client_id: str) -> _Head:
        client = client_id.encode()
        return _Head(_HEADER.pack(self.API_KEY, self.VERSION, correlation_id, len(client)) + client)

    def encode(self) -> bytes:
        return self._packed

    @staticmethod
    def parse_response_header(answer: BytesIO) -> _AnswerHead:
        return _AnswerHead(*_ANSWER_HEADER.unpack(answer.read(ANSWER_HEAD)))


def text(words: str) -> bytes:
    data = words.encode()
    return SHORT.pack(len(data)) + data


def topic_at(data: bytes, at: int) -> tuple[str, int, int]:
    """What an answer begins what it says of a topic with: its name, how many partitions follow, and where."""
    (length,) = SHORT.unpack_from(data, at)
    at += SHORT.size
    (parts,) = COUNT.unpack_from(data, at + length)
    return data[at : at + length].decode(), parts, at + length + COUNT.size
