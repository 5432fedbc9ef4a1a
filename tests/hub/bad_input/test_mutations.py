"""P10, a clear no: right requests spoilt at every place with every value that has broken programs before.

More than 40,000 requests, each through aiohttp's own protocol, the pipeline, the log and the worker.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.hub.bad_input import spoiling
from tests.hub.bad_input.judged import judge, nothing_grew
from tests.hub.bad_input.spoken import Spoken, made_urls, right_callbacks, right_calls
from tests.hub.bad_input.stage import Stage, stage

Spoil = Callable[[Spoken], Iterator[Spoken]]


def headers(call: Spoken) -> Iterator[Spoken]:
    """Headers that a call does not have are read the same way whatever it is for."""
    return spoiling.headers(call, every=call.name == "location")


LEAST: Final[dict[str, tuple[Spoil, int]]] = {
    "methods": (spoiling.methods, 1_500),
    "headers": (headers, 15_000),
    "targets": (spoiling.targets, 15_000),
    "fields": (spoiling.fields, 6_000),
    "bodies": (spoiling.bodies, 5_000),
}
"""What is spoilt, how, and how many requests that is at least."""


def right(at: Stage) -> list[Spoken]:
    return [*right_calls(), *right_callbacks(at.run(made_urls(at)))]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", LEAST)
def test_p10_whatever_is_spoilt_in_a_request_is_answered_with_an_envelope_and_leaves_nothing(kind: str) -> None:
    spoil, least = LEAST[kind]
    asked = 0
    with stage() as at:
        calls, tasks = right(at), at.tasks()
        for call in calls:
            for spoilt in spoil(call):
                head = spoilt.method == b"HEAD"
                heard = at.run(at.ask(spoilt.written(), head=head))
                try:
                    judge(heard, head=head)
                    assert at.said() == []
                except AssertionError as wrong:
                    wrong.add_note(repr(spoilt.written()[:2000]))
                    raise
                asked += 1
            at.run(at.restore())
        at.run(nothing_grew(at, tasks))
    assert asked >= least


def test_right_calls_are_answered_well_so_that_what_is_spoilt_is_what_is_judged() -> None:
    with stage() as at:
        for call in right(at):
            heard = at.run(at.ask(call.written()))
            assert heard is not None and heard.http_status == 200, (call.name, heard)
            assert heard.answer[1] == 1000 or call.name in ("register", "renew"), (call.name, heard)
            assert at.said() == []


def test_nothing_is_kept_of_requests_that_are_all_different() -> None:
    """Counted in objects, once everything with a bound of its own has been emptied."""
    chance = random.Random(5)

    def strange() -> bytes:
        return b"%040x" % chance.getrandbits(160)

    async def turn(at: Stage) -> None:
        for call in calls:
            for _ in range(20):
                spoilt = call.having(b"X-Request-ID", strange()).having(b"X-Correlation-ID", strange())
                match chance.randrange(6):
                    case 0:
                        spoilt = spoilt.having(b"Authorization", b"Token " + strange())
                    case 1:
                        spoilt = spoilt.having(b"OCPI-to-country-code", strange()[:2]).having(strange(), strange())
                    case 2 | 3:
                        spoilt = spoilt.at(call.target.replace(b"1", strange()[:20]) + b"?x=" + strange())
                    case 4:
                        spoilt = spoilt.at(b"/" + strange() + b"/" + strange())
                    case _:
                        spoilt = spoilt.saying(call.body.replace(b"1", strange()) or strange())
                judge(await at.ask(spoilt.written()))
        await at.restore()

    with stage() as at:
        calls = right(at)
        at.run(turn(at))
        before = at.objects()
        for _ in range(4):
            at.run(turn(at))
        grown = at.objects() - before
        assert grown < 4 * 20 * len(calls) // 4, grown
