"""The balancer takes edges in turn, passes one that is gone by, and never sends to a second what a first was sent."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from tests.chaos.balancer import Balancer


class Edges:
    """Servers that answer every line with their name, and note what they read."""

    def __init__(self) -> None:
        self.servers: list[asyncio.Server] = []
        self.read: list[bytes] = []

    async def open(self, name: str, port: int = 0) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                self.read.append(line)
                if line == b"die\n":
                    break
                writer.write(name.encode() + b"\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", port)
        self.servers.append(server)
        return int(server.sockets[0].getsockname()[1])


async def ask(port: int, *lines: bytes) -> list[bytes]:
    """The answers to these lines over one connection; empty where it was cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    try:
        for line in lines:
            writer.write(line)
            answers.append((await reader.readline()).strip())
    except ConnectionError:
        answers.append(b"")
    writer.close()
    return answers


async def balanced(stack: AsyncExitStack, *names: str) -> tuple[Edges, Balancer]:
    edges = Edges()
    balancer = Balancer([await edges.open(name) for name in names])
    await balancer.open()
    stack.callback(balancer.close)
    for server in edges.servers:
        stack.callback(server.close)
    return edges, balancer


async def test_edges_take_turns_and_a_connection_stays_with_its_edge() -> None:
    async with AsyncExitStack() as stack:
        _, balancer = await balanced(stack, "a", "b", "c")
        answers = [await ask(balancer.port, b"one\n", b"two\n") for _ in range(6)]
        assert answers == [[name] * 2 for name in (b"a", b"b", b"c")] * 2


async def test_an_edge_that_is_gone_is_passed_by() -> None:
    async with AsyncExitStack() as stack:
        edges, balancer = await balanced(stack, "a", "b")
        edges.servers[0].close()
        assert [await ask(balancer.port, b"one\n") for _ in range(4)] == [[b"b"]] * 4
        edges.servers[1].close()
        assert await ask(balancer.port, b"one\n") == [b""]
        assert balancer.refused == 1


async def test_what_an_edge_died_of_is_not_sent_to_another() -> None:
    async with AsyncExitStack() as stack:
        edges, balancer = await balanced(stack, "a", "b")
        assert await ask(balancer.port, b"one\n", b"die\n") == [b"a", b""]
        await asyncio.sleep(0)
        assert edges.read == [b"one\n", b"die\n"]


async def test_much_is_passed_on_whole_to_a_slow_reader() -> None:
    async with AsyncExitStack() as stack:
        got: list[bytes] = []
        done = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65_536):
                got.append(data)
                await asyncio.sleep(0)
            writer.close()
            done.set()

        server = await asyncio.start_server(slow, "127.0.0.1", 0)
        stack.callback(server.close)
        balancer = Balancer([server.sockets[0].getsockname()[1]])
        await balancer.open()
        stack.callback(balancer.close)
        _, writer = await asyncio.open_connection("127.0.0.1", balancer.port)
        sent = bytes(range(256)) * 4 * 4096
        writer.write(sent)
        await writer.drain()
        writer.close()
        async with asyncio.timeout(60):
            await done.wait()
        assert b"".join(got) == sent
