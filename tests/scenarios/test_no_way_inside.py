"""P12: with HUB_ALLOW_NETWORKS empty nothing inside is called, whatever a versions URL or a name says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from ipaddress import ip_network

import orjson
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.authorization import Form
from connectors.client import Client
from connectors.errors import UnusableApi
from connectors.sample import Canned, Fault, Rule, sample_emsp
from connectors.values import Role
from hub.onboarding.handshake import Handshake
from hub.onboarding.offers import latest_mutual
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import RECEIVER, SENDER, Parties, check, new_party, party_of

INSIDE = (
    "http://127.0.0.1:{port}", "https://127.0.0.1:{port}", "https://localhost:{port}", "http://localhost:{port}",
    "https://[::1]:{port}", "https://[::ffff:10.0.0.1]:{port}", "https://169.254.169.254", "https://0.0.0.0:{port}",
    "https://10.0.0.1", "https://2130706433:{port}", "https://0x7f000001:{port}", "https://127.1:{port}",
    "https://[::ffff:127.0.0.1]:{port}", "https://user@127.0.0.1:{port}", "http://example.com",
)  # fmt: skip


class Trap:
    """Counts the connections that are made to it."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection was made."""
        del reader
        self.connections += 1
        writer.close()


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    """A server on every loopback address of one port."""
    made = Trap()
    server = await asyncio.start_server(made.take, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        other = await asyncio.start_server(made.take, "::1", made.port)
    except OSError:  # a machine without IPv6
        other = None
    yield made
    server.close()
    if other is not None:
        other.close()


@pytest.fixture
def strict_hub(make_hub: MakeHub) -> RunningHub:
    """A hub as it comes: nothing inside is allowed."""
    return make_hub(allow="", handshake_seconds=1, connect_seconds=1).start()


async def test_no_versions_url_inside_is_called_at_registration(strict_hub: RunningHub, trap: Trap) -> None:
    async with Parties(strict_hub) as parties:
        await _nothing_inside_is_called(strict_hub, parties, trap)


async def _nothing_inside_is_called(strict_hub: RunningHub, parties: Parties, trap: Trap) -> None:
    emsp = await parties.start(sample_emsp(new_party()))
    token, _ = await strict_hub.invite((party_of(emsp), Role.EMSP))
    document = emsp.connection.document("canary-of-a-way-inside")
    strict_hub.vault.add("canary-of-a-way-inside")
    for base in INSIDE:
        url = base.format(port=trap.port) + "/ocpi/versions"
        answer = await emsp.call_url(
            "POST", f"{strict_hub.public_url}/ocpi/2.2.1/credentials", body=document | {"url": url}, credential=token
        )
        check(answer, 200, 3001, "GET versions")
        status, told = await strict_hub.operate(
            "POST", "/api/platforms/connect", {"versions_url": url, "token": "canary-of-a-way-inside"}
        )
        assert status == 502 and "GET versions" in told["error"], told
    assert trap.connections == 0
    assert not emsp.received


class Names(AbstractResolver):
    """A resolver that gives every name these addresses, one list after the other, the last for ever."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host, host=address, port=port, proto=0, flags=socket.AI_NUMERICHOST,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            )
            for address in addresses
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is held."""


@contextmanager
def connects() -> Iterator[list[str]]:
    """The addresses that this process begins to connect to meanwhile."""
    seen: list[str] = []
    loop = asyncio.get_running_loop()
    dial = loop.sock_connect

    async def sock_connect(sock: socket.socket, address: tuple[object, ...]) -> None:
        seen.append(str(address[0]))
        await dial(sock, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "sock_connect", sock_connect)
        yield seen


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",), ("::1",), ("::ffff:10.0.0.1",), ("169.254.169.254",), ("0.0.0.0",), ("10.1.2.3",),
        ("fd00::1",), ("64:ff9b::7f00:1",), ("2002:7f00:1::",), ("100.64.0.1",),
    ],
)  # fmt: skip
async def test_a_name_that_resolves_to_an_inside_address_is_not_called(addresses: tuple[str, ...]) -> None:
    client = Client((), connect_timeout=0.3, resolver=Names(addresses))
    await client.start()
    try:
        with connects() as seen, pytest.raises(UnusableApi, match=r"GET versions at https://party\.example"):
            await Handshake(client, within=1).explore(
                "https://party.example/ocpi/versions", "canary", (Form.RAW,), latest_mutual
            )
        assert not set(seen) & set(addresses)
    finally:
        await client.close()


@pytest.mark.parametrize(
    "answers",
    [(("8.8.8.8",), ("127.0.0.1",)), (("8.8.8.8", "127.0.0.1"),), (("8.8.8.8", "::1", "10.0.0.1"),)],
    ids=["another answer", "one answer", "one answer with IPv6"],
)
async def test_a_name_that_is_public_first_and_private_second_is_judged_at_each_connect(
    answers: tuple[tuple[str, ...], ...],
) -> None:
    client = Client((), connect_timeout=0.3, resolver=Names(*answers), dns_ttl=0)
    await client.start()
    try:
        handshake = Handshake(client, within=1)
        with connects() as seen:
            for _ in range(3):
                with pytest.raises(UnusableApi):
                    await handshake.explore("https://party.example/", "canary", (Form.RAW,), latest_mutual)
        assert set(seen) <= {"8.8.8.8"}, seen
    finally:
        await client.close()


async def test_what_watches_the_connections_sees_one_that_is_allowed(trap: Trap) -> None:
    client = Client([ip_network("127.0.0.0/8")], connect_timeout=0.3, resolver=Names(("127.0.0.1",)))
    await client.start()
    try:
        with connects() as seen, pytest.raises(UnusableApi):
            url = f"http://party.example:{trap.port}/"
            await Handshake(client, within=1, allow_networks=[ip_network("127.0.0.0/8")]).explore(
                url, "canary", (Form.RAW,), latest_mutual
            )
        assert seen == ["127.0.0.1"]
        assert trap.connections == 1
    finally:
        await client.close()


async def test_a_response_url_elsewhere_is_refused_until_the_operator_adds_its_origin(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    url = "http://127.0.0.1:9/result"
    body = {"response_url": url, "token": emsp.objects.all("tokens")[0], "location_id": "LOC0001"}

    async def command() -> int | None:
        answer = await emsp.call("POST", "commands", RECEIVER, "START_SESSION", to=party_of(cpo), body=body)
        return answer.status_code

    assert await command() == 2001
    assert not cpo.received or cpo.received[-1].module != "commands"
    await parties.hub.change(party_of(emsp), origins=["http://127.0.0.1:9"])
    assert await command() == 1000


async def test_a_link_or_location_elsewhere_is_not_given_on(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    body = orjson.dumps({"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z", "data": []})
    link = {"Content-Type": "application/json", "Link": '<http://127.0.0.1:9/next>; rel="next"'}
    cpo.faults.set(Rule(Fault.CANNED, module="locations", canned=Canned(body, headers=link)))
    answer = await emsp.call("GET", "locations", SENDER, to=party_of(cpo))
    check(answer, 200, 4000, "Link", str(party_of(cpo)))
    assert "Link" not in answer.headers
