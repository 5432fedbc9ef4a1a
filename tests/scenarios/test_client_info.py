"""HubClientInfo over HTTP: the list with pages and dates, and PUTs to whoever may see a change (R 4)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors.sample import Fault, SamplePlatform
from connectors.values import PartyId, Role
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import SENDER, Parties, check, eventually, got, new_party, party_of

Infos = dict[tuple[PartyId, str], str]


async def listed(platform: SamplePlatform, **query: str) -> list[dict[str, Any]]:
    """Every page of the list."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await platform.call("GET", "hubclientinfo", SENDER, query=query)
        check(answer, 200, 1000)
        found += answer.data
        link = answer.headers.get("Link")
        if link is None:
            assert len(found) <= int(answer.headers["X-Total-Count"])
            return found
        query = dict(parse_qsl(urlsplit(link.strip("<").partition(">")[0]).query))


def by_party(infos: list[dict[str, Any]]) -> Infos:
    return {(PartyId(one["country_code"], one["party_id"]), one["role"]): one["status"] for one in infos}


def told(platform: SamplePlatform) -> Infos:
    assert platform.clients is not None
    return {key: info["status"] for key, info in platform.clients.all.items()}


async def test_a_change_is_put_to_every_party_that_may_see_it_and_to_nobody_else(parties: Parties) -> None:
    cpo = await parties.cpo(told=True)
    emsp = await parties.emsp(told=True)
    seen = (party_of(emsp), "EMSP")
    await eventually(lambda: told(cpo).get(seen) == "CONNECTED")
    await eventually(lambda: told(emsp).get((party_of(cpo), "CPO")) == "CONNECTED")
    assert (party_of(cpo), "CPO") not in told(cpo)
    # the first of them: where its answer comes late it is told once more
    put = next(one for one in got(cpo, "hubclientinfo", "PUT") if one.segments == tuple(party_of(emsp)))
    assert put.to is None and put.sender is None, "a configuration module has no routing headers"
    assert put.json["last_updated"].endswith("Z")
    await parties.hub.act(party_of(emsp), "suspend")
    await eventually(lambda: told(cpo)[seen] == "OFFLINE")
    await parties.hub.act(party_of(emsp), "resume")
    await eventually(lambda: told(cpo)[seen] == "CONNECTED")
    await parties.hub.act(party_of(emsp), "remove")
    await eventually(lambda: told(cpo)[seen] == "SUSPENDED")


async def test_who_may_not_deal_with_one_is_shown_it_as_planned(parties: Parties) -> None:
    cpo, emsp = await parties.cpo(told=True), await parties.emsp()
    seen = (party_of(emsp), "EMSP")
    await eventually(lambda: told(cpo).get(seen) == "CONNECTED")
    pair = {"one": str(party_of(cpo)), "other": str(party_of(emsp))}
    assert (await parties.hub.operate("PUT", "/api/agreements", {"effect": "deny", **pair}))[0] == 200
    await eventually(lambda: told(cpo)[seen] == "PLANNED")
    assert by_party(await listed(cpo))[seen] == "PLANNED"


async def test_one_that_is_invited_is_planned_until_it_registers(parties: Parties) -> None:
    cpo, invited = await parties.cpo(told=True), new_party()
    await parties.hub.invite((invited, Role.EMSP))
    await eventually(lambda: told(cpo).get((invited, "EMSP")) == "PLANNED")


async def test_a_platform_that_fails_is_told_again_and_keeps_nobody_waiting(parties: Parties) -> None:
    failing, well = await parties.cpo(told=True), await parties.cpo(told=True)
    await failing.switch(Fault.HTTP_500, module="hubclientinfo")
    emsp = await parties.emsp()
    seen = (party_of(emsp), "EMSP")
    await eventually(lambda: told(well).get(seen) == "CONNECTED")
    assert seen not in told(failing)
    await failing.switch(None)
    await eventually(lambda: told(failing).get(seen) == "CONNECTED", within=10)


async def test_the_list_has_pages_and_dates_and_says_what_is_off(parties: Parties) -> None:
    cpo = await parties.cpo()
    others = [await parties.emsp() for _ in range(3)]

    async def settled() -> bool:  # what is newer than the announcer's last look is so since the moment it is asked for
        asked = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return all(one["last_updated"] < asked for one in await listed(cpo))

    await eventually(settled)
    whole = await listed(cpo)
    assert {(party_of(one), "EMSP") for one in others} <= by_party(whole).keys()
    assert by_party(await listed(cpo, limit="2")) == by_party(whole)
    first = await cpo.call("GET", "hubclientinfo", SENDER, query={"limit": "1"})
    assert (len(first.data), first.headers["X-Limit"], first.headers["X-Total-Count"]) == (1, "100", str(len(whole)))
    newest = max(one["last_updated"] for one in whole)
    last = [one for one in whole if one["last_updated"] == newest]
    assert await listed(cpo, date_from=newest) == last
    assert len(await listed(cpo, date_to=newest)) == len(whole) - len(last)
    assert newest not in {one["last_updated"] for one in await listed(cpo, date_to=newest)}
    for query, word in (({"limit": "0"}, "limit"), ({"offset": "x"}, "offset"), ({"date_from": "soon"}, "date_from")):
        check(await cpo.call("GET", "hubclientinfo", SENDER, query=query), 200, 2001, word)


async def test_what_was_told_is_not_told_again_after_a_restart(make_hub: Any) -> None:
    hub: RunningHub = make_hub()
    with hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.cpo(told=True), await parties.emsp()
            await eventually(lambda: told(cpo).get((party_of(emsp), "EMSP")) == "CONNECTED")
            count = len(got(cpo, "hubclientinfo"))
            hub.stop()
            await hub.start_again()
            other = await parties.emsp()
            await eventually(lambda: told(cpo).get((party_of(other), "EMSP")) == "CONNECTED", within=15)
            assert len(got(cpo, "hubclientinfo")) - count in (1, 2), "the new one is planned, then connected"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_the_list_is_only_read(parties: Parties, method: str) -> None:
    cpo = await parties.cpo()
    check(await cpo.call(method, "hubclientinfo", SENDER), 405, 2000, "GET")
