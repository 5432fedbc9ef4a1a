"""Agreements over HTTP: a denied pair is 4001 and absent from broadcasts; others' sessions are given by name only."""

from __future__ import annotations

import time
from typing import Any

from connectors.sample import SamplePlatform
from connectors.values import PartyId
from tests.scenarios import bodies
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, eventually, got, party_of

IN_FORCE = 2.0
"""Seconds after which a change must hold on every process."""


async def agree(hub: RunningHub, effect: str, one: SamplePlatform, other: SamplePlatform | None, *modules: str) -> None:
    body: dict[str, Any] = {"effect": effect, "one": str(party_of(one)), "modules": modules}
    if other is not None:
        body["other"] = str(party_of(other))
    status, told = await hub.operate("PUT", "/api/agreements", body)
    assert status == 200, told


async def read(reader: SamplePlatform, to: PartyId) -> int | None:
    return (await reader.call("GET", "locations", SENDER, "LOC0001", to=to)).status_code


async def test_a_denied_pair_is_not_reached_either_way_until_the_rule_is_taken_back(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    other = await parties.emsp()
    await agree(parties.hub, "deny", cpo, emsp)
    began = time.monotonic()
    await eventually(lambda: _is(emsp, party_of(cpo), 4001), within=IN_FORCE)
    assert time.monotonic() - began < IN_FORCE
    answer = await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo))
    check(answer, 200, 4001, "is not a party that", "OCPI-to-party-id")
    assert await read(other, party_of(cpo)) == 1000
    body = bodies.location(party_of(cpo))
    check(await cpo.call("PUT", "locations", RECEIVER, *party_of(cpo), body["id"], to=HUB, body=body), 200, 1000)
    await other.wait_for(lambda one: one.module == "locations" and one.segments[-1] == body["id"])
    assert not got(emsp, "locations")
    one, two = str(party_of(cpo)), str(party_of(emsp))
    status, told = await parties.hub.operate("DELETE", f"/api/agreements?one={two}&other={one}")
    assert status == 200, told
    await eventually(lambda: _is(emsp, party_of(cpo), 1000), within=IN_FORCE)
    status, told = await parties.hub.operate("DELETE", f"/api/agreements?one={two}&other={one}")
    assert (status, "agreement list" in told["error"]) == (404, True)


async def test_a_rule_about_one_module_leaves_the_others_open(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    await agree(parties.hub, "deny", cpo, None, "tariffs")
    denied = await emsp.call("GET", "tariffs", SENDER, to=party_of(cpo))
    check(denied, 200, 4001)
    assert await read(emsp, party_of(cpo)) == 1000


async def test_another_than_the_emsp_of_the_cdr_token_gets_a_session_or_cdr_by_agreement_only(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    third = await parties.emsp()
    session, cdr = bodies.session(cpo, emsp), bodies.cdr(cpo, emsp)

    async def push() -> list[int | None]:
        to, path = party_of(third), (*party_of(cpo), session["id"])
        answers = [
            await cpo.call("PUT", "sessions", RECEIVER, *path, to=to, body=session),
            await cpo.call("POST", "cdrs", RECEIVER, to=to, body=cdr),
        ]
        return [answer.status_code for answer in answers]

    assert await push() == [4001, 4001]
    assert not got(third, "sessions") and not got(third, "cdrs")
    await agree(parties.hub, "allow", cpo, None)
    assert await push() == [4001, 4001], "a rule for anybody names nobody"
    await agree(parties.hub, "allow", cpo, third, "sessions", "cdrs")
    assert await push() == [1000, 1000]


async def test_a_closed_hub_opens_by_agreement_only(make_hub: Any) -> None:
    with make_hub(default_agreement="closed") as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            assert await read(emsp, party_of(cpo)) == 4001
            await agree(hub, "allow", cpo, emsp)
            assert await read(emsp, party_of(cpo)) == 1000
            status, told = await hub.operate("GET", "/api/agreements")
            assert (status, told["total"], told["default"]) == (200, 1, "deny")


async def _is(reader: SamplePlatform, to: PartyId, status_code: int) -> bool:
    return await read(reader, to) == status_code
