"""Callers that wait for the outcome of a directed push."""

from __future__ import annotations

import asyncio

from hub.edge.waiting import Waiting
from routing.replies import Reply, encode


async def test_a_reply_reaches_who_waits_for_its_event_and_nobody_else() -> None:
    waiting = Waiting()
    one, other = waiting.expect("1"), waiting.expect("2")
    waiting.hear(*encode(Reply("1", 201, 1000, b"{}")))
    found = await one.reply(asyncio.get_running_loop().time() + 5)
    assert found is not None
    assert (found.http_status, found.body) == (201, b"{}")
    assert not other.done()


async def test_a_reply_that_comes_while_somebody_waits_wakes_it() -> None:
    waiting = Waiting()
    expected = waiting.expect("1")
    task = asyncio.create_task(expected.reply(asyncio.get_running_loop().time() + 5))
    await asyncio.sleep(0)
    waiting.hear(*encode(Reply("1", 200, 4003, message="no")))
    reply = await task
    assert reply is not None
    assert reply.status_code == 4003


async def test_no_reply_in_time_is_none() -> None:
    waiting = Waiting()
    assert await waiting.expect("1").reply(asyncio.get_running_loop().time()) is None


async def test_the_first_reply_counts_and_late_ones_and_nonsense_are_dropped() -> None:
    waiting = Waiting()
    expected = waiting.expect("1")
    waiting.hear(*encode(Reply("1", 200, 1000, b"first")))
    waiting.hear(*encode(Reply("1", 200, 1000, b"second")))
    reply = await expected.reply(0)
    assert reply is not None
    assert reply.body == b"first"
    waiting.forget("1")
    waiting.hear(*encode(Reply("1", 200, 1000, b"third")))
    waiting.hear((), b"")
    waiting.hear((("reply", b"[1]"),), b"")
    assert len(waiting) == 0
