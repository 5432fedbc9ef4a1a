"""HTTP itself: whatever a caller sends, the answer is a whole envelope (promise 10), over raw sockets."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
import pytest

from connectors.errors import OcpiError
from hub.edge.errors import made, refusal
from hub.edge.server import HttpServer
from hub.edge.values import Call, Pairs, Response
from routing.clock import SystemClock

LIMIT = 1000


@dataclass
class Heard:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> int:
        return int(orjson.loads(self.body)["status_code"])


class Peer:
    """A socket that says anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hear(self, *, head: bool = False) -> Heard:
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        first, *lines = raw.decode().split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if head else int(headers["content-length"])
        return Heard(int(first.split()[1]), headers, await self.reader.readexactly(length))

    async def ended(self) -> bool:
        return await asyncio.wait_for(self.reader.read(), 5) == b""


class Hub:
    """A server whose answers tell what it was asked."""

    def __init__(self) -> None:
        self.server = HttpServer(self.answer, SystemClock())
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[Call] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.common: Pairs = (("X-Request-ID", "r"),)
        self.broken = False

    async def answer(self, call: Call) -> tuple[Response, Pairs]:
        self.calls.append(call)
        await self.gate.wait()
        if self.broken:
            raise RuntimeError("a defect")
        try:
            body = await call.read(LIMIT)
        except OcpiError as error:
            return refusal(call, error), self.common
        return made(1000, data=[call.method, call.target, body.decode()]), self.common

    async def peer(self) -> Peer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        self.writers.append(writer)
        return Peer(reader, writer)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub()
    await hub.server.start("127.0.0.1", 0)
    yield hub
    hub.gate.set()
    for writer in hub.writers:
        writer.close()
    await hub.server.close()


def data_of(heard: Heard) -> list[str]:
    data = orjson.loads(heard.body)["data"]
    assert isinstance(data, list)
    return data


@pytest.mark.parametrize(
    "target", ["/ocpi/versions", "//ocpi///2.2.1/", "/a%2Fb%20c/?q=%2F#", "/%zz", "/?a=b&a=c", "*"]
)
async def test_the_target_comes_as_it_was_written_and_is_never_redirected(hub: Hub, target: str) -> None:
    peer = await hub.peer()
    method = "OPTIONS" if target == "*" else "GET"
    peer.say(f"{method} {target.split('#', maxsplit=1)[0]} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    heard = await peer.hear()
    assert (heard.status, data_of(heard)[1]) == (200, target.split("#", maxsplit=1)[0])
    assert "location" not in heard.headers


async def test_a_connection_serves_one_call_after_another_and_pipelined_ones(hub: Hub) -> None:
    peer = await hub.peer()
    peer.say(b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n" * 2 + b"PUT /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok")
    assert [data_of(await peer.hear()) for _ in range(3)] == [["GET", "/1", ""], ["GET", "/1", ""], ["PUT", "/2", "ok"]]


async def test_bodies_come_whole_chunked_compressed_and_without_a_content_type(hub: Hub) -> None:
    peer = await hub.peer()
    peer.say(b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    await asyncio.sleep(0)
    peer.say(b"1\r\nc\r\n0\r\n\r\n")
    assert data_of(await peer.hear())[2] == "abc"
    packed = gzip.compress(b"xyz")
    peer.say(
        b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    )
    assert data_of(await peer.hear())[2] == "xyz"


async def test_a_caller_that_asks_before_it_sends_its_body_is_told_to_go_on(hub: Hub) -> None:
    peer = await hub.peer()
    peer.say(b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert await asyncio.wait_for(peer.reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    peer.say(b"ok")
    assert data_of(await peer.hear())[2] == "ok"


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 5000\r\n\r\n" + b"x" * 5000,
        b"Content-Length: 5000\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n1f4\r\n"
        + b"x" * 500
        + b"\r\n1f4\r\n"
        + b"x" * 500
        + b"\r\n1\r\nx\r\n0\r\n\r\n",
    ],
    ids=["declared", "declared and not sent", "chunked"],
)
async def test_p10_a_body_over_the_limit_is_413_with_an_envelope(hub: Hub, body: bytes) -> None:
    peer = await hub.peer()
    peer.say(b"PUT / HTTP/1.1\r\nHost: h\r\n" + body)
    heard = await peer.hear()
    assert (heard.status, heard.code, heard.headers["connection"]) == (413, 2001, "close")


async def test_p10_a_bomb_is_413_and_not_unpacked(hub: Hub) -> None:
    packed = gzip.compress(b"\0" * 10_000_000)
    peer = await hub.peer()
    peer.say(
        b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    )
    heard = await peer.hear()
    assert (heard.status, heard.code) == (413, 2001)


@pytest.mark.parametrize(
    "body",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    ],
    ids=["bad chunk", "not gzip"],
)
async def test_p10_a_body_that_is_not_what_it_says_is_400_with_an_envelope(hub: Hub, body: bytes) -> None:
    peer = await hub.peer()
    peer.say(b"PUT / HTTP/1.1\r\nHost: h\r\n" + body)
    heard = await peer.hear()
    assert (heard.status, heard.code) == (400, 2001)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"HELLO\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nno colon here\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
    ],
    ids=["tls", "no http", "version", "no colon", "long target", "long header", "length"],
)
async def test_p10_what_is_not_http_is_400_with_an_envelope_and_the_connection_ends(hub: Hub, nonsense: bytes) -> None:
    peer = await hub.peer()
    peer.say(nonsense)
    heard = await peer.hear()
    assert (heard.status, heard.code, heard.headers["content-type"]) == (400, 2001, "application/json")
    assert await peer.ended()


