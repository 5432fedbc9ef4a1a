"""A delivery policy over HTTP: it is in force within two seconds, the attempts show it, and taken back it is gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors.sample import Canned, Fault, Rule, SamplePlatform
from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, Parties, check, eventually, party_of
from tests.scenarios.test_exchanges import found, ids, show

IN_FORCE = 2.0
"""Seconds after which a policy holds on every process."""

BUSY = Rule(
    Fault.CANNED, module="locations",
    canned=Canned(b'{"status_code":3000,"timestamp":"2026-01-01T00:00:00Z"}', 503),
)  # fmt: skip


async def attempts(hub: RunningHub, cpo: SamplePlatform, emsp: SamplePlatform) -> tuple[int, str, str]:
    """Of a broadcast of a new location to one that is busy: how many were made, how it ended and why."""
    sent = ids("policy")
    body = bodies.location(party_of(cpo))
    path = (*party_of(cpo), body["id"])
    check(await cpo.call("PUT", "locations", RECEIVER, *path, to=HUB, body=body, headers=sent), 200, 1000)
    one = await found(hub, correlation_id=sent["X-Correlation-ID"])
    shown, text = await show(hub, one["id"])
    (recipient,) = [one for one in shown["recipients"] if one["party"] == str(party_of(emsp))]
    assert str(recipient["detail"]) in text
    return len(recipient["attempts"]), recipient["outcome"], recipient["detail"]


@pytest.mark.timeout(180)
async def test_a_policy_holds_within_two_seconds_and_the_attempts_show_it_until_it_is_taken_back(
    make_hub: MakeHub,
) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            emsp.faults.set(BUSY)
            number, outcome, detail = await attempts(hub, cpo, emsp)
            assert (number, outcome, "attempt 2 of 2: the hub's default" in detail) == (2, "marked", True)
            party = str(party_of(emsp))
            set_ = ("--party", party, "--module", "locations", "--attempts", "4", "--backoff-seconds", "0.05")
            code, out, err = await hub.cli("policy", "set", *set_)
            assert (code, out) == (0, f"from now on: {party}/locations attempts=4 backoff_seconds=0.05\n"), err
            await asyncio.sleep(IN_FORCE)
            number, outcome, detail = await attempts(hub, cpo, emsp)
            assert (number, outcome) == (4, "marked")
            assert f"attempt 4 of 4: policy {party}/locations" in detail
            code, out, err = await hub.cli("party", "show", *party_of(emsp))
            assert "delivery of locations: attempts=4 attempt_seconds=10 backoff_seconds=0.05 " in out, err
            code, out, err = await hub.cli("policy", "unset", "--party", party, "--module", "locations")
            assert (code, out) == (0, f"removed {party}/locations\n"), err
            await asyncio.sleep(IN_FORCE)
            assert (await attempts(hub, cpo, emsp))[0] == 2
            emsp.faults.clear()
            await eventually(lambda: _marks_are_gone(hub, emsp), within=60)


async def _marks_are_gone(hub: RunningHub, emsp: SamplePlatform) -> bool:
    platforms: list[dict[str, Any]] = (await hub.show(party_of(emsp)))["platforms"]
    return not platforms[0]["marks"]


async def test_a_policy_that_cannot_be_meant_is_refused_in_a_sentence(parties: Parties) -> None:
    for body, said in (
        ({"party": "NL-TNM"}, "a policy sets at least one of attempts"),
        ({"attempts": 0}, "attempts is 0; a number of 1 to 20 belongs there"),
        ({"module": "locatoins", "attempts": 1}, "'locatoins' is no module of OCPI's"),
        ({"attempts": 1.5}, "$.attempts"),
        ({"attemps": 1}, "$.attemps"),
        ({"party": "Tulip", "attempts": 1}, "write COUNTRY-PARTY"),
    ):
        status, told = await parties.hub.operate("PUT", "/api/policies", body)
        assert (status, said in told["error"]) == (400, True), told
    status, told = await parties.hub.operate("DELETE", "/api/policies?party=NL-N0N&module=cdrs")
    assert (status, "there is no policy NL-N0N/cdrs" in told["error"]) == (404, True), told
