"""Pulling over HTTP: the hub reads a party's lists itself, so that everybody's are whole without a push."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.sample import Fault, Rule, SamplePlatform, sample_cpo, sample_emsp
from connectors.values import PartyId
from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.parties import HUB, RECEIVER, Parties, check, eventually, got, new_party, party_of
from tests.scenarios.test_getall import SINCE, pages, push, read

WITHIN = 30.0


@pytest.fixture
async def pulled(make_hub: MakeHub) -> AsyncIterator[Parties]:
    """The parties of this test, at a hub that reads their lists."""
    with make_hub(pull=True) as hub:
        async with Parties(hub) as parties:
            yield parties


def with_locations(count: int, **options: Any) -> SamplePlatform:
    """A CPO with so many locations, the first of them the sample's own."""
    cpo = sample_cpo(new_party(), **options)
    for number in range(count - 50):
        cpo.objects.put("locations", party_of(cpo), bodies.location(party_of(cpo), f"MORE{number:04}"))
    return cpo


def fourth_page() -> Rule:
    """The fourth page of the list breaks the connection, until the fault is lifted."""
    return Rule(Fault.RESET, module="locations", when=lambda received: received.query.get("offset") == "150")


async def pull_of(parties: Parties, party: PartyId, module: str = "locations") -> dict[str, Any]:
    shown = await parties.hub.show(party)
    found: dict[str, Any] = next((row for row in shown["pulls"] if row["module"] == module), {"state": "none"})
    return found


async def ended(parties: Parties, party: PartyId, module: str = "locations", *, state: str = "read") -> None:
    async def holds() -> bool:
        return str((await pull_of(parties, party, module))["state"]) == state

    await eventually(holds, within=WITHIN)


async def whole(reader: SamplePlatform, module: str, ids: set[str], **query: str) -> None:
    """Within a moment everybody's list has exactly these, on all of its pages."""

    async def holds() -> bool:
        answer = await read(reader, module, limit="1", **query)
        if answer.status_code != 1000 or int(answer.headers["X-Total-Count"]) != len(ids):
            return False
        return sorted(one.get("id") or one["uid"] for one in await pages(reader, module, **query)) == sorted(ids)

    await eventually(holds, within=WITHIN)


def ids_of(owner: SamplePlatform, module: str = "locations") -> set[str]:
    return {one["id"] for one in owner.objects.all(module, party_of(owner))}


async def test_whoever_registers_is_read_and_then_in_everybodys_lists_and_nobody_is_sent_it(pulled: Parties) -> None:
    emsp = await pulled.emsp()
    cpo = await pulled.join(with_locations(250))
    await whole(emsp, "locations", ids_of(cpo))
    await whole(emsp, "tariffs", ids_of(cpo, "tariffs"))
    await whole(cpo, "tokens", {one["uid"] for one in emsp.objects.all("tokens", party_of(emsp))})
    assert not got(emsp, "locations", "PUT") and not got(emsp, "tariffs", "PUT")
    found = {one["id"]: one for one in await pages(emsp)}
    assert found == {one["id"]: one for one in cpo.objects.all("locations", party_of(cpo))}
    row = await pull_of(pulled, party_of(cpo))
    assert (row["state"], row["pages"], row["objects"], row["total"]) == ("read", 5, 250, 250)
    asked = got(cpo, "locations", "GET")
    assert {(one.sender, one.to) for one in asked} == {(HUB, party_of(cpo))}

    async def is_complete() -> bool:
        shown = await pulled.hub.show(party_of(cpo))
        return set(shown["complete"]) == {"locations", "tariffs", "sessions", "cdrs"}

    await eventually(is_complete, within=WITHIN)


async def test_a_platform_that_is_away_in_the_middle_is_read_on_where_it_was(pulled: Parties) -> None:
    emsp = await pulled.emsp()
    cpo = with_locations(250)
    cpo.faults.set(fourth_page())
    await pulled.join(cpo)
    await ended(pulled, party_of(cpo), state="failing")
    row = await pull_of(pulled, party_of(cpo))
    assert (row["pages"], row["objects"]) == (3, 150)
    check(await read(emsp), 200, 4000, str(party_of(cpo)))
    cpo.faults.clear()
    await whole(emsp, "locations", ids_of(cpo))
    asked = [one.query.get("offset") for one in got(cpo, "locations", "GET")]
    assert asked.count("0") == 1 and asked[-1] == "200"


async def test_a_hub_that_is_killed_in_the_middle_reads_on(make_hub: MakeHub) -> None:
    with make_hub(pull=True) as hub:
        async with Parties(hub) as parties:
            cpo = with_locations(250)
            cpo.faults.set(fourth_page())
            emsp = await parties.emsp()
            await parties.join(cpo)
            await ended(parties, party_of(cpo), state="failing")
            hub.kill()
            cpo.faults.clear()
            await hub.start_again()
            await whole(emsp, "locations", ids_of(cpo))
            assert [one.query.get("offset") for one in got(cpo, "locations", "GET")].count("0") == 1


