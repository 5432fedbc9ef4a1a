"""Who is away (OCPI 2.2.1, 4.4.3 and chapter 15): refused at once, and afterwards nothing that is no longer so."""

from __future__ import annotations

import asyncio
import time

from connectors.sample import SamplePlatform
from connectors.sample.client import SampleAnswer
from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, asked, check, eventually, got, party_of, since

OFFLINE_SECONDS = 25.0
"""Three failures over ten seconds, and what a busy machine adds."""


async def status(hub: RunningHub, platform: SamplePlatform) -> str:
    return str((await hub.show(party_of(platform)))["platforms"][0]["status"])


async def becomes(hub: RunningHub, platform: SamplePlatform, wanted: str) -> None:
    async def is_so() -> bool:
        return await status(hub, platform) == wanted

    await eventually(is_so, within=OFFLINE_SECONDS)


async def push(cpo: SamplePlatform, emsp: SamplePlatform) -> list[SampleAnswer]:
    """What an eMSP sends to a CPO: by way of the log, and not."""
    token = bodies.token(emsp)
    stop = bodies.command(cpo, emsp, "STOP_SESSION")
    return [
        await emsp.call("PUT", "tokens", RECEIVER, *party_of(emsp), token["uid"], to=party_of(cpo), body=token),
        await emsp.call("POST", "commands", RECEIVER, "STOP_SESSION", to=party_of(cpo), body=stop),
        await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)),
    ]


async def test_what_was_refused_because_its_receiver_is_offline_never_arrives(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    await cpo.offline()
    check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 4003)
    await becomes(parties.hub, cpo, "OFFLINE")
    began = time.monotonic()
    for answer in await push(cpo, emsp):
        check(answer, 200, 4003, "is offline", "nothing was sent")
    assert time.monotonic() - began < 5, "no deadline is waited for"
    before = since(cpo)
    await cpo.online()
    await becomes(parties.hub, cpo, "CONNECTED")
    await asyncio.sleep(0.5)
    assert not asked(cpo, after=before)
    for answer in await push(cpo, emsp):
        assert answer.status_code == 1000, answer.message


async def test_who_comes_back_gets_no_update_older_than_the_newest_state(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    steady = await parties.emsp()
    location = bodies.location(party_of(cpo), name="state 0")
    path = (*party_of(cpo), location["id"])

    async def send(method: str, *ids: str, **body: object) -> None:
        check(await cpo.call(method, "locations", RECEIVER, *path, *ids, to=HUB, body=body), 200, 1000)

    await send("PUT", **location)
    await emsp.wait_for(lambda one: one.module == "locations")
    before = since(emsp)
    await emsp.offline()
    for number in range(1, 10):
        await send("PUT", **location | {"name": f"state {number}"})
    evse = location["evses"][0]
    newest = "2026-03-02T10:00:00Z"
    await send("PATCH", evse["uid"], status="CHARGING", last_updated=newest)

    def has_newest(platform: SamplePlatform) -> bool:
        copy = platform.objects.get("locations", party_of(cpo), location["id"])
        return copy is not None and copy["evses"][0]["status"] == "CHARGING"

    await eventually(lambda: has_newest(steady))
    await emsp.online()
    await eventually(lambda: has_newest(emsp), within=15)
    await asyncio.sleep(0.5)
    copy = emsp.objects.get("locations", party_of(cpo), location["id"])
    assert copy is not None
    seen = got(emsp, "locations", after=before)
    names = [one.json["name"] for one in seen if one.method == "PUT"]
    assert set(names) <= {"state 9"}, "nothing of the backlog"
    # The newest state, with the location's time moved by that of its EVSE (8.2.2).
    assert (copy["name"], copy["evses"][0]["status"], copy["last_updated"]) == ("state 9", "CHARGING", newest)
    untouched = location["evses"][1:]
    assert copy["evses"][1:] == untouched


async def test_a_platform_that_says_nothing_is_asked_for_its_versions_and_is_offline_if_it_is_gone(
    make_hub: MakeHub,
) -> None:
    with make_hub(still_alive_seconds=2) as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            before = since(cpo)
            probe = await cpo.wait_for(lambda one: one.module == "versions", timeout=15, after=before)
            assert (probe.method, probe.to, probe.sender) == ("GET", None, None)
            assert await status(hub, cpo) == "CONNECTED"
            assert not [one for one in asked(cpo, after=before) if one.module != "hubclientinfo"]
            await cpo.offline()
            await becomes(hub, cpo, "OFFLINE")
            check(await emsp.call("GET", "locations", SENDER, to=party_of(cpo)), 200, 4003, "is offline")
