"""More than a platform may have in flight is 429 with an envelope and Retry-After, and others notice nothing."""

from __future__ import annotations

import asyncio

import pytest

from connectors.values import PartyId
from tests.connectors.v2_2_1 import objects
from tests.hub.bad_input.line import Heard, Line
from tests.hub.bad_input.recipients import THEIRS, answered
from tests.hub.bad_input.spoken import Spoken, spoken
from tests.hub.bad_input.stage import CPO, EMSP, Stage, stage

BODY = objects.body(objects.location())


def put(who: str, owner: PartyId, to: PartyId | None = None) -> Spoken:
    """A broadcast of this platform, or what its recipient decides."""
    if who == "cpo":
        target, body = f"/ocpi/2.2.1/receiver/locations/{'/'.join(owner)}/LOC1", objects.location()
    else:
        target, body = f"/ocpi/2.2.1/receiver/tokens/{'/'.join(owner)}/012345678", objects.token()
    return spoken("put", "PUT", target, who, body, to)


OF_CPO, OF_EMSP = put("cpo", CPO), put("emsp", EMSP)
READ = spoken("read", "GET", "/ocpi/2.2.1/sender/locations", "emsp", None, CPO)
LONG = 200_000


def begun(at: Stage, call: Spoken, *, but: int = 1) -> Line:
    """A call all of whose bytes were said but the last few."""
    line = at.connect()
    line.say(call.written()[:-but])
    return line


def is_429(heard: Heard | None, says: str) -> None:
    assert heard is not None
    assert heard.answer == (429, 2000)
    assert int(heard.headers["retry-after"]) >= 1
    assert says in heard.message


def well(heard: Heard | None) -> None:
    assert heard is not None and heard.answer == (200, 1000), heard


def test_who_asks_on_after_429_is_held_back_so_that_its_refusals_cost_the_others_little() -> None:
    async def story(at: Stage) -> None:
        began, refused, line = at.loop.now, 0, at.connect()
        while at.loop.now < began + 10:
            line.say(OF_CPO.written())
            heard = await line.hear()
            assert heard is not None
            refused += heard.http_status == 429
        assert 5 <= refused <= 25
        began = at.loop.now
        long = OF_CPO.saying(b"x" * 20_000)
        while (heard := await at.ask(long.written())) is not None and heard.http_status != 429:
            pass
        assert at.loop.now == began, "a long body is not kept for the sake of waiting"

    with stage(platform_calls_per_second=1) as at:
        at.run(story(at))
        assert at.traces() == []


def test_who_is_refused_together_does_not_come_back_together() -> None:
    """Or all connections of a platform would call at once again and again, and the others wait behind them."""

    async def story(at: Stage) -> None:
        lines, ends = [at.connect() for _ in range(50)], list[float]()

        async def hear(line: Line) -> None:
            is_429(await line.hear(), "more than 1 times")
            ends.append(at.loop.now)

        well(await at.ask(OF_CPO.written()))
        for line in lines:
            line.say(OF_CPO.written())
        began = at.loop.now
        await asyncio.gather(*map(hear, lines))
        most = max(sum(start <= end < start + 0.05 for end in ends) for start in ends)
        assert most <= 10 and max(ends) < began + 1

    with stage(platform_calls_per_second=1) as at:
        at.run(story(at))
        assert at.traces() == []


async def nothing_is_held(at: Stage) -> None:
    """Every byte and call that was counted was given back: the same fits again."""
    limits = at.edge.limits
    assert limits.bytes == 0
    assert [(use.bytes, use.calls) for use in limits.uses] == [(0, 0)] * len(limits.uses)


@pytest.mark.parametrize("whose", ["share", "whole"])
def test_more_bytes_in_flight_than_a_platforms_share_or_the_hubs_are_429_and_others_are_served(whose: str) -> None:
    size = len(OF_CPO.body)
    bounds = {"platform_inflight_bytes": 3 * size} if whose == "share" else {"max_inflight_bytes": 3 * size}

    async def story(at: Stage) -> None:
        lines = [begun(at, OF_CPO) for _ in range(3)]
        await asyncio.sleep(0.1)
        is_429(await at.ask(OF_CPO.written()), "bytes" if whose == "share" else "the hub holds")
        if whose == "share":
            well(await at.ask(OF_EMSP.written()))
        for line in lines:
            line.say(OF_CPO.written()[-1:])
            well(await line.hear())
        well(await at.ask(OF_CPO.written()))
        await nothing_is_held(at)

    with stage(**bounds) as at:
        at.run(story(at))
        assert at.traces() == []


