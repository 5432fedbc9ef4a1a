"""One registry feeds routes, version details and metric labels: the walk over it, and what the walk would notice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connectors.v2_2_1.catalogue import CATALOGUE
from tests.scenarios.conftest import MakeHub
from tests.scenarios.parties import SENDER, Parties, check, party_of
from tests.scenarios.walk import EXPECTED, Walker, functional, offered


async def test_version_details_offer_every_endpoint_of_the_catalogue_and_no_other(parties: Parties) -> None:
    emsp = await parties.emsp()
    assert emsp.peer is not None
    endpoints = set(emsp.peer.endpoints) - {
        ("credentials", "SENDER"),
        ("hubclientinfo", "SENDER"),
        ("hubclientinfo", "RECEIVER"),
    }
    assert endpoints == {(module, str(interface)) for module, interface, _, _ in EXPECTED}
    assert endpoints == {(module, str(interface)) for module, interface in offered(CATALOGUE)}
    base = f"{parties.hub.public_url}/ocpi/2.2.1/"
    assert all(url.startswith(base) for url in emsp.peer.endpoints.values())


async def test_every_url_with_every_method_reaches_a_party_or_is_405(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    found = await Walker(cpo, emsp).walk()
    assert not found.wrong
    assert found.reached == EXPECTED
    assert len(EXPECTED) == len(functional(CATALOGUE))


@pytest.mark.parametrize("backing", ["embedded"], indirect=True)  # it is the walk that is judged
@pytest.mark.parametrize("row", ["LOC-R8", "TAR-R4", "CHP-R1", "SES-S2"])
async def test_a_row_removed_from_the_registry_fails_the_walk(
    make_hub: MakeHub, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    # The hub's process takes the row out when its interpreter starts (sitecustomize).
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent / 'broken'}{os.pathsep}.")
    monkeypatch.setenv("SCENARIO_WITHOUT_ROW", row)
    hub = make_hub()
    hub.fresh = True
    with hub:
        async with Parties(hub) as parties:
            found = await Walker(*await parties.pair()).walk()
    gone = next(one for one in CATALOGUE.rows if one.id == row)
    missing = {(module, interface, method) for module, interface, method, _ in EXPECTED - found.reached}
    assert missing == {(gone.module, gone.interface, gone.method)}


async def test_unknown_urls_are_404_with_where_to_look(parties: Parties) -> None:
    emsp = await parties.emsp()
    base = parties.hub.public_url
    for path in ("/", "/ocpi", "/ocpi/2.1.1", "/ocpi/2.2.1/sender", "/ocpi/2.2.1/sender/hubclientinfo",
                 "/ocpi/2.2.1/sender/nothing", "/ocpi/2.2.1/sender/locations/a/b/c/d", "/admin"):  # fmt: skip
        answer = await emsp.call_url("GET", base + path)
        check(answer, 404, 2000)


@pytest.mark.parametrize("path", ["//ocpi//2.2.1//sender/locations/LOC0001", "/ocpi/2.2.1/SENDER/locations/LOC0001/",
                                  "/ocpi/2.2.1/sender//locations//loc0001//"])  # fmt: skip
async def test_slashes_and_case_do_not_matter_and_nobody_is_redirected(parties: Parties, path: str) -> None:
    cpo, emsp = await parties.pair()
    check(await emsp.call_url("GET", parties.hub.public_url + path, to=party_of(cpo)), 200, 1000)


@pytest.mark.parametrize("slash", [False, True])
async def test_a_recipients_url_is_used_as_advertised_and_ids_are_encoded_again(parties: Parties, slash: bool) -> None:
    cpo, emsp = await parties.cpo(trailing_slash=slash), await parties.emsp()
    await emsp.call("GET", "tariffs", SENDER, to=party_of(cpo))
    assert cpo.received[-1].path == "/ocpi/2.2.1/sender/tariffs" + ("/" if slash else "")
    id = "a/b*c#d%20 é"
    await emsp.call("GET", "locations", SENDER, id, to=party_of(cpo))
    assert cpo.received[-1].segments == (id,)
    assert cpo.received[-1].path.startswith("/ocpi/2.2.1/sender/locations/a%2F")
