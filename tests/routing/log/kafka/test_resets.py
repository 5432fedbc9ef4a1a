"""Connections that a broker resets, on the event loop that the hub runs on: there, writing to one is no OSError."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop
from aiokafka.protocol.admin import ApiVersionRequest, ApiVersionResponse_v0
from aiokafka.protocol.metadata import MetadataResponse_v1

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.wire import KafkaError, Wire

VERSIONS, METADATA = 18, 3
NODE = 7
WITHIN = 20
LANES = 3


@dataclass
class Broker:
    """Says which requests it takes and that it is the whole cluster, until it resets all connections that it has."""

    port: int = 0
    others: list[tuple[int, str, int, None]] = field(default_factory=list)
    """Who else is said to be of the cluster: number, host, port."""
    connections: set[asyncio.StreamWriter] = field(default_factory=set)
    resets: int = 0
    shy: bool = False
    """Whether it resets each connection that comes."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        if self.shy:
            self.reset()
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                key, _, correlation = struct.unpack_from(">hhi", await reader.readexactly(size))
                said = struct.pack(">i", correlation) + self.answer(key).encode()
                writer.write(struct.pack(">i", len(said)) + said)
        except (OSError, EOFError, RuntimeError):
            pass
        finally:
            self.connections.discard(writer)

    def answer(self, key: int) -> Any:
        if key == VERSIONS:
            return ApiVersionResponse_v0(0, [(VERSIONS, 0, 0), (METADATA, 1, 1)])
        assert key == METADATA
        return MetadataResponse_v1([(NODE, "127.0.0.1", self.port, None), *self.others], NODE, [(0, "t", False, [])])

    def reset(self) -> None:
        for writer in self.connections:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self.resets += 1


async def asking_all_the_time(wire: Wire, broker: Broker) -> list[BaseException]:
    """In each round of the loop, over lanes and for news of the cluster, until ten resets are over; what failed."""
    asked: list[asyncio.Task[Any]] = []
    rounds = 0
    while broker.resets < 10:
        questions = [wire.ask(NODE, ApiVersionRequest(), lane=lane, timeout=5) for lane in range(LANES)]
        asked += [asyncio.create_task(one) for one in (*questions, wire.refresh())]
        rounds += 1
        if rounds % 50 == 0:
            broker.reset()
        await asyncio.sleep(0)
    ended = await asyncio.gather(*asked, return_exceptions=True)
    return [one for one in ended if isinstance(one, BaseException)]


@asynccontextmanager
async def cluster(*others: tuple[int, str, int, None]) -> AsyncIterator[tuple[Wire, Broker]]:
    broker = Broker(others=list(others))
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    wire = Wire(KafkaAddress.parse(f"kafka://127.0.0.1:{broker.port}"), ["t"])
    try:
        async with asyncio.timeout(WITHIN):
            await wire.start()
            yield wire, broker
    finally:
        await wire.close()
        server.close()


def test_whoever_asks_over_a_connection_that_was_just_reset_is_told_so_and_the_next_is_a_new_one() -> None:
    """And whoever waits for news of the cluster gets them: nobody else would notice if those were never told again."""

    async def scene() -> list[BaseException]:
        async with cluster() as (wire, broker):
            failed = await asking_all_the_time(wire, broker)
            await wire.refresh()
            await wire.ask(NODE, ApiVersionRequest(), lane=0, timeout=5)
            return failed

    failed = uvloop.run(scene())
    assert failed
    assert [error for error in failed if not isinstance(error, KafkaError)] == []


def test_a_broker_that_resets_whatever_comes_is_away_and_asked_again() -> None:
    async def scene() -> None:
        async with cluster() as (wire, broker):
            broker.reset()
            broker.shy = True
            for _ in range(50):
                with pytest.raises(KafkaError):
                    await wire.ask(NODE, ApiVersionRequest(), lane=0, timeout=5)
                await wire.refresh()
            broker.shy = False
            await wire.refresh()
            await wire.ask(NODE, ApiVersionRequest(), lane=0, timeout=5)

    uvloop.run(scene())


@pytest.mark.parametrize("odd", [(8, "no..where", 9092, None), (8, "127.0.0.1", 2**31 - 1, None)])
def test_a_broker_that_says_an_impossible_address_is_away_and_the_others_are_not(
    odd: tuple[int, str, int, None],
) -> None:
    async def scene() -> None:
        async with cluster(odd) as (wire, _):
            with pytest.raises(KafkaError):
                await wire.ask(8, ApiVersionRequest(), lane=0, timeout=5)
            for _ in range(20):  # whichever it asks first
                await wire.refresh()
            await wire.ask(NODE, ApiVersionRequest(), lane=0, timeout=5)

    uvloop.run(scene())
