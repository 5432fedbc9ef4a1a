"""Fixtures: peers on 127.0.0.1, and a client that may reach them and nothing else inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network

import pytest
import uvloop

from connectors.client.client import Client
from tests.connectors.client.peers import Clock, Listen, Peer, Talk


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test on both loops: how a connection ends is theirs."""
    return {"asyncio": Clock, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    peers: list[Peer] = []

    async def listening(talk: Talk | None = None) -> Peer:
        peers.append(await Peer(talk).start())
        return peers[-1]

    yield listening
    for peer in peers:
        await peer.stop()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """One that may speak to 127.0.0.1 and nothing else inside."""
    one = Client([ip_network("127.0.0.1/32")], body_limit=1 << 20)
    await one.start()
    yield one
    await one.close()
