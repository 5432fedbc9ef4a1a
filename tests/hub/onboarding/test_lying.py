"""A platform whose API redirects, loops, dawdles or lies: 3001 to 3003 naming the step, and nothing half registered."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

import pytest

from connectors.values import Role
from tests.connectors.client.peers import Peer
from tests.hub.onboarding.fake import call
from tests.hub.onboarding.hubside import TNM, HubSide, hub_side
from tests.hub.onboarding.test_receiving import credentials_url, works

VERSIONS, DETAILS = "/versions", "/2.2.1"


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ok(data: Any) -> bytes:
    return json.dumps({"status_code": 1000, "data": data, "timestamp": "2026-03-01T10:00:00Z"}).encode()


def details(*endpoints: dict[str, Any], version: Any = "2.2.1") -> bytes:
    credentials = {"identifier": "credentials", "role": "SENDER", "url": "{base}/credentials"}
    return http(ok({"version": version, "endpoints": [credentials, *endpoints]}))


def tokens(url: str) -> bytes:
    return details({"identifier": "tokens", "role": "RECEIVER", "url": url})


def moved(location: str, status: str = "307 Temporary Redirect") -> bytes:
    return http(b"", f"Location: {location}", status=status)


class Lie(NamedTuple):
    """What is answered at this path; `{base}` and `{hub}` in it are filled in. `slow`: a byte at a time."""

    path: str
    answer: bytes
    code: int
    says: str
    slow: bool = False


STEP: Final = {VERSIONS: "GET versions", DETAILS: "GET version details"}
BOMB: Final = gzip.compress(b" " * (64 << 20))

LIES: Final = {
    **{
        f"{STEP[path]}: {name}": Lie(path, answer, 3001, says)
        for path in (VERSIONS, DETAILS)
        for name, answer, says in (
            ("loops", moved(path), "redirected the request twice"),
            ("loops by another page", moved("/around"), "redirected the request twice"),
            ("moved elsewhere", moved("http://localhost:9/ocpi/versions"), "to another origin"),
            ("moved inside", moved("http://169.254.169.254/latest"), "to another origin"),
            ("moved to the hub", moved("{hub}/ocpi/versions"), "to another origin"),
            ("moved to no url", moved("http://["), "to no URL"),
            ("moved nowhere", http(b"", status="307 Temporary Redirect"), "to no URL"),
            ("moved for good", moved("/2.2.1", "301 Moved Permanently"), "does not keep the request"),
            ("found", moved("/2.2.1", "302 Found"), "does not keep the request"),
            ("a bomb", http(BOMB, "Content-Encoding: gzip"), "over the limit"),
            ("a gigabyte", b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", "over the limit"),
            ("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
            ("headers without end", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000, "not HTTP"),
            ("204", b"HTTP/1.1 204 No Content\r\n\r\n", "no OCPI envelope"),
            ("no status_code", http(b'{"data":[]}'), "no OCPI envelope"),
            ("data is null", http(ok(None)), "$.data"),
            ("data is a list of nulls", http(ok([None])), "$.data"),
            ("data is deep", http(b'{"status_code":1000,"data":' + b"[" * 5000 + b"]" * 5000 + b"}"), ""),
        )
        if not (path == VERSIONS and "nulls" in name)
    },
    "a byte at a time": Lie(VERSIONS, http(ok([])), 3001, "not answered in time", slow=True),
    "details a byte at a time": Lie(DETAILS, details(), 3001, "not answered in time", slow=True),
    "a list of nulls": Lie(VERSIONS, http(ok([None, 1, "x", [], {}])), 3002, "version 2.2.1 is missing"),
    "another version": Lie(VERSIONS, http(ok([{"version": "2.1.1", "url": "{base}/2.1.1"}])), 3002, "2.2.1 is missing"),
    "a version without a url": Lie(VERSIONS, http(ok([{"version": "2.2.1"}])), 3001, "$.data[0].url"),
    "details inside": Lie(
        VERSIONS, http(ok([{"version": "2.2.1", "url": "http://10.0.0.1/2.2.1"}])), 3001, "http://10.0.0.1/2.2.1"
    ),
    "details at the hub": Lie(
        VERSIONS, http(ok([{"version": "2.2.1", "url": "{hub}/OCPI//2.2.1"}])), 3001, "is the hub's own"
    ),
    "the details of another version": Lie(DETAILS, details(version="2.1.1"), 3002, "$.data.version is '2.1.1'"),
    "one-element list": Lie(DETAILS, http(ok([{"version": "2.2.1", "endpoints": []}])), 3001, "$.data.endpoints"),
    "no endpoints": Lie(DETAILS, http(ok({"version": "2.2.1", "endpoints": []})), 3003, "no credentials endpoint"),
    "more endpoints than anybody has": Lie(
        DETAILS, details(*({"identifier": f"x{at}", "role": "SENDER", "url": "{base}"} for at in range(500))),
        3001, "501 entries",
    ),
    "an endpoint at the hub": Lie(DETAILS, tokens("{hub}/ocpi/2.2.1/receiver/tokens"), 3001, "is the hub's own"),
    "an endpoint at the hub, spelt otherwise": Lie(DETAILS, tokens("{hub}//%6Fcpi/2.2.1/x"), 3001, "is the hub's own"),
    "an endpoint inside": Lie(DETAILS, tokens("https://192.168.1.1/tokens"), 3001, "https://192.168.1.1/tokens"),
    "an endpoint at the metadata": Lie(DETAILS, tokens("http://169.254.169.254/x"), 3001, "http://169.254.169.254/x"),
    "an endpoint with user info": Lie(DETAILS, tokens("https://a:b@host.example/x"), 3001, "user info"),
    "an endpoint of another scheme": Lie(DETAILS, tokens("gopher://host.example/x"), 3001, "the scheme must be https"),
    "an endpoint in odd numbers": Lie(DETAILS, tokens("https://0x7f.1/x"), 3001, "four decimal numbers"),
    "an endpoint without an end": Lie(DETAILS, tokens("https://host.example/" + "x" * 300), 3001, "255 characters"),
    "an endpoint of a strange role": Lie(
        DETAILS, details({"identifier": "tokens", "role": ["SENDER"] * 99, "url": "{base}/x"}),
        3001, "role of tokens is",
    ),
}  # fmt: skip


class Liar:
    """A platform that answers as it should, but where it has a lie for the path."""

    def __init__(self, hub: HubSide) -> None:
        self.hub = hub
        self.peer = Peer(self._talk)
        self.lie: Lie | None = None
        self.asked: list[str] = []

    @property
    def base(self) -> str:
        return self.peer.url

    def document(self) -> dict[str, Any]:
        role = {"role": "CPO", "country_code": "NL", "party_id": "TNM", "business_details": {"name": "Liar"}}
        return {"token": "B" * 20, "url": f"{self.base}{VERSIONS}", "roles": [role]}

    async def _talk(self, peer: Peer, writer: asyncio.StreamWriter) -> None:
        path = peer.requests[-1].split(b" ")[1].decode()
        self.asked.append(path)
        if self.lie is not None and path in (self.lie.path, "/around"):
            answer, slow = self.lie.answer, self.lie.slow
        else:
            answer = details() if path == DETAILS else http(ok([{"version": "2.2.1", "url": f"{self.base}{DETAILS}"}]))
            slow = False
        for piece in (answer[at : at + 1] for at in range(len(answer))) if slow else (self._filled(answer),):
            writer.write(piece)
            await writer.drain()
            if slow:
                await asyncio.sleep(0.05)

    def _filled(self, answer: bytes) -> bytes:
        head, blank, body = answer.partition(b"\r\n\r\n")
        own = self.hub.versions_url.removesuffix("/ocpi/versions").encode()
        filled = [part.replace(b"{base}", self.base.encode()).replace(b"{hub}", own) for part in (head, body)]
        length = b"Content-Length: %d"
        return filled[0].replace(length % len(body), length % len(filled[1])) + blank + filled[1]


@pytest.fixture
async def hub() -> AsyncIterator[HubSide]:
    async with hub_side() as side:
        yield side


@pytest.fixture
async def liar(hub: HubSide) -> AsyncIterator[Liar]:
    one = Liar(hub)
    await one.peer.start()
    yield one
    await one.peer.stop()


@pytest.mark.parametrize("name", LIES)
async def test_what_a_platform_lies_about_is_told_with_its_step_and_nothing_is_half_registered(
    hub: HubSide, liar: Liar, name: str
) -> None:
    lie = liar.lie = LIES[name]
    invitation = await hub.invite()
    status, envelope = await call("POST", credentials_url(hub), invitation, liar.document())
    assert (status, envelope["status_code"]) == (200, lie.code), envelope
    assert envelope["status_message"].startswith((STEP[lie.path], STEP[DETAILS]))
    assert lie.says in envelope["status_message"]
    assert len(envelope["status_message"]) < 600
    (platform,) = hub.registry.directory.platforms.values()
    assert not platform.registered
    assert (platform.endpoints, platform.parties, platform.presents, platform.origins) == ((), (), None, ())
    assert len(liar.asked) <= 4
    liar.lie = None
    status, envelope = await call("POST", credentials_url(hub), invitation, liar.document())
    assert (status, envelope["status_code"]) == (200, 1000), envelope
    assert [hosted.party.role for hosted in hub.registry.directory.hosted(TNM)] == [Role.CPO]


@pytest.mark.parametrize("name", ["an endpoint at the hub", "GET versions: loops", "no endpoints"])
async def test_a_lie_when_it_renews_leaves_the_registration_as_it_was(hub: HubSide, liar: Liar, name: str) -> None:
    _, envelope = await call("POST", credentials_url(hub), await hub.invite(), liar.document())
    credential = envelope["data"]["token"]
    assert await works(hub, credential)
    await asyncio.sleep(0)
    before = hub.registry.directory.hosted(TNM)[0].platform
    liar.lie = LIES[name]
    _, envelope = await call("PUT", credentials_url(hub), credential, liar.document())
    assert envelope["status_code"] == liar.lie.code
    after = hub.registry.directory.hosted(TNM)[0].platform
    assert (after.endpoints, after.presents, after.parties) == (before.endpoints, before.presents, before.parties)
    assert await works(hub, credential)
