"""A platform that cannot be reached is OFFLINE for everybody, and CONNECTED again at its first sign of life."""

from __future__ import annotations

import time

from connectors.sample import Fault, Rule
from routing.breaker import MISSES
from tests.scenarios.parties import SENDER, Parties, check, eventually, party_of
from tests.scenarios.test_client_info import told

OFFLINE_SECONDS = 25.0
"""Three failures over ten seconds, and what a busy machine adds."""


async def test_a_platform_that_is_away_is_offline_for_everybody_and_back_with_its_first_call(parties: Parties) -> None:
    cpo = await parties.cpo()
    emsp = await parties.emsp(told=True)
    seen = (party_of(cpo), "CPO")
    await eventually(lambda: told(emsp).get(seen) == "CONNECTED")
    await cpo.offline()
    answer = await emsp.call("GET", "locations", SENDER, to=party_of(cpo))
    check(answer, 200, 4003)
    await eventually(lambda: told(emsp)[seen] == "OFFLINE", within=OFFLINE_SECONDS)
    answer = await emsp.call("GET", "locations", SENDER, to=party_of(cpo))
    check(answer, 200, 4003, "is offline", "nothing was sent")
    assert (await parties.hub.show(party_of(cpo)))["platforms"][0]["status"] == "OFFLINE"
    await cpo.online()
    began = time.monotonic()
    check(await cpo.call("GET", "tokens", SENDER, to=party_of(emsp)), 200, 1000)

    async def is_reached() -> bool:
        return (await emsp.call("GET", "locations", SENDER, to=party_of(cpo))).status_code == 1000

    await eventually(is_reached)
    assert time.monotonic() - began < 2
    await eventually(lambda: told(emsp)[seen] == "CONNECTED")


async def test_one_that_hangs_costs_a_few_callers_a_timeout_and_the_others_a_4003_at_once(hasty: Parties) -> None:
    cpo, emsp = await hasty.pair()
    cpo.faults.set(Rule(Fault.HANG))
    for _ in range(MISSES):
        check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 4002)
    began = time.monotonic()
    answer = await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo))
    check(answer, 200, 4003, f"did not answer the last {MISSES} requests in time", "nothing was sent")
    assert time.monotonic() - began < 0.8, "less than the deadline of the call"
    cpo.faults.clear()
    check(await cpo.call("GET", "tokens", SENDER, to=party_of(emsp)), 200, 1000)
    check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 1000)


async def test_one_that_comes_back_and_says_nothing_is_found_by_asking(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    await cpo.offline()
    check(await emsp.call("GET", "locations", SENDER, to=party_of(cpo)), 200, 4003)

    async def status() -> str:
        return str((await parties.hub.show(party_of(cpo)))["platforms"][0]["status"])

    async def is_offline() -> bool:
        return await status() == "OFFLINE"

    async def is_connected() -> bool:
        return await status() == "CONNECTED"

    await eventually(is_offline, within=OFFLINE_SECONDS)
    await cpo.online()
    await eventually(is_connected, within=15)
