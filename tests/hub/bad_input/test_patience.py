"""A caller that stalls is waited for so long and no longer; to the second, since the seconds are virtual."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable
from typing import Final

import pytest

from hub.edge.values import Call, Pairs, Response
from tests.connectors.v2_2_1 import objects
from tests.hub.bad_input.recipients import THEIRS, answered
from tests.hub.bad_input.spoken import spoken
from tests.hub.bad_input.stage import CPO, Stage, stage

GET = spoken("versions", "GET", "/ocpi/versions", "cpo").written()
PUT = spoken("put", "PUT", "/ocpi/2.2.1/receiver/locations/NL/ABC/LOC1", "cpo", objects.location())


@pytest.mark.parametrize("said", [b"", b"GET", GET[:-1]], ids=["nothing", "a word", "all but the end"])
def test_without_a_whole_header_10_s_after_connecting_it_is_closed(said: bytes) -> None:
    async def story(at: Stage) -> None:
        began, line = at.loop.now, at.connect()
        line.say(said)
        assert await line.hear() is None
        assert at.loop.now - began == pytest.approx(10)

    with stage() as at:
        at.run(story(at))
        assert at.traces() == []


def test_a_header_that_comes_byte_by_byte_gets_no_longer() -> None:
    async def story(at: Stage) -> None:
        began, line = at.loop.now, at.connect()
        for sign in GET:
            line.say(bytes((sign,)))
            await asyncio.sleep(0.5)
            if line.closed:
                break
        assert await line.hear() is None
        assert at.loop.now - began == pytest.approx(10, abs=0.6)

    with stage() as at:
        at.run(story(at))
        assert at.traces() == []


@pytest.mark.parametrize("said", [b"", GET[:-1]], ids=["nothing", "half a header"])
def test_a_connection_that_idles_is_closed_after_75_s_and_each_call_begins_them_anew(said: bytes) -> None:
    async def story(at: Stage) -> None:
        line = at.connect()
        for _ in range(3):
            line.say(GET)
            assert await line.hear() is not None
            await asyncio.sleep(74)
        line.say(GET)
        assert await line.hear() is not None
        began = at.loop.now
        line.say(said)
        assert await line.hear() is None
        assert at.loop.now - began == pytest.approx(75)

    with stage() as at:
        at.run(story(at))
        assert at.traces() == []


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("rate", [0, 1, 1000])
def test_a_body_slower_than_1_kib_a_second_over_10_s_is_408_with_an_envelope_and_closed(
    rate: int, chunked: bool
) -> None:
    async def story(at: Stage) -> None:
        head = PUT.having(*((b"Transfer-Encoding", b"chunked") if chunked else (b"Content-Length", b"100000")))
        line, more = at.connect(), b" " * rate
        line.say(head.written()[: -len(PUT.body)])
        began = at.loop.now
        heard = asyncio.ensure_future(line.hear())
        while not heard.done():
            line.say(b"%x\r\n%s\r\n" % (rate, more) if chunked and rate else more)
            await asyncio.sleep(1)
        answer = heard.result()
        assert answer is not None
        assert answer.answer == (408, 2000)
        assert "1024 bytes a second over 10 s" in answer.message
        assert at.loop.now - began == pytest.approx(10, abs=1.1)
        await line.ended()
        assert at.loop.now - began < 20

    with stage() as at:
        at.run(story(at))
        assert at.traces() == []


def test_a_body_that_keeps_its_rate_up_may_take_its_time() -> None:
    async def story(at: Stage) -> None:
        line, body = at.connect(), PUT.body[:-1] + b" " * 60_000 + PUT.body[-1:]
        line.say(PUT.having(b"Content-Length", b"%d" % len(body)).written()[: -len(PUT.body)])
        began = at.loop.now
        for start in range(0, len(body), 110):
            line.say(body[start : start + 110])
            await asyncio.sleep(0.1)
        answer = await line.hear()
        assert answer is not None and answer.answer == (200, 1000)
        assert at.loop.now - began > 50

    with stage() as at:
        at.run(story(at))
        assert at.traces() == []


def test_an_answer_that_is_not_read_is_kept_for_75_s() -> None:
    async def story(at: Stage) -> None:
        began, line = at.loop.now, at.connect()
        line.reads = False
        line.say(GET.replace(b"/ocpi/versions", b"/ocpi/2.2.1") * 2000)
        await line.ended()
        assert at.loop.now - began == pytest.approx(75, abs=0.1)

    with stage() as at:
        at.run(story(at))
        assert at.traces() == []


def test_who_asks_on_and_reads_nothing_is_not_kept_answers_without_end() -> None:
    async def story(at: Stage) -> None:
        line = at.connect()
        line.reads = False
        for _ in range(200):
            line.say(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 50)
            await asyncio.sleep(0)
        await asyncio.sleep(1)
        assert line.unread < 100_000
        line.end()

    with stage() as at:
        at.run(story(at))
        assert at.traces() == []


class Body(bytes):
    """A body that tells when it is gone."""

    gone: Final[list[int]] = []

    def __del__(self) -> None:
        self.gone.append(len(self))


def test_an_idle_connection_keeps_nothing_of_its_last_call_and_answer() -> None:
    async def story(at: Stage) -> None:
        at.recipients.answer = lambda method, url: answered(Body(THEIRS + b" " * 100_000))
        line = at.connect()
        line.say(spoken("one", "GET", "/ocpi/2.2.1/sender/locations/LOC1", "emsp", None, CPO).written())
        assert await line.hear() is not None
        await asyncio.sleep(0)
        assert Body.gone.pop() == len(THEIRS) + 100_000
        calls: list[weakref.ref[Call]] = []
        answer = at.edge.server.answer

        def watched(call: Call) -> Awaitable[tuple[Response, Pairs]]:
            calls.append(weakref.ref(call))
            return answer(call)

        at.edge.server.answer = watched
        line.say(PUT.written())
        assert await line.hear() is not None
        await asyncio.sleep(1)
        assert not line.closed
        assert [call() for call in calls] == [None]

    with stage() as at:
        at.run(story(at))
        assert at.traces() == []
