"""Whatever a recipient answers is relayed if it can be, and 4000 with a sentence if not; nothing of the hub breaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final

import orjson
import pytest

from connectors.client.client import Answer
from tests.hub.bad_input import nasties
from tests.hub.bad_input.judged import nothing_grew
from tests.hub.bad_input.recipients import THEIRS, answered
from tests.hub.bad_input.spoken import Spoken, right_calls
from tests.hub.bad_input.stage import Stage, stage

ASKED: Final = ("list", "authorize", "start", "location to one", "session", "cdr")
"""A relay of each kind, and directed pushes."""

HEADERS: Final = (
    "Content-Type",
    "Retry-After",
    "Link",
    "Location",
    "X-Total-Count",
    "X-Limit",
    "Content-Length",
    "X-More",
)


def headers() -> Iterator[Answer]:
    """Nasty values of each header that the hub gives on or looks at."""
    for name in HEADERS:
        for value in (*nasties.TEXTS, *nasties.WORDS, *nasties.CONTROLS):
            written = value.decode("utf-8", "surrogateescape")
            yield answered(headers={name: written})
            if name in ("Link", "Location"):
                yield answered(headers={name: f"https://cpo.example/{written}"})
                yield answered(headers={name: f"<https://cpo.example/{written}>; rel=next"})


def statuses() -> Iterator[Answer]:
    for status in (
        200,
        201,
        202,
        204,
        206,
        299,
        300,
        304,
        400,
        404,
        405,
        409,
        418,
        422,
        429,
        451,
        500,
        502,
        503,
        504,
        599,
    ):
        yield answered(http_status=status)


def bodies() -> Iterator[Answer]:
    """Envelopes with nasty values in each place, and what is none."""
    for value in nasties.VALUES:
        yield answered(b'{"status_code":%s,"theirs":true}' % value)
        yield answered(b'{"status_code":1000,"theirs":true,"status_message":%s}' % value)
        yield answered(b'{"status_code":1000,"theirs":true,"data":%s}' % value)
        yield answered(b'{"data":%s}' % value)
        yield answered(value)
    for _, body, _ in nasties.whole(THEIRS):
        yield answered(body)
    yield answered(orjson.dumps({"status_code": 1000, "theirs": True, "data": [{"id": "LOC1"}]}))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("answers", [headers, statuses, bodies])
def test_whatever_a_recipient_answers_is_relayed_or_4000(answers: Callable[[], Iterator[Answer]]) -> None:
    calls = {call.name: call for call in right_calls()}
    with stage() as at:
        for name in ASKED:
            at.run(at.ask(calls[name].written()))
        tasks = at.tasks()
        for name in ASKED:
            for answer in answers():
                at.recipients.answer = always(answer)
                try:
                    at.run(relayed_or_4000(at, calls[name], answer))
                    assert at.said() == []
                except AssertionError as wrong:
                    wrong.add_note(f"{name}: {answer.http_status} {dict(answer.headers)} {answer.body[:300]!r}")
                    raise
        at.run(nothing_grew(at, tasks))


def always(answer: Answer) -> Callable[[str, str], Answer]:
    return lambda method, url: answer


async def relayed_or_4000(at: Stage, call: Spoken, answer: Answer) -> None:
    at.store.data.cdrs.clear()  # a CDR that was answered well is answered from memory
    heard = await at.ask(call.written())
    assert heard is not None
    if heard.body == answer.body:
        assert heard.http_status == answer.http_status
        assert type(json.loads(heard.body, parse_int=lambda digits: int(digits[:9]))["status_code"]) is int
    else:
        assert heard.answer == (200, 4000)
        assert len(heard.message) > 40


def test_right_answers_are_relayed_so_that_what_is_spoilt_is_what_is_judged() -> None:
    calls = {call.name: call for call in right_calls()}
    with stage() as at:
        for name in ASKED:
            heard = at.run(at.ask(calls[name].written()))
            assert heard is not None and heard.body == THEIRS, name
