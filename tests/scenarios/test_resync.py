"""Resync: who was away gets the newest state of each object that changed meanwhile, once (P4)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from connectors.sample import SamplePlatform
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, Parties, check, eventually, got, party_of, since

LOCATIONS = 12
STAMP = "2026-03-02T10:00:{:02d}Z"


async def tell(cpo: SamplePlatform, name: str, method: str, /, *below: str, **body: Any) -> None:
    path = (*party_of(cpo), name, *below)
    check(await cpo.call(method, "locations", RECEIVER, *path, to=HUB, body=body), 200, 1000)


async def marks(parties: Parties, platform: SamplePlatform) -> int:
    return len((await parties.hub.show(party_of(platform)))["platforms"][0]["marks"])


async def test_p4_who_was_away_for_long_gets_each_object_that_changed_once_and_whole(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    steady = await parties.emsp()
    locations = [bodies.location(party_of(cpo), f"RS{number}") for number in range(LOCATIONS)]
    evse = locations[0]["evses"][0]["uid"]
    for location in locations:
        await tell(cpo, location["id"], "PUT", **location)

    def alike(count: int) -> bool:
        copies = [
            [platform.objects.get("locations", party_of(cpo), one["id"]) for one in locations[:count]]
            for platform in (emsp, steady)
        ]
        return None not in copies[0] and copies[0] == copies[1]

    await eventually(lambda: alike(LOCATIONS), within=15)
    await emsp.offline()
    for second in range(5):
        for location in locations[:8]:
            await tell(cpo, location["id"], "PATCH", evse, status=f"STATE{second}", last_updated=STAMP.format(second))

    async def is_marked() -> bool:
        return await marks(parties, emsp) > 0

    async def is_not() -> bool:
        return await marks(parties, emsp) == 0

    await eventually(is_marked, within=30)
    before = since(emsp)
    await emsp.online()
    await eventually(lambda: alike(LOCATIONS), within=40)
    await eventually(is_not, within=20)
    seen = got(emsp, "locations", after=before)
    assert {one.method for one in seen} <= {"PUT", "PATCH"}
    told = Counter(one.segments[2] for one in seen)
    assert set(told) == {one["id"] for one in locations[:8]}
    assert sum(told.values()) <= 8 * 1.25, "once an object, and what was under way when it went"


async def test_a_recipient_that_does_not_know_the_object_of_an_update_is_sent_the_whole(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    location = bodies.location(party_of(cpo), "RSX")
    await tell(cpo, "RSX", "PUT", **location)
    await emsp.wait_for(lambda one: one.method == "PUT" and one.segments[-1:] == ("RSX",))
    assert emsp.objects.remove("locations", party_of(cpo), "RSX")
    before = since(emsp)
    await tell(cpo, "RSX", "PATCH", name="known again", last_updated=STAMP.format(30))

    def is_known() -> bool:
        copy = emsp.objects.get("locations", party_of(cpo), "RSX")
        return copy is not None and copy["name"] == "known again" and copy["evses"] == location["evses"]

    await eventually(is_known, within=15)
    assert [one.method for one in got(emsp, "locations", after=before)] == ["PATCH", "PUT"]
