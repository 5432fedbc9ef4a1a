"""extrawest-ocpi as CPO and as eMSP against the running hub, its pushes without routing headers included."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import aiohttp
import pytest

from connectors.values import PartyId
from tests.engines.fetch import NotHere
from tests.engines.plugin import wish
from tests.interop.environment import HERE, CannotBeHad, python
from tests.scenarios import bodies
from tests.scenarios.hub import RunningHub, free_port
from tests.scenarios.parties import RECEIVER, SENDER, Parties, check, eventually, got, new_party
from tests.scenarios.vault import Vault


class Peer:
    """A process of the other library."""

    def __init__(self, interpreter: Path, role: str, http: aiohttp.ClientSession) -> None:
        self.role, self.party, self.port = role, new_party(), free_port()
        self.token = token_urlsafe(24)
        self._http, self._interpreter = http, interpreter
        self._process: subprocess.Popen[str] | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "PYTHON"))}
        command = [str(self._interpreter), str(HERE / "peer.py"), str(self.port), self.role, *self.party]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdin is not None
        self._process.stdin.write(self.token + "\n")
        self._process.stdin.close()
        await eventually(self._answers, within=30)

    async def _answers(self) -> bool:
        try:
            await self.received("locations")
        except aiohttp.ClientError:
            return False
        return True

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    async def join(self, hub: RunningHub) -> None:
        """Registered by the hub, as the sender of the credentials."""
        body = {"versions_url": f"{self.base}/ocpi/versions", "token": self.token}
        status, told = await hub.operate("POST", "/api/platforms/connect", body)
        assert status in (200, 201), told

    async def received(self, module: str) -> dict[str, Any]:
        async with self._http.get(f"{self.base}/received/{module}") as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def push(self, module: str, body: bodies.Json) -> Any:
        """Have it push one of its objects, as the library does: without routing headers. What it was answered."""
        await (await self._http.post(f"{self.base}/own/{module}", json=body)).read()
        async with self._http.post(f"{self.base}/push/{module}/{body.get('uid') or body['id']}") as answer:
            return await answer.json()


@pytest.fixture(scope="module")
def interpreter() -> Path:
    if wish() == "off":
        pytest.skip("HUB_TEST_ENGINES=off")
    try:
        return python()
    except (NotHere, CannotBeHad) as error:
        if wish() == "required":
            raise
        pytest.skip(f"extrawest-ocpi cannot be had here: {error}")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with RunningHub(tmp_path_factory.mktemp("hub"), Vault()) as running:
        yield running


@pytest.fixture
async def parties(hub: RunningHub) -> AsyncIterator[Parties]:
    async with Parties(hub) as made:
        yield made


@pytest.fixture
async def peers(interpreter: Path, parties: Parties) -> AsyncIterator[tuple[Peer, Peer]]:
    """A CPO and an eMSP of the library, registered."""
    async with aiohttp.ClientSession() as http:
        both = Peer(interpreter, "CPO", http), Peer(interpreter, "EMSP", http)
        try:
            await asyncio.gather(*(peer.start() for peer in both))
            for peer in both:
                await peer.join(parties.hub)
            yield both
        finally:
            for peer in both:
                peer.stop()


def same(one: PartyId, body: bodies.Json) -> bool:
    """The library writes CiStrings in lower case."""
    return one == PartyId.of(body["country_code"], body["party_id"])


async def test_its_cpo_pushes_without_headers_reach_everybody_and_the_emsp_of_a_session(
    parties: Parties, peers: tuple[Peer, Peer]
) -> None:
    cpo, emsp = peers
    ours = await parties.emsp()
    location = bodies.location(cpo.party)
    told = await cpo.push("locations", location)
    assert (told["http"], told["answer"]["status_code"]) == (200, 1000), told
    await eventually(lambda: bool(got(ours, "locations", "PUT")))
    assert same(cpo.party, got(ours, "locations", "PUT")[-1].json)

    async def arrived() -> bool:
        return location["id"].lower() in await emsp.received("locations")

    await eventually(arrived)
    sample = await parties.cpo()
    session = bodies.session(sample, ours) | dict(zip(("country_code", "party_id"), cpo.party, strict=True))
    told = await cpo.push("sessions", session)
    assert told["answer"]["status_code"] == 1000, told
    assert same(cpo.party, got(ours, "sessions", "PUT")[-1].json)


async def test_its_emsp_pushes_a_token_that_a_cpo_authorises_without_saying_whose_it_is(
    parties: Parties, peers: tuple[Peer, Peer]
) -> None:
    _, emsp = peers
    ours = await parties.cpo()
    sample = await parties.emsp()
    token = bodies.token(sample) | dict(zip(("country_code", "party_id"), emsp.party, strict=True))
    token["uid"] = bodies.new_id("TOKEN")
    told = await emsp.push("tokens", token)
    assert told["answer"]["status_code"] == 1000, told
    await eventually(lambda: bool(got(ours, "tokens", "PUT")))

    async def allowed() -> bool:
        answer = await ours.call("POST", "tokens", SENDER, token["uid"], "authorize")
        return answer.status_code == 1000 and "ALLOWED" in answer.body.decode()

    await eventually(allowed)


async def test_a_command_without_its_endpoint_and_a_refusal_without_an_envelope_are_told_as_such(
    parties: Parties, peers: tuple[Peer, Peer]
) -> None:
    cpo, _ = peers
    ours = await parties.emsp()
    location = bodies.location(cpo.party)
    await cpo.push("locations", location)
    found = await ours.call("GET", "locations", SENDER, location["id"], to=cpo.party)
    assert (found.http_status, found.status_code) == (200, 1000)
    (data,) = found.envelope["data"]  # the library answers one object as a list of one; the bytes are its own
    assert data["id"] == location["id"].lower()
    listed = await ours.call("GET", "locations", SENDER, to=cpo.party)
    assert listed.headers["X-Total-Count"] == "1"
    check(await ours.call("GET", "locations", SENDER, "nowhere", to=cpo.party), 200, 4000, "404")
    body = bodies.command(ours, ours, "UNLOCK_CONNECTOR")
    unlock = await ours.call("POST", "commands", RECEIVER, "UNLOCK_CONNECTOR", to=cpo.party, body=body)
    check(unlock, 200, 4000, "commands")
