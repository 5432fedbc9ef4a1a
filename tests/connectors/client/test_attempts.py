"""One attempt is one request on the wire, and its end is told exactly: nothing sent (4003), or not known (4002)."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from ipaddress import ip_network

import pytest
from aiohttp import ClientSession, ServerDisconnectedError
from aiohttp.abc import ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.client.attempt import AT_ONCE
from connectors.client.client import Client
from connectors.errors import InvalidParameters, NotConnected, OcpiError, OutcomeUnknown
from tests.connectors.client.peers import OK, Listen, Names, Peer, Talk, answering, closing, expire, resetting, silent

METHODS = ["GET", "PUT", "POST", "PATCH", "DELETE"]
BODIES = [None, b"{}", b"x" * (AT_ONCE + 1)]
on_a_clock = pytest.mark.asyncio(loop_factories=["asyncio"])


def once_then(talk: Talk) -> Talk:
    """The first request of the peer is answered well, so that the second travels on a connection that is kept."""

    async def first_well(peer: Peer, writer: asyncio.StreamWriter) -> None:
        if len(peer.requests) == 1:
            writer.write(OK)
        else:
            await talk(peer, writer)

    return first_well


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("talk", [resetting, closing])
@pytest.mark.parametrize("body", BODIES)
async def test_one_attempt_is_one_request_though_a_kept_connection_drops(
    method: str, talk: Talk, body: bytes | None, listen: Listen, client: Client
) -> None:
    peer = await listen(once_then(talk))
    await client.send("GET", peer.url, {}, None, within=5)
    with pytest.raises(OutcomeUnknown, match="may have arrived"):
        await client.send(method, peer.url, {}, body, within=5)
    assert len(peer.requests) == 2
    assert peer.connections == 1


async def test_the_client_library_by_itself_would_repeat(listen: Listen) -> None:
    peer = await listen(once_then(closing))
    async with ClientSession() as session:
        await session.get(peer.url)
        with pytest.raises(ServerDisconnectedError):
            await session.put(peer.url, data=b"{}")
    assert len(peer.requests) == 3


@pytest.mark.parametrize(
    "talk",
    [
        resetting,
        closing,
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", b""),
        answering(b"SSH-2.0-OpenSSH_9.6\r\n"),
        answering(b"HTTP/1.1 2"),
        answering(b"HTTP/1.1 abc\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000),
        answering(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000),
    ],
)
@pytest.mark.parametrize("body", BODIES)
async def test_once_begun_whatever_is_not_a_whole_answer_is_unknown(
    talk: Talk, body: bytes | None, listen: Listen, client: Client
) -> None:
    async def then_close(peer: Peer, writer: asyncio.StreamWriter) -> None:
        await talk(peer, writer)
        raise ConnectionAbortedError

    peer = await listen(then_close)
    with pytest.raises(OutcomeUnknown):
        await client.send("POST", peer.url, {}, body, within=5)
    assert len(peer.requests) == 1


@on_a_clock
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{"])
async def test_p2_a_request_that_timed_out_is_cut_off(
    start: bytes, body: bytes | None, listen: Listen, client: Client
) -> None:
    async def too_slow(_: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        expire()

    peer = await listen(too_slow)
    with pytest.raises(OutcomeUnknown, match="in time"):
        await client.send("PUT", peer.url, {}, body, within=60)
    await peer.ended.wait()
    assert peer.reset
    assert len(peer.requests) == 1


@on_a_clock
async def test_p2_what_was_not_sent_of_a_request_that_timed_out_never_arrives(client: Client) -> None:
    release, ended, arrived = asyncio.Event(), asyncio.Event(), 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        await release.wait()
        with suppress(ConnectionResetError):
            while block := await reader.read(1 << 16):
                arrived += len(block)
        writer.close()
        ended.set()

    def permit() -> bool:
        asyncio.get_running_loop().call_soon(expire)
        return True

    server = await asyncio.start_server(slow, "127.0.0.1", 0, limit=1 << 10)
    body = b"x" * (32 << 20)
    with pytest.raises(OutcomeUnknown):
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await client.send("PUT", url, {}, body, within=60, permit=permit)
    release.set()
    await ended.wait()
    server.close()
    assert arrived < len(body)


async def test_a_caller_that_is_cancelled_cuts_its_request_off(listen: Listen, client: Client) -> None:
    peer = await listen(silent)
    task = asyncio.create_task(client.send("PUT", peer.url, {}, b"{}", within=5))
    while not peer.requests:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(peer.ended.wait(), 5)
    assert peer.reset


# --- nothing sent ----------------------------------------------------------------------------------------------------


async def test_a_refused_connection_is_told_apart(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotConnected, match="refused") as error:
        await client.send("GET", f"http://127.0.0.1:{port}/", {}, None, within=5)
    assert error.value.refused


async def test_a_name_that_is_not_known_is_not_connected() -> None:
    client = Client(resolver=Names())
    await client.start()
    with pytest.raises(NotConnected, match="cannot be resolved") as error:
        await client.send("GET", "https://nowhere.example/", {}, None, within=5)
    await client.close()
    assert not error.value.refused


class Hanging(Names):
    """Names that are never found, while an hour passes."""

    async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
        expire()
        await asyncio.Event().wait()
        return []


@on_a_clock
@pytest.mark.parametrize(("connect", "within"), [(3.0, 60.0), (60.0, 3.0)])
async def test_connecting_in_time_or_not_connected(connect: float, within: float) -> None:
    client = Client(resolver=Hanging(), connect_timeout=connect)
    await client.start()
    with pytest.raises(NotConnected, match="nothing was sent"):
        await client.send("GET", "https://slow.example/", {}, None, within=within)
    await client.close()


@on_a_clock
@pytest.mark.parametrize("body", BODIES)
async def test_a_deadline_that_passes_as_the_connection_comes_is_not_connected(
    body: bytes | None, listen: Listen
) -> None:
    peer = await listen()

    class Late(Names):
        async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
            asyncio.get_running_loop().call_soon(expire)
            return await Names(late_example=["127.0.0.1"]).resolve("late.example", peer.port)

    client = Client([ip_network("127.0.0.1/32")], resolver=Late(), connect_timeout=1e6)
    await client.start()
    with pytest.raises(NotConnected):
        await client.send("PUT", f"http://late.example:{peer.port}/", {}, body, within=60)
    await client.close()
    assert peer.requests == []


@pytest.mark.parametrize("within", [0.0, -1.0])
async def test_after_the_deadline_nothing_is_begun(within: float, listen: Listen, client: Client) -> None:
    peer = await listen()
    await client.send("GET", peer.url, {}, None, within=5)
    with pytest.raises(NotConnected):
        await client.send("GET", peer.url, {}, None, within=within)
    assert len(peer.requests) == 1


@pytest.mark.parametrize("body", BODIES)
async def test_p1_without_permission_not_a_byte_is_written(body: bytes | None, listen: Listen, client: Client) -> None:
    peer = await listen()
    asked: list[int] = []

    def permit() -> bool:
        asked.append(peer.connections)
        return False

    await client.send("GET", peer.url, {}, None, within=5)
    with pytest.raises(NotConnected, match="may no longer begin"):
        await client.send("PUT", peer.url, {}, body, within=5, permit=permit)
    assert asked == [1]  # once, with the connection at hand
    await client.send("GET", peer.url, {}, None, within=5, permit=lambda: True)
    assert [request.split()[0] for request in peer.requests] == [b"GET", b"GET"]


async def test_a_permission_refused_keeps_the_connection(listen: Listen, client: Client) -> None:
    peer = await listen()
    with pytest.raises(NotConnected):
        await client.send("PUT", peer.url, {}, b"{}", within=5, permit=lambda: False)
    await client.send("GET", peer.url, {}, None, within=5)
    assert peer.connections == 1


UNSENDABLE: list[tuple[str, dict[str, str]]] = [
    ("CONNECT", {}),
    ("GET / HTTP/1.1\r\nX:", {}),
    ("GET", {"X": "a\r\nY: b"}),
    ("GET", {"X\n": "a"}),
    ("GET", {"X": "\0"}),
]


@pytest.mark.parametrize(("method", "headers"), UNSENDABLE)
async def test_what_cannot_be_sent_is_said(
    method: str, headers: dict[str, str], listen: Listen, client: Client
) -> None:
    peer = await listen()
    with pytest.raises(InvalidParameters):
        await client.send(method, peer.url, headers, None, within=5)
    assert peer.requests == []


@pytest.fixture
async def tls() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A TLS port with a certificate that nobody signed, for another name."""
    context, received = self_signed(), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1], received
    server.close()


