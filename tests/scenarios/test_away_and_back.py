"""Two edges and two workers: one that is away costs nobody a timeout, is served at once when it is back; and a rate
that is set for it holds over all of them together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.engines.plugin import Engines
from tests.scenarios import bodies
from tests.scenarios.backing import OnEngines
from tests.scenarios.many import Guests, Many
from tests.scenarios.parties import HUB, RECEIVER, SENDER, check, eventually, got, party_of
from tests.scenarios.vault import Vault

EDGES, WORKERS = 2, 2
AT_ONCE = 1.5
"""Seconds: half of what a connection may take until it counts as failed."""
BACK = 2.0

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, vault: Vault, engines: Engines) -> Iterator[Many]:
    """The processes, shared by the tests of this file."""
    folder: Path = tmp_path_factory.mktemp("away")
    hub = Many(folder, vault, OnEngines(engines.kafka(), engines.mongo()))
    for number in range(EDGES):
        hub.add(f"edge-{number}", "edge")
    for number in range(WORKERS):
        hub.add(f"worker-{number}", "worker")
    try:
        asyncio.run(hub.start())
        yield hub
    finally:
        hub.close()


@pytest.fixture
async def guests(many: Many) -> AsyncIterator[Guests]:
    async with many.balancer(*many.processes[:EDGES]), Guests(many) as made:
        yield made


async def test_one_that_was_away_is_served_within_two_seconds_of_its_first_sign_of_life_by_every_process(
    guests: Guests,
) -> None:
    cpo, emsp = await guests.pair()
    await cpo.offline()

    async def is_offline() -> bool:
        await emsp.call("GET", "locations", SENDER, to=party_of(cpo))
        return str((await guests.hub.show(party_of(cpo)))["platforms"][0]["status"]) == "OFFLINE"

    await eventually(is_offline, within=40)
    for _ in range(2 * EDGES):
        began = time.monotonic()
        answer = await emsp.call("GET", "locations", SENDER, to=party_of(cpo))
        check(answer, 200, 4003, "is offline", "nothing was sent")
        assert time.monotonic() - began < AT_ONCE
    missed = bodies.token(emsp)
    path = (*party_of(emsp), missed["uid"])
    check(await emsp.call("PUT", "tokens", RECEIVER, *path, to=HUB, body=missed), 200, 1000)
    await cpo.online()
    began = time.monotonic()
    check(await cpo.call("GET", "tokens", SENDER, to=party_of(emsp)), 200, 1000)

    async def relays_reach_it() -> bool:
        """Through every edge, one after the other."""
        calls = [await emsp.call("GET", "locations", SENDER, to=party_of(cpo)) for _ in range(EDGES)]
        return all(answer.status_code == 1000 for answer in calls)

    async def pushes_reach_it() -> bool:
        """Of several objects, so that each worker has some."""
        tokens = [bodies.token(emsp) for _ in range(6)]
        calls = (
            emsp.call("PUT", "tokens", RECEIVER, *party_of(emsp), one["uid"], to=party_of(cpo), body=one)
            for one in tokens
        )
        return all((answer.status_code or 0) // 1000 == 1 for answer in await asyncio.gather(*calls))

    await eventually(relays_reach_it)
    await eventually(pushes_reach_it)
    assert time.monotonic() - began < BACK
    await cpo.wait_for(lambda one: one.module == "tokens" and one.segments[-1] == missed["uid"], 20)


async def test_a_rate_holds_for_all_processes_together_and_costs_the_others_nothing(guests: Guests) -> None:
    cpo, limited = await guests.pair()
    other = await guests.emsp()
    platform = (await guests.hub.show(party_of(limited)))["platforms"][0]["id"]
    status, told = await guests.hub.operate("PATCH", f"/api/platforms/{platform}/settings", {"rate": 4})
    assert (status, told["rate"]) == (200, 4)
    await asyncio.sleep(2)
    objects = 16
    began = time.monotonic()
    for _ in range(objects):
        body = bodies.location(party_of(cpo))
        path = (*party_of(cpo), body["id"])
        check(await cpo.call("PUT", "locations", RECEIVER, *path, to=HUB, body=body), 200, 1000)
    await eventually(lambda: len(got(other, "locations")) == objects, within=20)
    while len(got(limited, "locations")) < objects:
        seconds = time.monotonic() - began
        assert len(got(limited, "locations")) <= 4 * seconds + EDGES + WORKERS
        assert seconds < 60
        await asyncio.sleep(0.05)
    assert time.monotonic() - began > objects / 4 - 1
