"""The first bulk push of a new party: it begins slowly at its recipients, and holds up no other party's updates."""

from __future__ import annotations

import asyncio

import pytest

from connectors.sample import Fault, Received, Rule, SamplePlatform
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, Parties, check, eventually, got, party_of

BULK = 240
THINKS = 0.2
"""Seconds that the recipient takes for each."""
AT_ONCE, MOST = 2, 8
"""How many a platform gets at a time at first, and when it is known to bear more."""

pytestmark = pytest.mark.timeout(180)


async def push(cpo: SamplePlatform) -> str:
    """A new location of this CPO to everybody; its id."""
    body = bodies.location(party_of(cpo))
    path = (*party_of(cpo), body["id"])
    check(await cpo.call("PUT", "locations", RECEIVER, *path, to=HUB, body=body), 200, 1000)
    return str(body["id"])


async def test_it_is_paced_and_an_update_of_another_party_passes_it(parties: Parties) -> None:
    old, emsp = await parties.pair()
    new = await parties.cpo()
    emsp.faults.set(Rule(Fault.SLOW, module="locations", delay=THINKS))

    def of(cpo: SamplePlatform) -> list[Received]:
        return [one for one in got(emsp, "locations") if one.segments[:2] == tuple(party_of(cpo))]

    await asyncio.gather(*(push(new) for _ in range(BULK)))
    before = len(of(new))
    update = await push(old)
    await emsp.wait_for(lambda one: one.module == "locations" and one.segments[-1] == update, 30)
    passed = len(of(new))
    assert before < BULK / 2, "most of it waits when the update comes"
    assert passed - before <= 4 * MOST, "the update waits for a few of the bulk, not for all of it"
    await eventually(lambda: len(of(new)) == BULK, within=60)
    first, _, third = (one.at for one in of(new)[:3])
    assert third - first > THINKS / 2, f"{AT_ONCE} at a time are enough until it has answered"
    began = [one.at for one in of(new)]
    at_once = max(sum(at <= other < at + THINKS * 0.9 for other in began) for at in began)
    assert AT_ONCE < at_once <= MOST
