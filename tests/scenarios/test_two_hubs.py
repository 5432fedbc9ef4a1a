"""Two hubs in a row: CPO, this hub, another one, eMSP. Who is behind a hub is called as if it were here (R 2.16)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.sample import SampleParty, SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.sample.record import Received
from connectors.values import PartyId, Role
from tests.scenarios import bodies
from tests.scenarios.backing import Backing
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, eventually, got, new_party, party_of
from tests.scenarios.vault import Vault

HUB2 = PartyId("DE", "HB2")


@dataclass
class Row:
    """The parties of both hubs: a CPO here, an eMSP and another CPO there."""

    one: Parties
    two: Parties
    cpo: SamplePlatform
    emsp: SamplePlatform


@pytest.fixture
async def row(tmp_path: Path, vault: Vault, backing: Callable[[], Backing]) -> AsyncIterator[Row]:
    async with AsyncExitStack() as stack:
        first = stack.enter_context(RunningHub(tmp_path / "one", vault, backing=backing()))
        second = stack.enter_context(RunningHub(tmp_path / "two", vault, backing=backing(), party=HUB2))
        one, two = await stack.enter_async_context(Parties(first)), await stack.enter_async_context(Parties(second))
        cpo, emsp = await one.cpo(told=True), await two.emsp(told=True)
        invitation = await first.invite((HUB2, Role.HUB))
        await first.change(HUB2, behind=True)
        wanted = {"versions_url": invitation.versions_url, "token": invitation.token}
        status, said = await second.operate("POST", "/api/platforms/connect", wanted)
        assert status == 201, said
        await second.change(HUB, behind=True)
        await eventually(lambda: told(cpo).get(party_of(emsp)) == "CONNECTED", within=15)
        await eventually(lambda: told(emsp).get(party_of(cpo)) == "CONNECTED", within=15)
        yield Row(one, two, cpo, emsp)


def told(platform: SamplePlatform) -> dict[PartyId, str]:
    assert platform.clients is not None
    return {party: info["status"] for (party, _), info in platform.clients.all.items()}


def pairs(one: Received) -> tuple[PartyId | None, PartyId | None]:
    return one.to, one.sender


def answered(answer: SampleAnswer) -> tuple[str, str]:
    """FROM and TO of an answer."""
    read = answer.headers
    return (
        f"{read['OCPI-from-country-code']}-{read['OCPI-from-party-id']}",
        f"{read['OCPI-to-country-code']}-{read['OCPI-to-party-id']}",
    )


async def test_both_pairs_stay_as_they_are_on_every_leg_there_and_back(row: Row) -> None:
    cpo, emsp = row.cpo, row.emsp
    mine, theirs = party_of(cpo), party_of(emsp)
    # authorize: from here to there
    uid = bodies.token(emsp)["uid"]
    answer = await cpo.call(
        "POST", "tokens", SENDER, uid, "authorize", to=theirs, headers={"X-Correlation-ID": "chain-1"}
    )
    check(answer, 200, 1000)
    assert answer.data["token"]["uid"] == uid and answered(answer) == (str(theirs), str(mine))
    asked = got(emsp, "tokens", "POST")[-1]
    assert pairs(asked) == (theirs, mine)
    assert asked.headers["X-Correlation-ID"] == "chain-1"
    # a session pushed to the one whose it is
    session = bodies.session(cpo, emsp)
    answer = await cpo.call("PUT", "sessions", RECEIVER, *mine, session["id"], to=theirs, body=session)
    check(answer, 201, 1000)
    pushed = got(emsp, "sessions", "PUT")[-1]
    assert pairs(pushed) == (theirs, mine) and pushed.json == session
    # a command from there to here, and its result back the same way
    body = bodies.command(cpo, emsp, "START_SESSION")
    answer = await emsp.call("POST", "commands", RECEIVER, "START_SESSION", to=mine, body=body)
    check(answer, 200, 1000)
    assert answer.data["result"] == "ACCEPTED" and answered(answer) == (str(mine), str(theirs))
    command = got(cpo, "commands", "POST")[-1]
    assert pairs(command) == (mine, theirs)
    assert command.json["response_url"].startswith(row.one.hub.public_url)
    result = await emsp.wait_for(lambda one: one.module == "commands" and one.method == "POST")
    assert pairs(result) == (theirs, mine) and result.json["result"] == "ACCEPTED"


async def test_who_is_behind_a_hub_is_shown_found_and_broadcast_to_and_goes_with_it(row: Row) -> None:
    cpo, emsp, first = row.cpo, row.emsp, row.one.hub
    mine, theirs = party_of(cpo), party_of(emsp)
    # one that comes there later is told of by PUT, and where it is behind stands with the operator
    late = await row.two.emsp()
    await eventually(lambda: told(cpo).get(party_of(late)) == "CONNECTED", within=15)
    shown = await first.show(theirs)
    assert [role["behind"] for role in shown["platforms"][0]["roles"]] == [str(HUB2)]
    code, out, _ = await first.cli("party", "list")
    assert code == 0 and f"behind {HUB2}" in out
    status, said = await first.operate("POST", f"/api/parties/{'/'.join(theirs)}/suspend")
    assert status == 409 and str(HUB2) in said["error"]
    code, out, err = await first.cli("party", "pull", *HUB2, "--json")
    assert code == 0, err
    # a broadcast reaches it once, from here by way of there, and comes to nobody twice
    location = bodies.location(mine)
    check(await cpo.call("PUT", "locations", RECEIVER, *mine, location["id"], to=HUB, body=location), 200, 1000)
    for platform in (emsp, late):
        pushed = await platform.wait_for(lambda one: one.module == "locations" and one.method == "PUT", 15)
        assert pushed.to == party_of(platform) and pushed.json == location
    # a token that it told everybody there is found here without TO
    token = bodies.token(emsp)
    await emsp.call("PUT", "tokens", RECEIVER, *theirs, token["uid"], to=mine, body=token)

    async def finds() -> bool:
        return (await cpo.call("POST", "tokens", SENDER, token["uid"], "authorize")).status_code == 1000

    await eventually(finds)
    assert all(len(got(one, "locations", "PUT")) == 1 for one in (emsp, late)) and not got(cpo, "locations", "PUT")
    # they go when it is no more to speak for them
    await first.change(HUB2, behind=False)
    await eventually(lambda: told(cpo).get(theirs) == "SUSPENDED", within=15)
    check(await cpo.call("POST", "tokens", SENDER, "any", "authorize", to=theirs), 200, 4001)
    answer = await emsp.call(
        "POST", "commands", RECEIVER, "START_SESSION", to=mine, body=bodies.command(cpo, emsp, "START_SESSION")
    )
    check(answer, 200, 2001)
    # what was told meanwhile is read once it may speak again
    new = await row.two.emsp()
    await first.change(HUB2, behind=True)
    await eventually(lambda: told(cpo).get(theirs) == told(cpo).get(party_of(new)) == "CONNECTED", within=15)


async def test_who_registers_here_itself_is_not_reached_by_the_detour_any_more(row: Row) -> None:
    theirs = party_of(row.emsp)
    direct = await row.one.join(SamplePlatform([SampleParty(theirs, Role.EMSP)]))
    answer = await row.cpo.call("POST", "tokens", SENDER, "unknown", "authorize", to=theirs)
    check(answer, 404, 2004)
    assert got(direct, "tokens", "POST") and not got(row.emsp, "tokens", "POST")


async def test_a_platform_without_leave_speaks_for_nobody(parties: Parties) -> None:
    stranger, cpo = new_party(), await parties.cpo(told=True)
    hub2 = await parties.platform(Role.HUB)
    info = {"country_code": stranger.country_code, "party_id": stranger.party_id, "role": "EMSP", "status": "CONNECTED"}
    body = info | {"last_updated": "2026-01-01T00:00:00Z"}
    answer = await hub2.call("PUT", "hubclientinfo", RECEIVER, *stranger, body=body)
    check(answer, 200, 2001, "operator")
    assert (await parties.hub.operate("GET", f"/api/parties/{'/'.join(stranger)}"))[0] == 404
    await parties.hub.change(party_of(hub2), behind=True)
    check(await hub2.call("PUT", "hubclientinfo", RECEIVER, *stranger, body=body), 201, 1000)
    check(await hub2.call("PUT", "hubclientinfo", RECEIVER, *stranger, body=body), 200, 1000)
    read = await hub2.call("GET", "hubclientinfo", RECEIVER, *stranger)
    check(read, 200, 1000)
    assert read.data["status"] == "CONNECTED"
    await eventually(lambda: told(cpo).get(stranger) == "CONNECTED")
    for off, words in (({}, "last_updated"), ({"party_id": "X"}, "URL"), ({"status": "GONE"}, "ClientInfo")):
        wrong = (info if not off else body) | off
        check(await hub2.call("PUT", "hubclientinfo", RECEIVER, *stranger, body=wrong), 200, 2001, words)
    check(await hub2.call("PUT", "hubclientinfo", RECEIVER, *stranger, body=b"{"), 400, 2001)
    check(await hub2.call("GET", "hubclientinfo", RECEIVER, *new_party()), 404, 2000)
