"""P5, once where it matters: a CDR that its eMSP took is never sent again, whoever posts it, and whatever restarts."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from connectors.sample import Fault, Rule, SamplePlatform
from connectors.sample.client import SampleAnswer
from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.parties import RECEIVER, Parties, check, eventually, got, party_of


async def post(cpo: SamplePlatform, emsp: SamplePlatform, cdr: bodies.Json | bytes) -> SampleAnswer:
    return await cpo.call("POST", "cdrs", RECEIVER, to=party_of(emsp), body=cdr)


def same(first: SampleAnswer, second: SampleAnswer) -> bool:
    """The same answer: HTTP status, bytes and Location."""
    return (first.http_status, first.body, first.headers["Location"]) == (
        second.http_status, second.body, second.headers["Location"],
    )  # fmt: skip


async def test_p5_a_repeated_post_gets_the_first_answer_and_location_and_is_not_sent(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    cdr = bodies.cdr(cpo, emsp)
    first = await post(cpo, emsp, cdr)
    check(first, 201, 1000)
    # The same JSON in other bytes is the same CDR.
    other = orjson.dumps(dict(reversed(cdr.items())), option=orjson.OPT_INDENT_2)
    for body in (cdr, cdr, other):
        assert same(await post(cpo, emsp, body), first)
    assert len(got(emsp, "cdrs")) == 1
    check(await cpo.call_url("GET", first.headers["Location"]), 200, 1000)


async def test_p5_posts_at_the_same_moment_reach_the_emsp_once(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    emsp.faults.set(Rule(Fault.SLOW, module="cdrs", delay=0.2))
    cdr = bodies.cdr(cpo, emsp)
    answers = await asyncio.gather(*(post(cpo, emsp, cdr) for _ in range(8)))
    check(answers[0], 201, 1000)
    assert all(same(answer, answers[0]) for answer in answers)
    assert len(got(emsp, "cdrs")) == 1


async def test_p5_other_content_under_an_accepted_id_is_2001_naming_the_paths(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    cdr = bodies.cdr(cpo, emsp)
    check(await post(cpo, emsp, cdr), 201, 1000)
    changed = orjson.loads(orjson.dumps(cdr))
    changed["total_energy"] = 99.5
    changed["charging_periods"][0]["dimensions"][0]["volume"] = 99.5
    check(await post(cpo, emsp, changed), 200, 2001, "$.total_energy", "$.charging_periods[0].dimensions[0].volume")
    assert len(got(emsp, "cdrs")) == 1


@pytest.mark.parametrize("fault", [Fault.HTTP_429, Fault.HTTP_500])
async def test_p5_after_a_refusal_a_corrected_cdr_goes_through(parties: Parties, fault: Fault) -> None:
    cpo, emsp = await parties.pair()
    emsp.faults.set(Rule(fault, module="cdrs", times=1))
    cdr = bodies.cdr(cpo, emsp)
    refused = await post(cpo, emsp, cdr)
    assert refused.status_code in (2000, 3000), refused
    corrected = cdr | {"total_energy": 7.25}
    check(await post(cpo, emsp, corrected), 201, 1000)
    assert [one.json["total_energy"] for one in got(emsp, "cdrs")] == [cdr["total_energy"], 7.25]


async def test_p5_an_unknown_outcome_is_sent_again_when_its_sender_asks(hasty: Parties) -> None:
    cpo, emsp = await hasty.pair()
    emsp.faults.set(Rule(Fault.RESET, module="cdrs", times=1))
    cdr = bodies.cdr(cpo, emsp)
    check(await post(cpo, emsp, cdr), 200, 4002)
    assert len(got(emsp, "cdrs")) == 1
    check(await post(cpo, emsp, cdr), 201, 1000)
    assert len(got(emsp, "cdrs")) == 2


async def test_p5_the_same_id_of_another_owner_or_for_another_emsp_is_another_cdr(parties: Parties) -> None:
    cpo, emsp = await parties.pair()
    other_cpo, other_emsp = await parties.pair()
    id = bodies.new_id("CDR")
    for sender, receiver in ((cpo, emsp), (other_cpo, emsp), (cpo, other_emsp)):
        check(await post(sender, receiver, bodies.cdr(sender, receiver, id)), 201, 1000)
    assert len(got(emsp, "cdrs")) == 2 and len(got(other_emsp, "cdrs")) == 1


async def test_p5_a_session_patch_that_appends_is_attempted_once(hasty: Parties) -> None:
    cpo, emsp = await hasty.pair()
    session = bodies.session(cpo, emsp)
    path = (*party_of(cpo), session["id"])
    check(await cpo.call("PUT", "sessions", RECEIVER, *path, to=party_of(emsp), body=session), 201, 1000)
    emsp.faults.set(Rule(Fault.RESET, module="sessions", times=1))
    patch = {"charging_periods": [{"start_date_time": bodies.WHEN, "dimensions": []}], "last_updated": bodies.WHEN}
    answer = await cpo.call("PATCH", "sessions", RECEIVER, *path, to=party_of(emsp), body=patch)
    check(answer, 200, 4002)
    await asyncio.sleep(0.3)
    assert len(got(emsp, "sessions", "PATCH")) == 1


async def test_p5_holds_after_the_hub_was_killed_and_started_again(make_hub: MakeHub) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            accepted, refused = bodies.cdr(cpo, emsp), bodies.cdr(cpo, emsp)
            first = await post(cpo, emsp, accepted)
            check(first, 201, 1000)
            emsp.faults.set(Rule(Fault.HTTP_500, module="cdrs", times=1))
            check(await post(cpo, emsp, refused), 500, 3000)
            hub.kill()
            await hub.start_again()
            assert same(await post(cpo, emsp, accepted), first)
            check(await post(cpo, emsp, accepted | {"total_energy": 1}), 200, 2001, "$.total_energy")
            check(await post(cpo, emsp, refused | {"total_energy": 1}), 201, 1000)
            assert len(got(emsp, "cdrs")) == 3
            check(await cpo.call_url("GET", first.headers["Location"]), 200, 1000)


async def test_p5_a_cdr_in_flight_when_the_hub_is_killed_is_not_sent_by_the_hub_again(make_hub: MakeHub) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            rule = emsp.faults.set(Rule(Fault.HANG, module="cdrs", times=1))
            cdr = bodies.cdr(cpo, emsp)
            waiting = asyncio.ensure_future(post(cpo, emsp, cdr))
            await eventually(lambda: bool(got(emsp, "cdrs")))
            hub.kill()
            await asyncio.gather(waiting, return_exceptions=True)
            emsp.faults.clear(rule)
            await hub.start_again()
            await asyncio.sleep(0.5)
            assert len(got(emsp, "cdrs")) == 1
            check(await post(cpo, emsp, cdr), 201, 1000)
            assert len(got(emsp, "cdrs")) == 2