def test_a_body_that_grows_over_the_share_while_it_comes_is_429() -> None:
    async def story(at: Stage) -> None:
        chunked = OF_CPO.having(b"Transfer-Encoding", b"chunked")
        line = at.connect()
        line.say(chunked.written()[: -len(chunked.body)])
        for _ in range(8):
            line.say(b"400\r\n" + b" " * 1024 + b"\r\n")
            await asyncio.sleep(0.01)
        is_429(await line.hear(), "bytes")
        await nothing_is_held(at)

    with stage(platform_inflight_bytes=4096) as at:
        at.run(story(at))
        assert at.traces() == []


def test_a_caller_that_goes_away_gives_back_what_it_held() -> None:
    async def story(at: Stage) -> None:
        for _ in range(5):
            lines = [begun(at, OF_CPO) for _ in range(3)]
            await asyncio.sleep(0.1)
            for line in lines:
                line.end()
            await asyncio.sleep(0.1)
        await nothing_is_held(at)

    with stage(platform_inflight_bytes=3 * len(OF_CPO.body)) as at:
        at.run(story(at))
        assert at.traces() == []


def test_more_calls_in_flight_than_a_platform_may_have_are_429_and_others_are_served() -> None:
    async def story(at: Stage) -> None:
        lines = [begun(at, OF_CPO) for _ in range(4)]
        await asyncio.sleep(0.1)
        is_429(await at.ask(spoken("versions", "GET", "/ocpi/versions", "cpo").written()), "4 calls of your platform")
        well(await at.ask(OF_EMSP.written()))
        for line in lines:
            line.say(OF_CPO.written()[-1:])
            well(await line.hear())
        await nothing_is_held(at)

    with stage(platform_inflight_calls=4) as at:
        at.run(story(at))
        assert at.traces() == []


def test_more_calls_a_second_than_a_platform_may_make_are_429_until_the_second_is_over_and_others_are_served() -> None:
    async def story(at: Stage) -> None:
        for _ in range(2):
            for _ in range(5):
                well(await at.ask(OF_CPO.written()))
            is_429(await at.ask(OF_CPO.written()), "5 times in a second")
            well(await at.ask(OF_EMSP.written()))
            await asyncio.sleep(1)
        await nothing_is_held(at)

    with stage(platform_calls_per_second=5) as at:
        at.run(story(at))
        assert at.traces() == []


def reading(at: Stage) -> Line:
    """A caller that asks for a long answer and does not read it."""
    line = at.connect()
    line.reads = False
    line.say(READ.written())
    return line


def test_answers_that_their_caller_does_not_read_count_and_more_are_429() -> None:
    async def story(at: Stage) -> None:
        at.recipients.answer = lambda method, url: answered(THEIRS + b" " * LONG)
        lines = [reading(at) for _ in range(3)]
        await asyncio.sleep(0.1)
        is_429(await at.ask(READ.written()), "ask for smaller pages")
        at.recipients.answer = lambda method, url: answered()
        well(await at.ask(OF_EMSP.written()))
        well(await at.ask(OF_CPO.written()))
        for line in lines:
            line.end()
        await asyncio.sleep(0.1)
        well(await at.ask(READ.written()))
        await nothing_is_held(at)

    with stage(platform_inflight_bytes=4 * LONG - 1) as at:
        at.run(story(at))
        assert at.traces() == []


def test_the_answer_of_what_was_done_is_given_however_long_it_is() -> None:
    async def story(at: Stage) -> None:
        at.recipients.answer = lambda method, url: answered(THEIRS + b" " * LONG)
        command = spoken(
            "stop", "POST", "/ocpi/2.2.1/receiver/commands/STOP_SESSION", "emsp", {"session_id": "S1"}, CPO
        )
        well(await at.ask(command.written()))
        is_429(await at.ask(READ.written()), "ask for smaller pages")
        await nothing_is_held(at)

    with stage(platform_inflight_bytes=LONG) as at:
        at.run(story(at))
        assert at.traces() == []