async def test_a_certificate_that_is_not_valid_is_not_connected(tls: tuple[int, list[bytes]], client: Client) -> None:
    port, received = tls
    with pytest.raises(NotConnected, match="certificate") as error:
        await client.send("PUT", f"https://127.0.0.1:{port}/", {}, b"{}", within=5)
    assert not error.value.refused
    assert received == []


async def test_a_peer_without_tls_is_not_connected(client: Client) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    with pytest.raises(NotConnected, match="TLS"):
        await client.send("GET", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, None, within=5)
    server.close()


async def test_a_client_that_is_not_started_or_closed_sends_nothing(listen: Listen) -> None:
    peer = await listen()
    client = Client([ip_network("127.0.0.1/32")])
    with pytest.raises(NotConnected):
        await client.send("GET", peer.url, {}, None, within=5)
    await client.start()
    await client.close()
    with pytest.raises(NotConnected):
        await client.send("GET", peer.url, {}, None, within=5)
    assert peer.connections == 0


async def test_requests_in_flight_at_close_are_unknown(listen: Listen, client: Client) -> None:
    peer = await listen(silent)
    task = asyncio.create_task(client.send("PUT", peer.url, {}, b"{}", within=5))
    while not peer.requests:
        await asyncio.sleep(0)
    await client.close()
    with pytest.raises(OutcomeUnknown):
        await task


# --- answers that nobody asked for -----------------------------------------------------------------------------------


async def test_what_comes_unasked_is_never_taken_for_an_answer(listen: Listen, client: Client) -> None:
    async def twice(peer: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + (b"HTTP/1.1 204 Stale\r\n\r\n" if len(peer.requests) == 1 else b""))

    peer = await listen(twice)
    for _ in range(2):
        assert (await client.send("GET", peer.url, {}, None, within=5)).http_status == 200
    assert peer.connections == 2


async def test_a_peer_that_talks_on_an_idle_connection_is_cut_off(listen: Listen, client: Client) -> None:
    go = asyncio.Event()

    async def chatty(_: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await go.wait()
        while True:
            writer.write(b"HTTP/1.1 204 Stale\r\n\r\n" * 1000)
            await writer.drain()

    peer = await listen(chatty)
    await client.send("GET", peer.url, {}, None, within=5)
    go.set()
    await asyncio.wait_for(peer.ended.wait(), 5)
    assert peer.reset


async def test_a_peer_that_speaks_first_is_no_http_server(client: Client) -> None:
    async def banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp.example ESMTP\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(banner, "127.0.0.1", 0)
    with pytest.raises(OcpiError):
        await client.send("GET", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, None, within=5)
    server.close()


def self_signed() -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "party.example")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        private = serialization.PrivateFormat.PKCS8
        file.write(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
        file.flush()
        context.load_cert_chain(file.name)
    return context
