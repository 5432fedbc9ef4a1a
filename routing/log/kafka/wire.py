"""Connections to the cluster, and what is known of its brokers: with client.py what builds on aiokafka's inner parts.

aiokafka's producer and consumer are not used: see docs/decisions/kafka-producer-of-our-own.md and
kafka-consumer-of-our-own.md. What that leaves to ask the brokers is asked here, over aiokafka's connections, its
protocol and its authentication.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable, Sequence
from typing import Any, Final

from aiokafka.client import CoordinationType
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError, RequestTimedOutError, for_code
from aiokafka.structs import TopicPartition as ClusterPartition

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.client import Client, usable
from routing.log.kafka.options import client_options, why_away
from routing.log.port import LogAway

REQUEST_MS: Final = 10_000
"""How long a broker may take to take a connection or to answer, until that connection is given up."""

BACKOFF_MS: Final = 100
BACKOFF: Final = BACKOFF_MS / 1000
_SHUT_SECONDS: Final = 1.0

__all__ = ["BACKOFF", "ClusterPartition", "KafkaError", "Wire", "failure", "quiet"]


def quiet() -> None:
    """Whatever aiokafka logs it also raises, and it would log it several times a second while a broker is away."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def failure(code: int) -> KafkaError | None:
    """The error that a broker's answer names by its number, None for none."""
    if code == 0:
        return None
    kind = for_code(code)
    return kind() if kind.errno == code else KafkaError(f"the broker answered with error {code}")


class Wire:
    """One client of the cluster. `names` are the topics, as the cluster knows them, whose leaders it follows.

    Each request goes over a connection named by its broker and a lane: a broker answers the requests of one connection
    one after the other, so what may wait there (a fetch, joining a group) has a lane of its own.
    """

    def __init__(self, address: KafkaAddress, names: Sequence[str], *, client_id: str = "ocpi-hub") -> None:
        self.address = address
        self._names = tuple(names)
        self._options = {
            **client_options(address),
            "client_id": client_id,
            "request_timeout_ms": REQUEST_MS,
            "retry_backoff_ms": BACKOFF_MS,
        }
        self._client: Any = None
        self._started = self._closed = False
        self._starting = asyncio.Lock()

    @property
    def started(self) -> bool:
        return self._started

    async def start(self) -> None:
        """Learn of the brokers and the topics. Raises LogAway, or LogUnusable; may be called again."""
        if not self._started:
            async with self._starting:
                await self._start()

    async def _start(self) -> None:
        if self._started:
            return
        if self._closed:
            raise LogAway("the connections to Kafka are closed")
        if self._client is None:
            self._client = Client(**self._options)
        try:
            await self._client.bootstrap()
        except KafkaConnectionError:
            raise await why_away(self.address, within_ms=REQUEST_MS) from None
        await self._client.set_topics(self._names)
        self._started = True

    async def close(self) -> None:
        client, self._client, self._started, self._closed = self._client, None, False, True
        if client is not None:
            try:
                async with asyncio.timeout(_SHUT_SECONDS):  # what a silent broker has not read would hold it up
                    await client.close()
            except TimeoutError:
                pass

    def partitions(self, name: str) -> int:
        """How many partitions a topic has; 0 when it is not there."""
        return len(self._open().cluster.partitions_for_topic(name) or ())

    def leader(self, name: str, partition: int) -> int | None:
        """The broker that leads a partition, None while there is none."""
        node = self._open().cluster.leader_for_partition(ClusterPartition(name, partition))
        return None if node is None or node < 0 else node

    def any_node(self) -> int | None:
        node: int | None = self._open().get_random_node()
        return node

    async def refresh(self) -> None:
        """Ask again who leads what; returns when that was answered or failed."""
        await self._open().force_metadata_update()

    async def coordinator(self, group: str) -> int:
        """The broker that coordinates a group. Raises KafkaError."""
        try:
            async with asyncio.timeout(REQUEST_MS / 1000):
                node: int = await self._open().coordinator_lookup(CoordinationType.GROUP, group)
        except TimeoutError:
            raise RequestTimedOutError from None
        return node

    async def ask(self, node: int, request: Any, *, lane: Hashable, timeout: float) -> Any:
        """Send a request and return the answer. Raises KafkaError; the connection is dropped when no answer comes."""
        connection = await self._connection(node, lane, timeout)
        connection._request_timeout = timeout  # noqa: SLF001 - some answers take longer than others
        try:
            return await connection.send(request)
        except TimeoutError:
            connection.close(reason=CloseReason.CONNECTION_TIMEOUT)
            raise RequestTimedOutError from None

    def hang_up(self, node: int, lane: Hashable) -> None:
        """Close the connection of a lane, so that whatever is asked over it fails at once; the next one is new."""
        connection = self._client and self._client._conns.get((node, lane))  # noqa: SLF001 - as in _connection
        if connection is not None:
            connection.close()

    async def _connection(self, node: int, lane: Hashable, timeout: float) -> Any:
        client = self._open()
        connection = client._conns.get((node, lane))  # noqa: SLF001 - the public way has no lanes
        if connection is None or not usable(connection):
            try:
                async with asyncio.timeout(timeout):
                    connection = await client._get_conn(node, group=lane)  # noqa: SLF001
            except TimeoutError:
                raise RequestTimedOutError from None
        if connection is None:
            raise NodeNotReadyError(f"no connection to broker {node}")
        return connection

    def _open(self) -> Any:
        if self._client is None:
            raise KafkaConnectionError("the connections are closed")
        return self._client