async def test_what_was_pushed_meanwhile_is_newer_and_what_is_gone_goes(pulled: Parties) -> None:
    cpo, emsp = await pulled.cpo(), await pulled.emsp()
    owner = party_of(cpo)
    await whole(emsp, "locations", ids_of(cpo))
    first, second = cpo.objects.all("locations", owner)[:2]
    cpo.objects.put("locations", owner, first | {"name": "told to nobody"})
    cpo.objects.remove("locations", owner, second["id"])
    status, told = await pulled.hub.operate("POST", f"/api/parties/{owner.country_code}/{owner.party_id}/pull", {})
    assert status == 200, told
    await whole(emsp, "locations", ids_of(cpo))
    assert {one["id"]: one["name"] for one in await pages(emsp)}[first["id"]] == "told to nobody"
    assert (await pull_of(pulled, owner))["gone"] == 1
    body = first | {"name": "told to all"}
    await push(cpo, "locations", body)

    async def newest() -> bool:
        return str({one["id"]: one["name"] for one in await pages(emsp)}[first["id"]]) == "told to all"

    await eventually(newest, within=10)


async def test_the_operator_has_it_read_by_command_and_sees_how_far_that_is(make_hub: MakeHub) -> None:
    with make_hub(pull=False) as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.cpo(), await parties.emsp()
            owner = party_of(cpo)
            assert not got(cpo, "locations", "GET")
            code, out, err = await hub.cli("party", "pull", *owner, "--module", "locations")
            assert (code, err) == (0, ""), (out, err)
            assert out.splitlines()[-1].startswith("locations: read, 50 objects, ended 20"), out
            await whole(emsp, "locations", ids_of(cpo))
            assert not got(cpo, "tariffs", "GET")
            code, out, _ = await hub.cli("party", "show", *owner)
            assert "list of locations: read, 50 objects" in out
            code, out, err = await hub.cli("party", "pull", *owner, "--module", "tokens")
            assert code == 1 and "offers no list of tokens" in err


async def test_p9_sessions_and_cdrs_are_read_for_their_emsp_alone_and_anew_for_one_that_comes_later(
    pulled: Parties,
) -> None:
    emsp = await pulled.emsp()
    cpo, late, stranger = sample_cpo(new_party()), sample_emsp(new_party()), sample_emsp(new_party())
    for reader in (emsp, late, stranger):
        for _ in range(3):
            cpo.objects.put("sessions", party_of(cpo), bodies.session(cpo, reader))
            cpo.objects.put("cdrs", party_of(cpo), bodies.cdr(cpo, reader))

    def of(reader: SamplePlatform, module: str) -> set[str]:
        token = dict(zip(("country_code", "party_id"), party_of(reader), strict=True))
        owned = cpo.objects.all(module, party_of(cpo))
        return {one["id"] for one in owned if one["cdr_token"] | token == one["cdr_token"]}

    await pulled.join(cpo)
    await whole(emsp, "sessions", of(emsp, "sessions"), date_from=SINCE)
    await whole(emsp, "cdrs", of(emsp, "cdrs"))
    row = await pull_of(pulled, party_of(cpo), "sessions")
    everyones = len(cpo.objects.all("sessions", party_of(cpo)))
    assert (row["objects"], row["foreign"], got(emsp, "sessions", "PUT")) == (3, everyones - 3, [])
    await pulled.join(late)
    await whole(late, "sessions", of(late, "sessions"), date_from=SINCE)
    await whole(late, "cdrs", of(late, "cdrs"))
    await whole(emsp, "cdrs", of(emsp, "cdrs"))
    pushed = bodies.session(cpo, late)
    path = (*party_of(cpo), pushed["id"])
    check(await cpo.call("PUT", "sessions", RECEIVER, *path, to=party_of(late), body=pushed), 201, 1000)
    await whole(late, "sessions", of(late, "sessions") | {pushed["id"]}, date_from=SINCE)


@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
async def test_nobody_waits_for_what_cannot_be_read(make_hub: MakeHub) -> None:
    with make_hub(pull=False) as hub:
        async with Parties(hub) as parties:
            cpo = await parties.cpo()
            cpo.faults.set(Rule(Fault.HTML, module="tariffs"))
            code, out, err = await hub.cli("party", "pull", *party_of(cpo))
            assert code == 1 and "not read after 3 attempts" in err and "tariffs: " in err, (out, err)
            assert "locations: read, 50 objects" in out
            cpo.faults.clear()
            code, _, err = await hub.cli("party", "pull", *party_of(cpo))
            assert (code, err) == (0, "")


async def test_a_list_that_cannot_be_read_says_why(pulled: Parties) -> None:
    cpo = await pulled.start(sample_cpo(new_party()))
    cpo.objects.put("tariffs", party_of(cpo), bodies.tariff(party_of(cpo)) | {"id": ""})
    invitation = await pulled.hub.invite((party_of(cpo), cpo.parties[0].role))
    await cpo.register(invitation.versions_url, invitation.token)
    await ended(pulled, party_of(cpo), "tariffs", state="failing")
    row = await pull_of(pulled, party_of(cpo), "tariffs")
    assert "$.data[4].id" in row["reason"]
    await ended(pulled, party_of(cpo), "locations")
