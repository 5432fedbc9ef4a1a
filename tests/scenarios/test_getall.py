"""GET all over HTTP: one list of everybody's objects, whole or not at all (OCPI 2.2.1, 4.4.2.4)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectors.sample import SampleAnswer, SamplePlatform
from connectors.values import PartyId
from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, eventually, party_of

NAMED = re.compile(r"\b[A-Z]{2}-[A-Z0-9]{3}\b")
SINCE = "2020-01-01T00:00:00Z"
PUSHES_ONLY = {"without": [(module, SENDER) for module in ("locations", "tariffs", "tokens", "sessions", "cdrs")]}


async def complete(hub: RunningHub, *owners: SamplePlatform, modules: tuple[str, ...] = ("locations",)) -> None:
    for owner in owners:
        party = party_of(owner)
        path = f"/api/parties/{party.country_code}/{party.party_id}/complete"
        status, told = await hub.operate("POST", path, {"modules": modules})
        assert status == 200 and set(modules) <= set(told["complete"]), told


async def push(owner: SamplePlatform, module: str, body: Any, *below: str, method: str = "PUT") -> None:
    segments = (*party_of(owner), *(below or (body["id"],)))
    check(await owner.call(method, module, RECEIVER, *segments, to=HUB, body=body), 200, 1000)


async def read(reader: SamplePlatform, module: str = "locations", **query: str) -> SampleAnswer:
    return await reader.call("GET", module, SENDER, to=HUB, query=query)


async def pages(reader: SamplePlatform, module: str = "locations", **query: str) -> list[dict[str, Any]]:
    """The objects of every page; TO is left out where Link goes on, as clients do that know of no hub."""
    answer = await read(reader, module, **query)
    check(answer, 200, 1000)
    found = list(answer.data)
    while answer.next_url is not None:
        answer = await reader.call_url("GET", answer.next_url)
        check(answer, 200, 1000)
        found += answer.data
    assert answer.headers["X-Total-Count"] == str(len(found))
    return found


async def listed(reader: SamplePlatform, expected: set[str], module: str = "locations", **query: str) -> None:
    """Within a moment these ids are what is listed: readers may lag."""

    async def holds() -> bool:
        answer = await read(reader, module, **query)
        return answer.status_code == 1000 and {one["id"] for one in answer.data} == expected

    await eventually(holds, within=10)


async def test_everybodys_locations_are_one_list_once_all_owners_are_complete(parties: Parties) -> None:
    one, other = await parties.cpo(**PUSHES_ONLY), await parties.cpo(**PUSHES_ONLY)
    emsp = await parties.emsp()
    assert callable(parties.hub.operate)  # from outside it is not known of whom a hub has all already
    owned = [(owner, bodies.location(party_of(owner), weather="1.10")) for owner in (one, other) for _ in range(4)]
    for owner, body in owned:
        await push(owner, "locations", body)
    check(await read(emsp), 200, 4000, str(party_of(one)), str(party_of(other)))
    await complete(parties.hub, one)
    await eventually(lambda: _lacks(emsp, party_of(other)), within=10)
    await complete(parties.hub, other)
    await listed(emsp, {body["id"] for _, body in owned})
    found = await pages(emsp, limit="3")
    by_id = {body["id"]: body for _, body in owned}
    assert {one["id"]: one for one in found} == by_id
    assert len(found) == len(by_id)


async def _lacks(reader: SamplePlatform, owner: PartyId) -> bool:
    answer = await read(reader)
    return answer.status_code == 4000 and f"of {owner}:" in answer.message


async def test_an_evse_or_connector_moves_its_location_between_dates(parties: Parties) -> None:
    cpo, emsp = await parties.cpo(**PUSHES_ONLY), await parties.emsp()
    three = [bodies.location(party_of(cpo), last_updated="2026-01-01T00:00:00Z") for _ in range(3)]
    for body in three:
        await push(cpo, "locations", body)
    await complete(parties.hub, cpo)
    first, second, third = (body["id"] for body in three)
    evse = three[0]["evses"][0]
    changed = {"status": "CHARGING", "last_updated": "2026-05-05T05:05:05Z"}
    await push(cpo, "locations", changed, first, evse["uid"], method="PATCH")
    connector = {"max_voltage": 230, "last_updated": "2026-05-05T06:05:05Z"}
    path = (second, three[1]["evses"][0]["uid"], three[1]["evses"][0]["connectors"][0]["id"])
    await push(cpo, "locations", connector, *path, method="PATCH")
    await listed(emsp, {first, second}, date_from="2026-05-05T05:05:05Z")
    await listed(emsp, {second}, date_from="2026-05-05T05:05:05.001Z")
    await listed(emsp, {third}, date_to="2026-05-05T05:05:05Z")
    found = {one["id"]: one for one in await pages(emsp)}
    assert found[first]["last_updated"] == found[first]["evses"][0]["last_updated"] == changed["last_updated"]
    assert found[first]["evses"][0]["status"] == "CHARGING"
    assert found[third] == three[2]


async def test_a_deleted_tariff_is_listed_no_more(parties: Parties) -> None:
    cpo, emsp = await parties.cpo(**PUSHES_ONLY), await parties.emsp()
    kept, gone = bodies.tariff(party_of(cpo)), bodies.tariff(party_of(cpo))
    await complete(parties.hub, cpo, modules=("tariffs",))
    for body in (kept, gone):
        await push(cpo, "tariffs", body)
    await listed(emsp, {kept["id"], gone["id"]}, "tariffs")
    answer = await cpo.call("DELETE", "tariffs", RECEIVER, *party_of(cpo), gone["id"], to=HUB)
    check(answer, 200, 1000)
    await listed(emsp, {kept["id"]}, "tariffs")


async def test_cpos_read_everybodys_tokens(parties: Parties) -> None:
    cpo = await parties.cpo()
    one, other = await parties.emsp(**PUSHES_ONLY), await parties.emsp(**PUSHES_ONLY)
    for emsp in (one, other):
        body = bodies.token(emsp)
        path = (*party_of(emsp), body["uid"])
        check(await emsp.call("PUT", "tokens", RECEIVER, *path, to=HUB, body=body), 200, 1000)
    await complete(parties.hub, one, other, modules=("tokens",))

    async def both() -> bool:
        answer = await read(cpo, "tokens")
        found = {(token["country_code"], token["party_id"]) for token in answer.data or ()}
        return found == {(*party_of(one),), (*party_of(other),)}

    await eventually(both, within=10)


async def test_p9_sessions_and_cdrs_are_the_callers_own(parties: Parties) -> None:
    cpo, emsp = await parties.cpo(**PUSHES_ONLY), await parties.emsp()
    other = await parties.emsp()
    session, cdr = bodies.session(cpo, emsp), bodies.cdr(cpo, emsp)
    path = (*party_of(cpo), session["id"])
    check(await cpo.call("PUT", "sessions", RECEIVER, *path, to=party_of(emsp), body=session), 201, 1000)
    check(await cpo.call("POST", "cdrs", RECEIVER, to=party_of(emsp), body=cdr), 201, 1000)
    await complete(parties.hub, cpo, modules=("sessions", "cdrs"))
    await listed(emsp, {session["id"]}, "sessions", date_from=SINCE)
    await listed(emsp, {cdr["id"]}, "cdrs")
    assert (await read(emsp, "cdrs")).data == [cdr]
    await listed(other, set(), "sessions", date_from=SINCE)
    await listed(other, set(), "cdrs")
    check(await read(emsp, "sessions"), 200, 2001, "date_from")


async def test_p9_unpublished_locations_and_denied_owners(parties: Parties) -> None:
    cpo, denied, emsp = await parties.cpo(**PUSHES_ONLY), await parties.cpo(**PUSHES_ONLY), await parties.emsp()
    public, private = bodies.location(party_of(cpo)), bodies.location(party_of(cpo), publish=False)
    for owner, body in ((cpo, public), (cpo, private), (denied, bodies.location(party_of(denied)))):
        await push(owner, "locations", body)
    await complete(parties.hub, cpo)  # the other one is not complete, which is not this reader's affair
    agreed = {"effect": "deny", "one": str(party_of(denied)), "other": str(party_of(emsp))}
    assert (await parties.hub.operate("PUT", "/api/agreements", agreed))[0] == 200
    await listed(emsp, {public["id"]})
    agreed = {"effect": "allow", "one": str(party_of(cpo)), "other": str(party_of(emsp))}
    assert (await parties.hub.operate("PUT", "/api/agreements", agreed))[0] == 200
    await listed(emsp, {public["id"], private["id"]})


@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
async def test_a_hub_may_serve_what_is_there_and_says_so(make_hub: MakeHub) -> None:
    with make_hub(serve_incomplete=True) as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.cpo(**PUSHES_ONLY), await parties.emsp()
            body = bodies.location(party_of(cpo))
            await push(cpo, "locations", body)
            await listed(emsp, {body["id"]})
            check(await read(emsp), 200, 1000, "not complete", str(party_of(cpo)))


async def test_a_list_of_everybodys_is_whole_or_refused(parties: Parties) -> None:
    cpo, emsp = await parties.cpo(**PUSHES_ONLY), await parties.emsp()
    body = bodies.location(party_of(cpo))
    await push(cpo, "locations", body)
    answer = await read(emsp)
    if answer.status_code == 4000:
        # a hub from outside may have all of this owner from before, and miss others'
        assert NAMED.search(answer.message), answer.message
        check(answer, 200, 4000)
        return
    assert body["id"] in {one["id"] for one in await pages(emsp)}
