"""Callers that stall or ask too much, over real connections: each is ended or refused, and the others are served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import SENDER, Parties, check, party_of
from tests.scenarios.raw import exchange, request
from tests.scenarios.test_envelopes import authorization
from tests.scenarios.vault import Vault


@pytest.fixture(scope="module")
def stern(tmp_path_factory: pytest.TempPathFactory, vault: Vault) -> Iterator[RunningHub]:
    """A hub that waits for nobody."""
    settings: dict[str, Any] = {
        "header_seconds": 0.5, "idle_seconds": 1.5, "body_seconds": 1, "platform_inflight_calls": 5,
        "platform_calls_per_second": 50, "platform_inflight_bytes": 20_000,
    }  # fmt: skip
    with RunningHub(tmp_path_factory.mktemp("stern"), vault, **settings) as running:
        yield running


@pytest.mark.parametrize("said", [b"", b"GET /ocpi/versions HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a header"])
async def test_a_connection_without_a_whole_header_is_closed(stern: RunningHub, said: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stern.port)
    began = time.monotonic()
    writer.write(said)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    assert time.monotonic() - began >= 0.4
    writer.close()


async def test_a_connection_that_idles_is_closed_and_serves_until_then(stern: RunningHub) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stern.port)
    for _ in range(3):
        writer.write(b"GET /ocpi/versions HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
        await reader.readexactly(length)
        await asyncio.sleep(0.6)
    began = time.monotonic()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    assert time.monotonic() - began >= 0.5
    writer.close()


async def test_a_body_that_stalls_is_408(stern: RunningHub) -> None:
    async with Parties(stern) as parties:
        cpo, _ = await parties.pair()
        target = f"/ocpi/2.2.1/receiver/locations/{'/'.join(party_of(cpo))}/L1"
        headers = authorization(cpo) | {"Content-Length": "5000"}
        answer = await exchange(stern, request(stern, target, method="PUT", headers=headers, body=b'{"id":'))
        assert (answer.http_status, answer.envelope["status_code"]) == (408, 2000)
        assert answer.headers["connection"] == "close"


async def test_a_platform_over_its_limits_is_429_and_the_other_notices_nothing(stern: RunningHub) -> None:
    async with Parties(stern) as parties:
        cpo, emsp = await parties.pair()
        to = party_of(cpo)
        big = request(
            stern, f"/ocpi/2.2.1/receiver/locations/{'/'.join(to)}/L1", method="PUT", headers=authorization(cpo),
            body=b'{"a":"' + b"x" * 30_000 + b'"}',
        )  # fmt: skip
        flood = request(stern, "/ocpi/versions", headers=authorization(cpo))
        answer = await exchange(stern, big)
        assert (answer.http_status, answer.envelope["status_code"]) == (429, 2000)
        assert int(answer.headers["retry-after"]) >= 1
        answers = []
        for _ in range(4):
            answers += await asyncio.gather(*(exchange(stern, flood) for _ in range(30)))
            check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=to), 200, 1000)
        refused = [one for one in answers if one.http_status == 429]
        assert refused and all(one.headers["retry-after"] and one.envelope["status_message"] for one in refused)
        assert {one.http_status for one in answers} == {200, 429}
        await asyncio.sleep(1)
        assert (await exchange(stern, flood)).http_status == 200
