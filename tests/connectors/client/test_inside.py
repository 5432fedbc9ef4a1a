"""P12 over real sockets: nothing inside is ever connected to, by whatever name or spelling."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from connectors.client.client import Client
from connectors.client.dialing import Forbidden, sockets
from connectors.client.guard import Guard
from connectors.errors import NotConnected
from tests.connectors.client.peers import Listen, Names, answering

PUBLIC = "93.184.216.34"


@pytest.fixture
async def listeners() -> AsyncIterator[tuple[int, list[object]]]:
    """A port that is open on 127.0.0.1 and ::1, and who connected to it."""
    accepted: list[object] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer.get_extra_info("peername"))
        writer.close()

    four = await asyncio.start_server(accept, "127.0.0.1", 0)
    port: int = four.sockets[0].getsockname()[1]
    servers = [four]
    if socket.has_ipv6:
        try:
            servers.append(await asyncio.start_server(accept, "::1", port))
        except OSError:
            pass
    yield port, accepted
    for server in servers:
        server.close()


async def refused(url: str, names: Names | None = None, allow: str | None = None) -> str:
    client = Client([ip_network(allow)] if allow else [], resolver=names or Names())
    await client.start()
    try:
        with pytest.raises(NotConnected) as error:
            await client.send("GET", url, {}, None, within=5)
    finally:
        await client.close()
    assert not error.value.refused
    return error.value.message


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["::ffff:10.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["0.0.0.0"],
        ["::"],
        ["64:ff9b::7f00:1"],
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        ["2606:2800:220:1:248:1893:25c8:1946", PUBLIC, "::1"],
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_p12_a_name_with_a_forbidden_address_is_refused_as_a_whole(
    scheme: str, addresses: list[str], listeners: tuple[int, list[object]]
) -> None:
    port, accepted = listeners
    message = await refused(f"{scheme}://party.example:{port}/", Names(party_example=addresses))
    assert "HUB_ALLOW_NETWORKS" in message
    assert accepted == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_p12_an_address_in_the_url_is_judged_too(
    scheme: str, host: str, listeners: tuple[int, list[object]]
) -> None:
    port, accepted = listeners
    names = Names()
    assert "HUB_ALLOW_NETWORKS" in await refused(f"{scheme}://{host}:{port}/", names)
    assert accepted == []
    assert names.asked == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0x7f000001", "127.1", "0177.0.0.1", "017700000001"])
async def test_p12_odd_spellings_never_reach_the_resolver(host: str) -> None:
    names = Names(**{host.replace(".", "_"): ["127.0.0.1"]})
    assert "four decimal numbers" in await refused(f"https://{host}/", names)
    assert names.asked == []


@pytest.mark.parametrize(
    "url", ["https://u:p@h.example/", "ftp://h.example/", "https:///x", "https://h.example:0/", "h.example", ""]
)
async def test_p12_no_other_kind_of_url(url: str) -> None:
    names = Names(h_example=[PUBLIC])
    await refused(url, names)
    assert names.asked == []


async def test_p12_http_only_inside_allowed_networks() -> None:
    assert "only https" in await refused("http://party.example/", Names(party_example=[PUBLIC]), "127.0.0.0/8")
    assert "only https" in await refused(f"http://{PUBLIC}/", None, "127.0.0.0/8")


async def test_p12_a_name_that_moves_inside_is_refused_at_the_next_connect(listen: Listen) -> None:
    peer = await listen()
    names = Names(party_example=["127.0.0.1"])
    client = Client([ip_network("127.0.0.1/32")], resolver=names, dns_ttl=0)
    await client.start()
    url = f"http://party.example:{peer.port}/"
    assert (await client.send("GET", url, {"Connection": "close"}, None, within=5)).http_status == 200
    names.table["party.example"] = ["127.0.0.2"]
    assert (await client.send("GET", url, {}, None, within=5)).http_status == 200  # the connection that was judged
    await client.close()
    await client.start()
    with pytest.raises(NotConnected, match="loopback"):
        await client.send("GET", url, {}, None, within=5)
    await client.close()
    assert peer.connections == 1


async def test_p12_a_redirect_inside_is_not_followed(listen: Listen, client: Client) -> None:
    target = await listen()
    peer = await listen(
        answering(b"HTTP/1.1 307 X\r\nLocation: " + target.url.encode() + b"\r\nContent-Length: 0\r\n\r\n")
    )
    with pytest.raises(Exception, match="another origin"):
        await client.send("GET", peer.url, {}, None, within=5)
    assert target.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:10.0.0.1", "169.254.169.254", "0.0.0.0"])
def test_p12_no_socket_is_made_for_a_forbidden_address(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(Forbidden):
        sockets(Guard(), "https")((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 443)))


def test_p12_a_socket_is_made_for_a_public_address_only_for_https() -> None:
    at = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (PUBLIC, 443))
    sockets(Guard(), "https")(at).close()
    with pytest.raises(Forbidden, match="only https"):
        sockets(Guard(), "http")(at)


async def test_the_systems_resolver_is_the_default(listen: Listen) -> None:
    peer = await listen()
    client = Client([ip_network("127.0.0.0/8"), ip_network("::1/128")])
    await client.start()
    answer = await client.send("GET", f"http://localhost:{peer.port}/", {}, None, within=5)
    await client.close()
    assert answer.http_status == 200
