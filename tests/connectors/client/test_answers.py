"""What is sent and what is taken for an answer: bytes as given, limits, content encodings, redirects."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from ipaddress import ip_network
from unittest.mock import Mock

import pytest
from aiohttp.abc import ResolveResult

from connectors.client.client import Client
from connectors.errors import HubError, OcpiError, OutcomeUnknown
from tests.connectors.client.peers import OK, Listen, Names, Peer, Talk, answering, expire, resetting

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LIMIT = 1 << 20  # the fixture's
ENVELOPE = b'{"status_code":1000,"timestamp":"2026-01-01T00:00:00Z"}'


def reply(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *headers, b"Content-Length: %d" % len(body), b"", b""]) + body


async def test_an_answer_is_what_came(listen: Listen, client: Client) -> None:
    peer = await listen(answering(reply(ENVELOPE, b"X-Total-Count: 7", b"Retry-After: 3", status=b"503 Away")))
    answer = await client.send("GET", peer.url, {}, None, within=5)
    assert (answer.http_status, answer.body) == (503, ENVELOPE)
    assert answer.headers["x-total-count"] == "7"
    assert answer.headers["RETRY-AFTER"] == "3"
    assert 0 < answer.ms < 5000


async def test_the_url_goes_out_as_it_is_given(listen: Listen, client: Client) -> None:
    peer = await listen()
    target = "/ocpi//2.2.1/tokens/%23NA%2f%20%C3%A9/a:b@c;d,e/../x?date_from=2020-01-01T00:00:00Z&q=%2B+%26&&="
    await client.send("GET", peer.url + target, {}, None, within=5)
    assert peer.requests[0].split(b" ")[1] == target.encode()


@pytest.mark.parametrize("size", [0, 1, 100_000])
async def test_the_headers_of_the_hop_are_the_clients_own(size: int, listen: Listen, client: Client) -> None:
    peer = await listen()
    given = {
        "Authorization": "Token abc",
        "content-type": "application/json",
        "host": "evil.example",
        "content-length": "3",
        "Transfer-Encoding": "chunked",
        "connection": "upgrade",
        "Expect": "100-continue",
        "Accept-Encoding": "br",
    }
    await client.send("PUT", peer.url, given, b"x" * size, within=5)
    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    lines = sorted(line.lower() for line in head.split(b"\r\n")[1:])
    assert lines == sorted(
        [
            b"authorization: token abc",
            b"content-type: application/json",
            b"host: 127.0.0.1:%d" % peer.port,
            b"content-length: %d" % size,
            b"accept-encoding: identity",
            b"accept: */*",
            b"user-agent: ocpi-hub",
        ]
    )
    assert body == b"x" * size


async def test_connections_are_kept_and_cookies_are_not(listen: Listen, client: Client) -> None:
    peer = await listen(answering(reply(ENVELOPE, b"Set-Cookie: a=b; Path=/")))
    for _ in range(3):
        await client.send("POST", peer.url, {}, b"{}", within=5)
    assert peer.connections == 1
    assert b"cookie" not in peer.requests[2].lower()


async def test_many_at_a_time_again_and_again_need_no_more_connections_than_are_at_a_time(
    listen: Listen, client: Client
) -> None:
    peer = await listen(answering(reply(ENVELOPE)))

    async def one_after_another() -> None:
        for _ in range(25):
            await client.send("PUT", peer.url, {}, b"{}", within=5)

    await asyncio.gather(*(one_after_another() for _ in range(8)))
    assert len(peer.requests) >= 1
    assert peer.connections <= 8


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified", b"200 OK"])
async def test_an_answer_may_be_empty(status: bytes, listen: Listen, client: Client) -> None:
    peer = await listen(answering(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"))
    for _ in range(2):
        assert (await client.send("GET", peer.url, {}, None, within=5)).body == b""
    assert peer.connections == 1


async def test_an_answer_may_end_with_its_connection(listen: Listen, client: Client) -> None:
    async def ending(_: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + ENVELOPE)
        raise ConnectionAbortedError

    peer = await listen(ending)
    assert (await client.send("GET", peer.url, {}, None, within=5)).body == ENVELOPE


async def test_a_switch_of_protocols_is_an_answer_and_ends_the_connection(listen: Listen, client: Client) -> None:
    peer = await listen(answering(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"))
    for _ in range(2):
        assert (await client.send("GET", peer.url, {}, None, within=5)).http_status == 101
    assert peer.connections == 2


# --- limits ----------------------------------------------------------------------------------------------------------


async def test_a_body_of_the_limit_passes(listen: Listen, client: Client) -> None:
    peer = await listen(answering(reply(b"x" * LIMIT)))
    assert len((await client.send("GET", peer.url, {}, None, within=5)).body) == LIMIT
    chunks = b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(16))
    peer = await listen(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunks, b"0\r\n\r\n"))
    assert len((await client.send("GET", peer.url, {}, None, within=5)).body) == LIMIT


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1048577", b"Content-Length: 99999999999", b"Transfer-Encoding: chunked", b"X: y"]
)
async def test_a_body_over_the_limit_is_cut_off_and_said(head: bytes, listen: Listen, client: Client) -> None:
    async def pouring(_: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()

    peer = await listen(pouring)
    with pytest.raises(HubError, match=str(LIMIT)) as error:
        await client.send("GET", peer.url, {}, None, within=5)
    assert type(error.value) is HubError
    await asyncio.wait_for(peer.ended.wait(), 5)


def endless(start: bytes, more: bytes) -> Talk:
    """A peer that never comes to an end, in pieces of about 64 KiB."""

    async def talk(_: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(more * (65536 // len(more)))
            await writer.drain()

    return talk


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (b"", b"\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 200 OK\r\nX", b"y"),
        (b"HTTP/1.1 200 ", b"y"),
        (CHUNKED + b"2;", b"y"),
        (CHUNKED, b"0"),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n"),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX: ", b"y"),
    ],
    ids=[
        "100",
        "103",
        "blank lines",
        "headers",
        "a header",
        "a name",
        "a reason",
        "an extension",
        "a size",
        "trailers",
        "a trailer",
    ],
)
async def test_what_never_comes_to_an_end_is_given_up_long_before_the_deadline(
    start: bytes, more: bytes, listen: Listen, client: Client
) -> None:
    peer = await listen(endless(start, more))
    with pytest.raises(OutcomeUnknown, match="not HTTP within the limits"):
        await client.send("GET", peer.url, {}, None, within=60)
    await asyncio.wait_for(peer.ended.wait(), 20)
    assert len(peer.requests) == 1


async def test_an_answer_behind_some_interim_ones_and_in_small_chunks_is_read(listen: Listen, client: Client) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % sign for sign in ENVELOPE)
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100
    peer = await listen(answering(hints, CHUNKED, chunks, b"0\r\n\r\n"))
    for _ in range(3):
        assert (await client.send("GET", peer.url, {}, None, within=20)).body == ENVELOPE
    assert peer.connections == 1


# --- content encodings -----------------------------------------------------------------------------------------------


def bare(body: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(body) + deflate.flush()


@pytest.mark.parametrize(
    ("coding", "encode"),
    [(b"gzip", gzip.compress), (b"X-GZip", gzip.compress), (b"deflate", zlib.compress), (b"deflate", bare)],
)
async def test_a_compressed_answer_is_read(
    coding: bytes, encode: Callable[[bytes], bytes], listen: Listen, client: Client
) -> None:
    peer = await listen(answering(reply(encode(ENVELOPE), b"Content-Encoding: " + coding, b"X: y")))
    answer = await client.send("GET", peer.url, {}, None, within=5)
    assert answer.body == ENVELOPE
    assert dict(answer.headers) == {"X": "y"}


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"br", b"abc"),
        (b"gzip, gzip", gzip.compress(gzip.compress(ENVELOPE))),
        (b"gzip", ENVELOPE),
        (b"gzip", gzip.compress(ENVELOPE)[:-4]),
        (b"gzip", gzip.compress(ENVELOPE) + b"more"),
        (b"deflate", b"\xff\xff\xff"),
        (b"gzip", gzip.compress(b"0" * (LIMIT + 1))),
        (b"gzip", gzip.compress(b"0" * (64 << 20))),
    ],
    ids=["unknown", "twice", "plain", "cut-off", "more", "broken", "too-long", "bomb"],  # gzip's bytes hold the time
)
async def test_an_encoding_that_is_unknown_broken_or_a_bomb_is_said(
    coding: bytes, body: bytes, listen: Listen, client: Client
) -> None:
    peer = await listen(answering(reply(body, b"Content-Encoding: " + coding)))
    with pytest.raises(HubError) as error:
        await client.send("GET", peer.url, {}, None, within=5)
    assert type(error.value) is HubError


# --- redirects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [b"307 X", b"308 X"])
@pytest.mark.parametrize("location", [b"/b?c=d", b"b?c=d", b"http://127.0.0.1:%d/b?c=d"])
@pytest.mark.parametrize("body", [None, b"{}", b"x" * 100_000])
async def test_a_redirect_at_home_is_followed_once(
    body: bytes | None, location: bytes, status: bytes, listen: Listen, client: Client
) -> None:
    async def talk(peer: Peer, writer: asyncio.StreamWriter) -> None:
        where = location.replace(b"%d", b"%d" % peer.port)
        writer.write(OK if len(peer.requests) > 1 else reply(b"", b"Location: " + where, status=status))

    peer = await listen(talk)
    permit = Mock(return_value=True)
    answer = await client.send("PUT", peer.url + "/a", {"Authorization": "Token t"}, body, within=5, permit=permit)
    assert answer.http_status == 200
    one, two = peer.requests
    assert two == one.replace(b"PUT /a ", b"PUT /b?c=d ")
    assert permit.call_count == 2


@pytest.mark.parametrize(
    ("status", "location"),
    [
        (b"301 X", b"/b"),
        (b"302 X", b"/b"),
        (b"303 X", b"/b"),
        (b"307 X", b"http://127.0.0.1:1/b"),
        (b"308 X", b"https://127.0.0.1/b"),
        (b"307 X", b"//other.example/b"),
        (b"307 X", b"http://u:p@127.0.0.1/"),
        (b"307 X", b"file:///etc/passwd"),
        (b"307 X", b"http://[::1"),
        (b"307 X", b""),
        (b"307 X", b"/\xff"),
        (b"307 X", b"/loop"),
    ],
)
async def test_p12_any_other_redirect_is_said(status: bytes, location: bytes, listen: Listen, client: Client) -> None:
    peer = await listen(answering(reply(b"", b"Location: " + location, status=status)))
    with pytest.raises(HubError, match="redirect") as error:
        await client.send("PUT", peer.url + "/a", {}, b"{}", within=5)
    assert type(error.value) is HubError
    assert len(peer.requests) == (2 if location == b"/loop" else 1)


async def test_a_redirect_that_then_fails_is_unknown_for_the_party_has_seen_the_request(
    listen: Listen, client: Client
) -> None:
    peer = await listen(answering(reply(b"", b"Location: /b", status=b"307 X")))
    permissions = iter([True, False])
    with pytest.raises(OutcomeUnknown):
        await client.send("PUT", peer.url + "/a", {}, b"{}", within=5, permit=lambda: next(permissions))
    assert len(peer.requests) == 1


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_redirect_whose_second_connection_comes_too_late_is_unknown(listen: Listen) -> None:
    class Fading(Names):
        async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
            if peer.requests:
                expire()
                await asyncio.Event().wait()
            return await Names(fading_example=["127.0.0.1"]).resolve("fading.example", peer.port)

    peer = await listen(answering(reply(b"", b"Location: /b", b"Connection: close", status=b"307 X")))
    client = Client([ip_network("127.0.0.1/32")], resolver=Fading(), dns_ttl=0, connect_timeout=1e6)
    await client.start()
    with pytest.raises(OutcomeUnknown):
        await client.send("PUT", f"http://fading.example:{peer.port}/a", {}, b"{}", within=60)
    await client.close()
    assert len(peer.requests) == 1


async def test_many_at_once_share_nothing(listen: Listen) -> None:
    async def echo(peer: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(peer.requests[-1].split(b" ")[1]))

    peers = [await listen(echo) for _ in range(4)]
    broken = await listen(resetting)
    client = Client([ip_network("127.0.0.1/32")])
    await client.start()
    urls = [f"{peers[n % 4].url}/{n}" for n in range(200)] + [broken.url] * 20
    answers = await asyncio.gather(
        *(client.send("GET", url, {}, None, within=10) for url in urls), return_exceptions=True
    )
    await client.close()
    assert [a if isinstance(a, BaseException) else a.body for a in answers[:200]] == [b"/%d" % n for n in range(200)]
    assert all(isinstance(a, OcpiError) for a in answers[200:])
    assert len(broken.requests) == 20
