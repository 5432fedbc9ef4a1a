"""Resync: who was away gets the newest state of each object that changed meanwhile, once (P4)."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from connectors.sample import SamplePlatform
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, Parties, check, eventually, got, party_of, since
from tests.scenarios.test_exchanges import find

LOCATIONS = 12
STAMP = "2026-03-02T10:00:{:02d}Z"


async def tell(cpo: SamplePlatform, name: str, method: str, /, *below: str, **body: Any) -> None:
    path = (*party_of(cpo), name, *below)
    check(await cpo.call(method, "locations", RECEIVER, *path, to=HUB, body=body), 200, 1000)


async def marks(parties: Parties, platform: SamplePlatform) -> int:
    return len((await parties.hub.show(party_of(platform)))["platforms"][0]["marks"])


def waiting(parties: Parties, platform: str) -> float:
    """Objects in its lanes: what is to be sent to it live, and is not given up to its marks."""
    depths = parties.hub.metrics().items()
    return sum(value for name, value in depths if name.startswith("ocpi_hub_lane_depth{") and platform in name)


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

    platform = (await parties.hub.show(party_of(emsp)))["platforms"][0]["id"]

    async def is_marked() -> bool:
        return await marks(parties, emsp) > 0 and waiting(parties, platform) == 0

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


async def test_who_lost_everything_is_sent_it_by_command_and_nobody_else_is(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    steady = await parties.emsp()
    names = [f"AS{number}" for number in range(LOCATIONS)]
    for name in names:
        await tell(cpo, name, "PUT", **bodies.location(party_of(cpo), name))

    def has_all(platform: SamplePlatform) -> bool:
        return all(platform.objects.get("locations", party_of(cpo), name) is not None for name in names)

    await eventually(lambda: has_all(emsp) and has_all(steady), within=15)
    for name in names:
        assert emsp.objects.remove("locations", party_of(cpo), name)
    before, others = since(emsp), since(steady)
    whom = ("party", "resync", *party_of(emsp), "--module", "locations")
    code, out, err = await parties.hub.cli(*whom, "--dry-run")
    assert (code, err) == (0, ""), (out, err)
    assert f"{LOCATIONS} objects would be sent" in out
    assert not has_all(emsp)
    code, out, err = await parties.hub.cli(*whom)
    assert (code, err) == (0, ""), (out, err)
    assert out.splitlines()[-1] == f"locations: done, {LOCATIONS} of {LOCATIONS} objects", out
    assert has_all(emsp)
    told = Counter(one.segments[2] for one in got(emsp, "locations", after=before))
    assert set(told) == set(names) and sum(told.values()) <= LOCATIONS * 1.1
    assert not got(steady, "locations", after=others)
    shown = await parties.hub.show(party_of(emsp))
    assert [(row["module"], row["state"], row["done"]) for row in shown["resyncs"]] == [
        ("locations", "done", LOCATIONS)
    ]
    party = str(party_of(emsp))

    async def is_found() -> bool:
        about = {"module": "locations", "object": names[3], "party": party, "outcome": "delivered"}
        return "resync" in [row["way"] for row in await find(parties.hub, **about)]

    await eventually(is_found, within=20)
    row = (await find(parties.hub, module="locations", object=names[3]))[0]
    assert (row["way"], row["to"], row["from"]) == ("resync", party, str(party_of(cpo)))
    assert await find(parties.hub, correlation_id=row["correlation_id"]) == [row]
    code, out, err = await parties.hub.cli("exchanges", "show", row["id"])
    assert (code, err) == (0, "")
    assert f"the hub sent {party} PUT locations {names[3]}" in out, out
    assert "an operator asked for it; it stands for all that the log has of it" in out, out


async def test_only_what_changed_lately_is_sent_where_no_more_is_asked_for(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    await tell(cpo, "SI1", "PUT", **bodies.location(party_of(cpo), "SI1"))
    await asyncio.sleep(7)  # the clocks' difference is allowed for
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    await asyncio.sleep(1)
    await tell(cpo, "SI2", "PUT", **bodies.location(party_of(cpo), "SI2"))
    await emsp.wait_for(lambda one: one.method == "PUT" and one.segments[-1:] == ("SI2",))
    before = since(emsp)
    code, out, err = await parties.hub.cli("party", "resync", *party_of(emsp), "--since", moment, "--json")
    assert (code, err) == (0, ""), (out, err)
    await eventually(lambda: len(got(emsp, "locations", after=before)) > 0, within=15)
    told = [one.segments[2] for one in got(emsp, "locations", after=before) if one.segments[:2] == (*party_of(cpo),)]
    assert told == ["SI2"]
