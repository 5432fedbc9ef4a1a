"""Dead letters over the operator API: found, shown, sent again once, dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.errors import NotConnected
from connectors.values import PartyId
from routing import custody
from routing.custody import Held
from routing.deadletters import Attempted, DeadLetter, Reason
from routing.event import Event, decode
from routing.letters import of_cdr
from routing.log.port import Position, TopicPartition
from routing.store.port import CdrKey, CdrRecord
from tests.hub.operator.operating import Operating, operating
from tests.routing.events import event

CPO, EMSP = PartyId("NL", "TNM"), PartyId("DE", "EMS")
LETTER = DeadLetter(
    id="a0", at=1_790_000_000_000, reason=Reason.RESYNC, detail="it answers with errors", module="locations",
    method="PUT", path=("NL", "TNM", "L1"), owner=CPO, object_id="L1", variant="", sender=CPO, recipient=EMSP,
    platform="p", correlation_id="c", request_id="r", stood="locations-1-2-3",
    attempts=(Attempted(1_790_000_000_000, 500, 3000, "", 12, "oh no"),), version=2, size=3, body=b'{"\xff',
)  # fmt: skip
RESULT = replace(LETTER, id="a1", at=LETTER.at + 1, reason=Reason.RESULT, module="commands", method="POST", owner=None)


@pytest.fixture
async def operator() -> AsyncIterator[Operating]:
    async with operating() as made:
        for letter in (LETTER, RESULT):
            await made.hub.store.letters.put(letter)
        yield made


def published(operator: Operating) -> list[Event]:
    tps = [TopicPartition("ocpi.locations", number) for number in range(operator.log.partitions)]
    return [decode(one.headers, one.value) for tp in tps for one in operator.log._partitions[tp].records]


async def found(operator: Operating, **query: str) -> list[str]:
    status, told = await operator.call("GET", "/api/deadletters", **query)
    assert status == 200, told
    assert told["total"] == len(told["letters"]) or "limit" in query
    return [one["id"] for one in told["letters"]]


async def redrive(operator: Operating, *ids: str, once_more: bool = False) -> list[tuple[str, str]]:
    body = {"letters": list(ids), "once_more": once_more}
    status, told = await operator.call("POST", "/api/deadletters/redrive", body)
    assert status == 200, told
    return [(one["id"], one["done"]) for one in told["letters"]]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, ["a1", "a0"]),
        ({"limit": "1"}, ["a1"]),
        ({"offset": "1", "limit": "9"}, ["a0"]),
        ({"party": "de-ems", "module": "Locations"}, ["a0"]),
        ({"reason": "result"}, ["a1"]),
        ({"since": "2026-09-21T14:13:20.001Z"}, ["a1"]),
        ({"until": "2026-09-21T14:13:20.001Z", "open": "true"}, ["a0"]),
        ({"party": "FR-ABC"}, []),
    ],
)
async def test_they_are_found_by_what_is_asked_for(operator: Operating, query: dict[str, str], ids: list[str]) -> None:
    assert await found(operator, **query) == ids


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"party": "nobody"}, "party of the query"),
        ({"reason": "whim"}, "reason of the query"),
        ({"since": "yesterday"}, "since of the query is no moment"),
        ({"filter": "x"}, "filter of the query"),
    ],
)
async def test_what_cannot_be_asked_for_is_said(operator: Operating, query: dict[str, str], said: str) -> None:
    status, told = await operator.call("GET", "/api/deadletters", **query)
    assert (status, said in told["error"]) == (400, True), told


async def test_one_is_shown_whole(operator: Operating) -> None:
    status, told = await operator.call("GET", "/api/deadletters/a0")
    assert status == 200
    assert (told["from"], told["to"], told["owner"], told["exchange"]) == (
        "NL-TNM", "DE-EMS", "NL-TNM", "locations-1-2-3",
    )  # fmt: skip
    assert told["tried"] == [
        {
            "at": "2026-09-21T14:13:20.000Z", "http_status": 500, "status_code": 3000, "reason": "", "ms": 12,
            "answer": "oh no",
        }
    ]  # fmt: skip
    assert (told["again"], told["bytes"], told["body"]) == (None, 3, '{"\\xff')
    status, told = await operator.call("GET", "/api/deadletters/a9")
    assert (status, "deadletter list tells" in told["error"]) == (404, True)


async def test_what_is_sent_again_is_one_event_however_often_it_is_said(operator: Operating) -> None:
    assert await redrive(operator, "a0", "a1", "a9") == [("a0", "redriven"), ("a1", "refused"), ("a9", "gone")]
    assert await redrive(operator, "a0") == [("a0", "already")]
    (event,) = published(operator)
    assert (event.again, event.audience, event.payload, event.key) == (
        ("a0", 2), EMSP, b"", b"NL*TNM/locations/L1",
    )  # fmt: skip
    assert await found(operator, open="true") == ["a1"]
    assert await redrive(operator, "a0", once_more=True) == [("a0", "redriven")]
    assert len(published(operator)) == 2


async def test_what_the_log_does_not_take_is_not_noted_as_sent(operator: Operating) -> None:
    await operator.log.close()
    status, told = await operator.call("POST", "/api/deadletters/redrive", {"letters": ["a0"]})
    assert (status, "repeat it" in told["error"]) == (503, True)
    await operator.log.start()
    assert await redrive(operator, "a0") == [("a0", "redriven")]


async def test_what_is_dropped_is_gone(operator: Operating) -> None:
    for done in ("dropped", "gone"):
        status, told = await operator.call("POST", "/api/deadletters/drop", {"letters": ["a1"]})
        assert (status, [one["done"] for one in told["letters"]]) == (200, [done])
    assert await found(operator) == ["a0"]
    assert published(operator) == []


@pytest.mark.parametrize("body", [{"letters": []}, {"letters": ["a"] * 101}, {}, {"letters": ["a"], "colour": 1}])
async def test_a_body_that_is_none_is_refused(operator: Operating, body: Any) -> None:
    assert (await operator.call("POST", "/api/deadletters/redrive", body))[0] == 400


@pytest.mark.parametrize("again", [False, True])
async def test_a_cdr_whose_letter_is_dropped_waits_for_nobody_unless_it_goes_on(
    operator: Operating, again: bool
) -> None:
    store = operator.hub.store
    pushed = event("POST", module="cdrs", object_id="C1", path=(), audience=EMSP)
    tried = custody.never_begun(1, NotConnected("nobody there"))
    held = custody.taken(pushed, 3, 1000, 0.5, tried)
    record = CdrRecord(CdrKey(pushed.owner, "C1", EMSP), b"{}", Position(1, 5), 1000, custody=held)
    parked = replace(record, custody=custody.parked(held, tried))
    assert parked.custody is not None
    letter = of_cdr(record, parked.custody, Reason.UNKNOWN, "why", now=1000, platform="p")
    await store.write_cdr(record)
    await store.step_cdr(parked)
    await store.letters.put(letter)
    if again:
        await store.step_cdr(replace(parked, custody=custody.anew(parked.custody, 2000)))
    status, told = await operator.call("POST", "/api/deadletters/drop", {"letters": [letter.id]})
    assert (status, told["letters"][0]["done"]) == (200, "dropped")
    assert [one.held for one in await store.count_custody()] == ([Held.WAITING] if again else [])
