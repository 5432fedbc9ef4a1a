"""Very many connections and calls of one platform: the hub takes them, its memory stays bounded, others are served."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil
import pytest

from connectors.sample import Fault, Rule
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import SENDER, Parties, check, party_of
from tests.scenarios.raw import request
from tests.scenarios.test_envelopes import authorization

IDLE: Final = 9_000
IN_FLIGHT: Final = 1_000
GROWTH: Final = 150 << 20
OWN_FILES: Final = 1_500
"""What this process has open beside the connections, and those of the recipient's side."""


@contextmanager
def open_files(wanted: int) -> Iterator[int]:
    """As many as may be, until the end; the wanted or fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield min(wanted, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(hub: RunningHub, said: bytes, count: int) -> list[Streams]:
    """So many connections on which this was said, a hundred at a time."""

    async def one() -> Streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(said)
        return reader, writer

    made: list[Streams] = []
    while len(made) < count:
        made += await asyncio.gather(*(one() for _ in range(min(100, count - len(made)))))
    return made


async def answered(lines: list[Streams]) -> None:
    for reader, _ in lines:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        assert head.startswith(b"HTTP/1.1 200 "), head


def test_open_files_are_raised_to_the_hard_limit_at_the_start(make_hub: MakeHub) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 900), hard))  # which the hub inherits
    try:
        hub = make_hub()
        hub.fresh = True
        with hub:
            assert psutil.Process(hub.process.pid).rlimit(psutil.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.timeout(400)
async def test_9000_idle_connections_and_1000_calls_in_flight_of_one_platform_cost_at_most_150_mib(
    make_hub: MakeHub,
) -> None:
    with open_files(IDLE + 2 * IN_FLIGHT + OWN_FILES) as files:
        idle = files - 2 * IN_FLIGHT - OWN_FILES
        if idle < IDLE:
            print(f"only {idle} idle connections: this machine allows {files} open files")
        hub = make_hub(list_seconds=300, get_seconds=300, idle_seconds=300, platform_calls_per_second=1_000_000)
        with hub:
            async with Parties(hub) as parties:
                await story(hub, parties, max(idle, 100))


async def story(hub: RunningHub, parties: Parties, idle: int) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.emsp()
    to = party_of(cpo)
    check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=to), 200, 1000)
    before = hub.memory()
    lines = await connected(hub, request(hub, "/ocpi/versions", headers=authorization(emsp)), idle)
    await answered(lines)
    cpo.faults.set(Rule(Fault.HANG, module="locations"))
    routing = {"OCPI-to-country-code": to.country_code, "OCPI-to-party-id": to.party_id}
    get = request(hub, "/ocpi/2.2.1/sender/locations/LOC0001", headers=authorization(emsp) | routing)
    lines += await connected(hub, get, IN_FLIGHT)
    until = time.monotonic() + 60
    while sum(one.module == "locations" for one in cpo.received) <= IN_FLIGHT:  # one was before
        assert time.monotonic() < until, len(cpo.received)
        await asyncio.sleep(0.1)
    grown = hub.memory() - before
    assert grown <= GROWTH, f"{grown >> 20} MiB"
    refused = await emsp.call("GET", "tokens", SENDER, to=to)
    check(refused, 429, 2000, "1000 calls of your platform are in flight")
    check(await other.call("GET", "tariffs", SENDER, to=to), 200, 1000)
    cpo.faults.clear()
    for _, writer in lines:
        writer.transport.abort()
    async with asyncio.timeout(60):
        while (await emsp.call("GET", "tariffs", SENDER, to=to)).http_status == 429:
            await asyncio.sleep(0.1)
    assert not hub.events("call_broke")
    assert "Traceback" not in hub.output()
