"""Answers that are read at one time are bounded together, and each party's beside the others'."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest

from connectors.client.client import Answer, Client
from connectors.client.holding import Holding
from connectors.errors import HubError
from tests.connectors.client.peers import Listen, Peer

LONG = 1_000_000


def test_bytes_are_counted_by_origin_and_together_and_given_back() -> None:
    holding = Holding(100, 60)
    holding.hold("a", 60)
    with pytest.raises(HubError, match="the answers of a"):
        holding.hold("a", 1)
    holding.hold("b", 40)
    with pytest.raises(HubError, match="the hub reads"):
        holding.hold("b", 1)
    holding.release("a", 60)
    holding.hold("b", 20)
    holding.release("b", 60)
    assert (holding.bytes, holding.by_origin) == (0, {})


async def test_long_answers_at_one_time_are_bounded_a_party_and_others_are_read(listen: Listen) -> None:
    begun, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def talk(_: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LONG + b"x" * (LONG - 1))
        await writer.drain()
        begun.release()
        await go_on.wait()
        writer.write(b"x")

    one, other = await listen(talk), await listen(talk)
    holding = Holding(10 * LONG, 3 * LONG)
    client = Client([ip_network("127.0.0.1/32")], held=holding)
    await client.start()
    calls = [asyncio.ensure_future(client.send("GET", one.url, {}, None, within=60)) for _ in range(3)]
    for _ in calls:
        await asyncio.wait_for(begun.acquire(), 20)
    while holding.bytes < 3 * LONG - 3:
        await asyncio.sleep(0.01)
    with pytest.raises(HubError, match="ask for fewer at once"):
        await client.send("GET", one.url, {}, None, within=60)
    calls.append(asyncio.ensure_future(client.send("GET", other.url, {}, None, within=60)))
    await asyncio.wait_for(begun.acquire(), 20)
    await asyncio.wait_for(begun.acquire(), 20)
    go_on.set()
    answers: list[Answer] = await asyncio.gather(*calls)
    assert [len(answer.body) for answer in answers] == [LONG] * 4
    assert (holding.bytes, holding.by_origin) == (0, {})
    await client.close()
