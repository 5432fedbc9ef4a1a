"""What an operator sets for a platform is in force at its next call: page limit, User-Agent, module names, FROM."""

from __future__ import annotations

from typing import Any

from connectors.sample import SamplePlatform
from tests.scenarios import bodies
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, got, party_of


async def set_for(parties: Parties, platform: SamplePlatform, **settings: Any) -> dict[str, Any]:
    shown = await parties.hub.show(party_of(platform))
    path = f"/api/platforms/{shown['platforms'][0]['id']}/settings"
    status, told = await parties.hub.operate("PATCH", path, settings)
    assert status == 200, told
    now = (await parties.hub.show(party_of(platform)))["platforms"][0]
    assert {**now["settings"], "revision": now["revision"]} == told
    found: dict[str, Any] = told
    return found


async def test_a_list_is_asked_for_in_pages_that_the_platform_bears(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    await set_for(parties, cpo, page_limit=2)
    for asked, sent in (({}, "2"), ({"limit": "50"}, "2"), ({"limit": "1"}, "1"), ({"offset": "1"}, "2")):
        answer = await emsp.call("GET", "tariffs", SENDER, to=party_of(cpo), query=asked)
        check(answer, 200, 1000)
        assert got(cpo, "tariffs")[-1].query == {**asked, "limit": sent}
    await set_for(parties, cpo, page_limit=None)
    await emsp.call("GET", "tariffs", SENDER, to=party_of(cpo))
    assert got(cpo, "tariffs")[-1].query == {}


async def test_the_user_agent_of_relays_and_of_pushes(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    await set_for(parties, cpo, user_agent="Roaming/7 (tested)")
    await emsp.call("GET", "tariffs", SENDER, to=party_of(cpo))
    body = bodies.token(emsp)
    path = (*party_of(emsp), body["uid"])
    check(await emsp.call("PUT", "tokens", RECEIVER, *path, to=party_of(cpo), body=body), 201, 1000)
    assert {one.headers["User-Agent"] for one in (*got(cpo, "tariffs"), *got(cpo, "tokens"))} == {"Roaming/7 (tested)"}


async def test_an_endpoint_that_is_advertised_under_a_name_of_its_own_serves_the_module_that_it_is_said_to(
    parties: Parties,
) -> None:
    cpo, emsp = await parties.pair()
    url = cpo.endpoint_url("tariffs", SENDER)
    await set_for(parties, cpo, modules={url: "nltnm-tariffs"})
    check(await emsp.call("GET", "tariffs", SENDER, to=party_of(cpo)), 200, 4000, "tariffs")
    await set_for(parties, cpo, modules={url: "tariffs"})
    check(await emsp.call("GET", "tariffs", SENDER, to=party_of(cpo)), 200, 1000)


async def test_a_broadcast_is_from_the_owner_where_the_platform_needs_it(parties: Parties) -> None:
    cpo, plain = await parties.pair()
    special = await parties.emsp()
    await set_for(parties, special, **{"from": "owner"})
    body = bodies.location(party_of(cpo))
    check(await cpo.call("PUT", "locations", RECEIVER, *party_of(cpo), body["id"], to=HUB, body=body), 200, 1000)
    senders = [(await one.wait_for(lambda seen: seen.module == "locations")).sender for one in (plain, special)]
    assert senders == [HUB, party_of(cpo)]