async def test_p10_a_defect_in_the_pipeline_itself_is_an_envelope_without_its_reason(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    hub.broken = True
    peer = await hub.peer()
    peer.say(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    heard = await peer.hear()
    assert (heard.status, heard.code) == (500, 3000)
    assert b"a defect" not in heard.body


async def test_head_has_the_headers_and_no_body(hub: Hub) -> None:
    peer = await hub.peer()
    peer.say(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n")
    assert int((await peer.hear(head=True)).headers["content-length"]) > 0
    assert data_of(await peer.hear())[1] == "/next"


async def test_http_1_0_is_answered_and_closed_unless_it_wants_to_stay(hub: Hub) -> None:
    peer = await hub.peer()
    peer.say(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert (await peer.hear()).headers["connection"] == "keep-alive"
    peer.say(b"GET / HTTP/1.0\r\n\r\n")
    assert (await peer.hear()).headers["connection"] == "close"
    assert await peer.ended()


async def test_a_header_value_that_would_end_its_line_is_not_given_on(hub: Hub) -> None:
    hub.common = (("X-Evil", "a\r\nX-Injected: b"), ("X-Good", "yes"))
    peer = await hub.peer()
    peer.say(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    heard = await peer.hear()
    assert "x-injected" not in heard.headers
    assert "x-evil" not in heard.headers
    assert heard.headers["x-good"] == "yes"


async def test_a_caller_that_goes_away_does_not_end_what_it_began(hub: Hub) -> None:
    hub.gate.clear()
    peer = await hub.peer()
    peer.say(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    while not hub.calls:
        await asyncio.sleep(0)
    peer.writer.transport.abort()
    for _ in range(20):
        await asyncio.sleep(0)
    assert hub.server.in_flight == 1
    hub.gate.set()
    while hub.server.in_flight:
        await asyncio.sleep(0)


async def test_draining_ends_what_is_in_flight_closes_it_and_takes_nothing_new(hub: Hub) -> None:
    hub.gate.clear()
    peer = await hub.peer()
    peer.say(b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n")
    while not hub.calls:
        await asyncio.sleep(0)
    port = hub.server.port
    assert await hub.server.drain(0.01) is False
    draining = asyncio.create_task(hub.server.drain(5))
    await asyncio.sleep(0)
    hub.gate.set()
    heard = await peer.hear()
    assert (data_of(heard)[1], heard.headers["connection"]) == ("/held", "close")
    assert await draining is True
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_connection_that_is_kept_is_answered_once_more_while_the_server_lingers(hub: Hub) -> None:
    used, idle = await hub.peer(), await hub.peer()
    for peer in (used, idle):
        peer.say(b"GET /first HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await peer.hear()).headers.get("connection") != "close"
    draining = asyncio.create_task(hub.server.drain(5, linger=0.5))
    await asyncio.sleep(0)
    used.say(b"GET /second HTTP/1.1\r\nHost: h\r\n\r\n")
    heard = await used.hear()
    assert (data_of(heard)[1], heard.headers["connection"]) == ("/second", "close")
    assert await draining is True
    await hub.server.close()
    assert await used.ended() and await idle.ended()


async def test_who_has_connected_and_was_not_accepted_yet_is_answered_when_the_server_drains(hub: Hub) -> None:
    with socket.create_connection(("127.0.0.1", hub.server.port)) as early:  # the loop has no turn: nobody accepts it
        early.sendall(b"GET /early HTTP/1.1\r\nHost: h\r\n\r\n")
        draining = asyncio.create_task(hub.server.drain(5, linger=5))
        reader, writer = await asyncio.open_connection(sock=early)
        hub.writers.append(writer)
        heard = await Peer(reader, writer).hear()
    assert (data_of(heard)[1], heard.headers["connection"]) == ("/early", "close")
    assert await draining is True


async def test_who_keeps_no_connection_is_not_lingered_for(hub: Hub) -> None:
    await asyncio.wait_for(hub.server.drain(60, linger=60), 10)
