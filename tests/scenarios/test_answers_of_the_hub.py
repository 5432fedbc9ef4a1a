"""The answers table of DESIGN 3, row by row: what a caller reads whose own call is off."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode

import orjson
import pytest

from connectors.sample import SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.values import Role
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, got, party_of
from tests.scenarios.raw import exchange, request

LIMIT = 65_536  # of the hub with short deadlines


async def put(caller: SamplePlatform, body: bytes, id: str = "L1", **headers: str) -> SampleAnswer:
    """PUT these bytes as a location, to everyone."""
    return await caller.call(
        "PUT", "locations", RECEIVER, *party_of(caller), id, to=HUB, body=body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )  # fmt: skip


@pytest.mark.parametrize(
    "header",
    [None, "", "Token", "Token ", "Bearer abcdefghijkl", "Basic YTpi", "Token a b", "Token " + "x" * 5000,
     "Token é", "Token bm9ib2R5LWtub3dzLXRoaXM=", "Token nobody-knows-this-one", "token\tx", "Token ====", "Token %00"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/ocpi/versions", "/ocpi/2.2.1/sender/locations/L", "/nowhere"])
async def test_no_or_an_unknown_credential_is_401(parties: Parties, header: str | None, path: str) -> None:
    headers = {} if header is None else {"Authorization": header.encode()}
    answer = await exchange(parties.hub, request(parties.hub, path, headers=headers))
    assert (answer.http_status, answer.envelope["status_code"]) == (401, 2000)
    assert "Authorization" in answer.envelope["status_message"] or "credential" in answer.envelope["status_message"]
    assert answer.headers["www-authenticate"] == "Token"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"nonsense", b'{"a":1,}', b"\xff\xfe", b"{'a':1}", b'{"id": NaN}', b"\x00"]
)
async def test_a_body_that_is_not_json_is_400(hasty: Parties, content: bytes) -> None:
    cpo = await hasty.cpo()
    check(await put(cpo, content), 400, 2001)


@pytest.mark.parametrize("content", [b"[]", b"1", b'"text"', b"null", b"true", b'[{"id":"L1"}]'])
async def test_json_that_is_no_object_is_2001(hasty: Parties, content: bytes) -> None:
    cpo = await hasty.cpo()
    check(await put(cpo, content), 200, 2001, "object")


async def test_over_the_size_limit_is_413_whether_the_length_is_told_or_not(hasty: Parties) -> None:
    cpo, emsp = await hasty.pair()
    body = orjson.dumps(bodies.location(party_of(cpo), "L1", note="x" * LIMIT))
    check(await put(cpo, body), 413, 2001, str(LIMIT))
    assert cpo.peer is not None
    authorization = "Token " + b64encode(cpo.peer.credential.encode()).decode()
    target = f"/ocpi/2.2.1/receiver/locations/{'/'.join(party_of(cpo))}/L1"
    head = request(hasty.hub, target, method="PUT", headers={"Authorization": authorization})
    head = head.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:40_000], body[40_000:])) + b"0\r\n\r\n"
    answer = await exchange(hasty.hub, head + chunks)
    assert (answer.http_status, answer.envelope["status_code"]) == (413, 2001)
    # Nobody sends a terabyte to be told no.
    told = head.replace(b"Transfer-Encoding: chunked", b"Content-Length: 1099511627776")
    assert (await exchange(hasty.hub, told + b"{")).http_status == 413
    assert not got(emsp, "locations")
    fits = orjson.dumps(bodies.location(party_of(cpo), "L1", note="x" * (LIMIT - 8000)))
    check(await put(cpo, fits), 200, 1000)


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "multipart/form-data",
     "nonsense", "application/vnd.ocpi+json", None],
)  # fmt: skip
async def test_json_of_any_content_type_is_judged_by_its_content(parties: Parties, kind: str | None) -> None:
    cpo, emsp = await parties.pair()
    body = bodies.location(party_of(cpo))
    answer = await cpo.call(
        "PUT", "locations", RECEIVER, *party_of(cpo), body["id"], to=HUB, body=body,
        headers={} if kind is None else {"Content-Type": kind}, leave_out=["Content-Type"],
    )  # fmt: skip
    check(answer, 200, 1000)
    assert (await emsp.wait_for(lambda one: one.module == "locations")).json == body


@pytest.mark.parametrize("to_all", [True, False], ids=["broadcast", "directed"])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_json_of_some_depth_goes_through_as_it_is(parties: Parties, method: str, to_all: bool) -> None:
    cpo, emsp = await parties.pair()
    body = bodies.location(party_of(cpo))
    check(await put(cpo, orjson.dumps(body), body["id"]), 200, 1000)
    await emsp.wait_for(lambda one: one.module == "locations")
    answer = await cpo.call(
        method, "locations", RECEIVER, *party_of(cpo), body["id"], to=HUB if to_all else party_of(emsp),
        body=_deep(body, method, 150),
    )  # fmt: skip
    check(answer, 200, 1000)
    await emsp.wait_for(lambda one: one.method == method and one.body == _deep(body, method, 150))


@pytest.mark.parametrize("depth", [250, 2_000, 100_000])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_json_deeper_than_anybody_reads_is_2001_and_no_http_error(
    parties: Parties, depth: int, method: str
) -> None:
    cpo, emsp = await parties.pair()
    body = bodies.location(party_of(cpo))
    for to in (HUB, party_of(emsp)):
        answer = await cpo.call(
            method, "locations", RECEIVER, *party_of(cpo), body["id"], to=to, body=_deep(body, method, depth)
        )
        check(answer, 200, 2001, "deep")


def _deep(body: bodies.Json, method: str, depth: int) -> bytes:
    part = {"last_updated": bodies.WHEN} if method == "PATCH" else body
    return orjson.dumps(part)[:-1] + b',"deep":' + b"[" * depth + b"]" * depth + b"}"


async def test_a_method_that_is_not_of_the_endpoint_is_405_with_those_that_are(parties: Parties) -> None:
    emsp = await parties.emsp()
    for method in ("POST", "DELETE", "HEAD", "OPTIONS", "TRACE", "LINK"):
        answer = await emsp.call(method, "locations", SENDER, "LOC0001", to=HUB)
        assert (answer.http_status, answer.headers["Allow"]) == (405, "GET"), method
        if method != "HEAD":
            assert answer.status_code == 2000
    answer = await emsp.call_url("POST", parties.hub.versions_url, body={})
    check(answer, 405, 2000, "GET")


async def test_a_caller_that_hangs_up_leaves_nothing_behind(hasty: Parties) -> None:
    cpo, emsp = await hasty.pair()
    assert emsp.peer is not None
    authorization = "Token " + b64encode(emsp.peer.credential.encode()).decode()
    to = party_of(cpo)
    headers = {"Authorization": authorization, "OCPI-to-country-code": to.country_code, "OCPI-to-party-id": to.party_id}
    asked = request(hasty.hub, "/ocpi/2.2.1/sender/locations/LOC0001", headers=headers)
    for content in (asked, asked[:40], asked.replace(b"Content-Length: 0", b"Content-Length: 50") + b"{"):
        _, writer = await asyncio.open_connection("127.0.0.1", hasty.hub.port)
        writer.write(content)
        await writer.drain()
        writer.transport.abort()
    check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=to), 200, 1000)


async def test_many_calls_at_once_are_each_answered_with_their_own(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.platform(Role.EMSP)
    began = time.monotonic()
    calls = [
        caller.call("GET", "locations", SENDER, f"LOC{number:04}", to=party_of(cpo))
        for number in range(1, 51)
        for caller in (emsp, other)
    ]
    answers = await asyncio.gather(*calls)
    assert [answer.data["id"] for answer in answers] == [f"LOC{n:04}" for n in range(1, 51) for _ in range(2)]
    assert time.monotonic() - began < 10
