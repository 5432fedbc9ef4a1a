"""Custody (DESIGN, delivery): a CDR that its eMSP could not be given is the hub's, durable before its sender knows."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.sample import Canned, Fault, Rule, SamplePlatform
from connectors.sample.client import SampleAnswer
from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import RECEIVER, Parties, check, eventually, got, party_of

WITHIN = 30.0


async def post(cpo: SamplePlatform, emsp: SamplePlatform, cdr: bodies.Json) -> SampleAnswer:
    return await cpo.call("POST", "cdrs", RECEIVER, to=party_of(emsp), body=cdr)


async def said(hub: RunningHub, *words: str) -> Any:
    """What a command prints as JSON."""
    code, out, err = await hub.cli(*words, "--json")
    assert code == 0, err
    return orjson.loads(out)


async def keeps(hub: RunningHub, emsp: SamplePlatform, *more: str) -> None:
    await said(hub, "party", "set", *party_of(emsp), "--custody", *more)


async def test_p5_a_cdr_for_who_is_away_is_held_read_back_and_delivered_once_when_it_returns(make_hub: MakeHub) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            cdr = bodies.cdr(cpo, emsp)
            await emsp.offline()
            check(await post(cpo, emsp, bodies.cdr(cpo, emsp)), 200, 4003)  # off by default
            await keeps(hub, emsp)
            first = await post(cpo, emsp, cdr)
            check(first, 200, 1000, "the hub holds this CDR")
            location = first.headers["Location"]
            read = await cpo.call_url("GET", location)
            check(read, 200, 1000, "has not been able to deliver it yet")
            assert read.data == cdr
            again = await post(cpo, emsp, cdr)
            check(again, 200, 1000, "the hub holds this CDR")
            assert again.headers["Location"] == location
            check(await post(cpo, emsp, cdr | {"total_energy": 99.5}), 200, 2001, "$.total_energy")
            hub.kill()
            await hub.start_again()
            check(await cpo.call_url("GET", location), 200, 1000)
            other_cpo = await parties.cpo()
            assert (await other_cpo.call_url("GET", location)).http_status == 404, "it is its sender's alone"
            await emsp.online()
            await eventually(lambda: len(got(emsp, "cdrs")) == 1, within=WITHIN)
            assert got(emsp, "cdrs")[0].json == cdr

            async def delivered() -> bool:
                return (await cpo.call_url("GET", location)).headers.get("X-Sample") is not None or bool(
                    got(emsp, "cdrs", "GET")
                )

            await eventually(delivered, within=WITHIN)  # now its recipient answers
            check(await post(cpo, emsp, cdr), 201, 1000)
            assert len(got(emsp, "cdrs", "POST")) == 1

            async def told() -> bool:
                found = await said(hub, "exchanges", "find", "--object", f"cdrs/{cdr['id']}", "--outcome", "delivered")
                return len(found["exchanges"]) == 1

            await eventually(told, within=WITHIN)


async def test_p5_an_attempt_without_an_outcome_is_parked_as_a_dead_letter_and_goes_again_when_told(
    make_hub: MakeHub,
) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            await keeps(hub, emsp)
            await emsp.offline()
            cdr = bodies.cdr(cpo, emsp)
            check(await post(cpo, emsp, cdr), 200, 1000, "the hub holds this CDR")
            rule = emsp.faults.set(Rule(Fault.RESET, module="cdrs"))
            await emsp.online()

            async def parked() -> bool:
                return bool(await said(hub, "deadletter", "list", "--reason", "unknown"))

            await eventually(parked, within=WITHIN)
            (letter,) = await said(hub, "deadletter", "list", "--party", str(party_of(emsp)))
            shown = await said(hub, "deadletter", "show", letter["id"])
            assert orjson.loads(shown["body"]) == cdr
            assert [one["status_code"] for one in shown["tried"]] == [4003, 4002]
            assert hub.metrics()["ocpi_hub_dead_letters_total{reason=unknown}"] == 1
            assert len(got(emsp, "cdrs")) == 1
            (held,) = (await said(hub, "party", "show", *party_of(emsp)))["custody"]
            assert (held["held"], held["count"]) == ("parked", 1)
            await eventually(lambda: hub.metrics()["ocpi_hub_custody{held=parked}"] == 1, within=WITHIN)
            emsp.faults.clear(rule)
            hub.stop()
            await hub.start_again()
            assert len(got(emsp, "cdrs")) == 1, "nobody sends it but who is told to"
            assert [one["done"] for one in await said(hub, "deadletter", "redrive", letter["id"])] == ["redriven"]
            await eventually(lambda: len(got(emsp, "cdrs")) == 2, within=WITHIN)
            assert await said(hub, "deadletter", "list") == []
            check(await post(cpo, emsp, cdr), 201, 1000)
            assert len(got(emsp, "cdrs")) == 2
            assert (await said(hub, "party", "show", *party_of(emsp)))["custody"] == []


async def test_a_refusal_is_final_and_read_back_and_a_repeated_attempt_follows_a_lost_one_where_that_is_safe(
    make_hub: MakeHub,
) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            await keeps(hub, emsp, "--deduplicates")
            await emsp.offline()
            cdr = bodies.cdr(cpo, emsp)
            location = (await post(cpo, emsp, cdr)).headers["Location"]
            emsp.faults.set(Rule(Fault.RESET, module="cdrs", times=1))
            await emsp.online()
            await eventually(lambda: len(got(emsp, "cdrs")) == 2, within=60)  # the second by the schedule
            check(await post(cpo, emsp, cdr), 201, 1000)

            await emsp.offline()
            refused = bodies.cdr(cpo, emsp)
            location = (await post(cpo, emsp, refused)).headers["Location"]
            refusal = Canned(b'{"status_code":2001,"status_message":"no","timestamp":"2026-01-01T00:00:00Z"}')
            emsp.faults.set(Rule(Fault.CANNED, module="cdrs", times=1, canned=refusal))
            await emsp.online()

            async def final() -> bool:
                return (await cpo.call_url("GET", location)).status_code == 2001

            await eventually(final, within=WITHIN)
            assert await said(hub, "deadletter", "list") == []
