"""P10, a clear no: whatever hypothesis makes of a request and of a recipient's answer, in several places at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.client.client import Answer
from tests.hub.bad_input import nasties, spoiling
from tests.hub.bad_input.judged import judge, nothing_grew
from tests.hub.bad_input.recipients import answered
from tests.hub.bad_input.spoken import Spoken, made_urls, right_callbacks, right_calls
from tests.hub.bad_input.stage import Stage, stage

Edit = Callable[[Spoken], Spoken]

EXAMPLES: Final = 1000
"""Of each test here."""


class At:
    """The stage of all examples, and its right calls."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.calls = (*right_calls(), *right_callbacks(stage.run(made_urls(stage))))
        self.tasks = stage.tasks()


@pytest.fixture(scope="module")
def at() -> Iterator[At]:
    with stage() as made:
        yield At(made)


# --- what may come ---------------------------------------------------------------------------------------------------

texts = st.one_of(
    st.sampled_from(nasties.TEXTS),
    st.binary(max_size=30),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")),
)
names = st.one_of(
    st.sampled_from(nasties.HEADER_NAMES), st.from_regex(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", fullmatch=True)
)
values = st.one_of(
    texts, st.sampled_from((*nasties.WORDS, *nasties.CONTROLS)), st.lists(texts, max_size=3).map(b", ".join)
)
queries = st.one_of(texts, st.sampled_from(nasties.QUERIES))
json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text(max_size=30)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)),
    max_leaves=8,
)


@st.composite
def another_value(draw: st.DrawFn) -> Edit:
    at, value = draw(st.integers(0, 200)), draw(json)

    def edit(call: Spoken) -> Spoken:
        try:
            places = list(spoiling.ways(orjson.loads(call.body)))
        except orjson.JSONDecodeError:
            return call
        return call.saying(spoiling.replaced(call.body, places[at % len(places)], value))

    return edit


@st.composite
def another_segment(draw: st.DrawFn) -> Edit:
    at, segment, more = draw(st.integers(0, 10)), draw(texts), draw(st.booleans())

    def edit(call: Spoken) -> Spoken:
        path, mark, query = call.target.partition(b"?")
        parts = path.split(b"/")
        parts[at % len(parts) : at % len(parts) + (not more)] = [spoiling.encoded(segment)]
        return call.at(b"/".join(parts) + mark + query)

    return edit


edits: st.SearchStrategy[Edit] = st.one_of(
    st.builds(lambda name, value: lambda call: call.having(name, value), names, values),
    st.builds(lambda name: lambda call: call.without(name), names),
    st.builds(lambda value: lambda call: call.saying(value), st.one_of(texts, json.map(orjson.dumps))),
    st.builds(lambda more: lambda call: call.at(call.target + b"?" + more), queries),
    st.builds(lambda method: lambda call: call.by(method), st.sampled_from(nasties.METHODS)),
    another_value(),
    another_segment(),
)  # fmt: skip

answers: st.SearchStrategy[Answer] = st.builds(
    answered,
    st.one_of(
        st.binary(max_size=30),
        json.map(lambda value: orjson.dumps({"status_code": 1000, "theirs": True, "data": value})),
        json.map(orjson.dumps),
        st.fixed_dictionaries({"status_code": json, "status_message": json, "theirs": st.just(True)}).map(orjson.dumps),
    ),
    st.sampled_from((200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 418, 429, 500, 503, 599)),
    st.dictionaries(
        st.sampled_from(("Link", "Location", "Retry-After", "Content-Type", "X-Total-Count", "X-Limit")),
        st.one_of(
            values.map(lambda value: value.decode("utf-8", "surrogateescape")),
            st.sampled_from(("https://cpo.example/a", "https://emsp.example/a", '<https://cpo.example/a>; rel="next"')),
            texts.map(lambda text: f"<https://cpo.example/{text.decode('latin-1')}>; rel=next"),
        ),
        max_size=3,
    ),
)


# --- what must hold --------------------------------------------------------------------------------------------------


@pytest.mark.timeout(400)
@settings(max_examples=EXAMPLES)
@given(st.integers(0, 40), st.lists(edits, min_size=1, max_size=4), answers)
def test_p10_any_request_spoilt_in_many_places_and_any_answer_of_its_recipient(
    at: At, number: int, spoilt: list[Edit], answer: Answer
) -> None:
    call = at.calls[number % len(at.calls)]
    for edit in spoilt:
        call = edit(call)
    at.stage.recipients.answer = lambda method, url: answer
    head = call.method == b"HEAD"
    judge(at.stage.run(at.stage.ask(call.written(), head=head)), head=head, theirs=True)
    assert at.stage.said() == []


@pytest.mark.timeout(400)
@settings(max_examples=EXAMPLES)
@given(
    st.integers(0, 40),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.one_of(st.binary(max_size=20), values)), max_size=4),
    st.lists(st.floats(0, 1), max_size=3),
)
def test_p10_any_bytes_in_any_pieces_end_with_an_envelope_or_the_callers_patience(
    at: At, number: int, splices: list[tuple[float, int, bytes]], cuts: list[float]
) -> None:
    said = at.calls[number % len(at.calls)].written()
    for where, gone, more in splices:
        start = int(where * len(said))
        said = said[:start] + more + said[start + gone :]
    bounds = sorted({0, len(said), *(int(cut * len(said)) for cut in cuts)})
    pieces = [said[a:b] for a, b in pairwise(bounds)]
    at.stage.run(story(at.stage, pieces, head=said.startswith(b"HEAD")))
    assert at.stage.said() == []


async def story(at: Stage, pieces: list[bytes], *, head: bool) -> None:
    """Every answer is judged until the hub ends the connection; it ends one without an answer by its timer only."""
    line, began = at.connect(), at.loop.now
    for piece in pieces:
        line.say(piece)
    answers = 0
    while (heard := await line.hear(head=head and not answers)) is not None:
        judge(heard, head=head and not answers, theirs=True)
        answers += 1
    assert answers or at.loop.now - began >= at.settings.header_seconds


def test_and_after_all_of_it_nothing_grew(at: At) -> None:
    at.stage.run(nothing_grew(at.stage, at.tasks))
