"""What becomes of a CDR in custody: when it is tried, what an answer means, and how it stands in a store. Pure."""

from __future__ import annotations

from dataclasses import replace

import pytest
from multidict import CIMultiDict

from connectors.errors import HubError, NotConnected, OcpiError, OutcomeUnknown
from connectors.values import PartyId
from routing import cdrs, custody, letters
from routing.custody import KEPT_MS, PAUSES, Came, Custody, Held
from routing.deadletters import Attempted, Reason
from routing.log.port import Position
from routing.outbound import Answered, NoEnvelope
from routing.store.port import CdrKey, CdrRecord
from tests.routing.events import CPO, EMSP, event

POSTED = event("POST", {"id": "C1"}, module="cdrs", object_id="C1", path=(), audience=EMSP)
TRIED = Attempted(5, 0, 4003, "refused")


def taken(now: int = 1000) -> Custody:
    return custody.taken(POSTED, 3, now, 0.5, TRIED)


def answer(http_status: int, status_code: int, **headers: str) -> Answered:
    return Answered(http_status, status_code, CIMultiDict(headers), b"{}", 1.0)


def record(held: Custody | None, status_code: int | None = None) -> CdrRecord:
    return CdrRecord(CdrKey(CPO, "C1", EMSP), POSTED.payload, Position(1, 9), 0, None, status_code, custody=held)


def test_it_is_tried_over_seven_days_ever_more_rarely_and_never_after_its_end() -> None:
    held, now, pauses = taken(0), 0, []
    while now < KEPT_MS:
        assert held.due is not None
        pauses.append((held.due - now) // 1000)
        now = held.due
        held = custody.waits(custody.attempting(held, now, "x"), now, 0.5, None, TRIED)
    assert now == KEPT_MS
    assert pauses[: len(PAUSES)] == list(PAUSES)
    assert set(pauses[len(PAUSES) : -1]) == {PAUSES[-1]}
    assert 30 < len(pauses) < 50


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 8), (0.5, 10), (0.999999, 12)])
def test_jitter_spreads_the_pauses_by_a_fifth_both_ways(jitter: float, seconds: int) -> None:
    due = custody.next_due(taken(0), 0, jitter)
    assert abs(due - seconds * 1000) <= 1


@pytest.mark.parametrize(("asked", "seconds"), [(1.0, 10), (100.0, 100), (10.0**9, PAUSES[-1])])
def test_what_the_recipient_asks_for_is_given_to_it_within_bounds(asked: float, seconds: int) -> None:
    assert custody.next_due(taken(0), 0, 0.5, asked) == seconds * 1000


@pytest.mark.parametrize(
    ("result", "came"),
    [
        (answer(201, 1000), Came.TAKEN),
        (answer(500, 1000), Came.TAKEN),  # it says so, and it must not be that it is sent twice
        (answer(200, 2001), Came.REFUSED),
        (answer(404, 2003), Came.REFUSED),
        (answer(200, 3000), Came.LATER),
        (answer(503, 3000), Came.LATER),
        (answer(429, 2000), Came.LATER),
        (NoEnvelope("", 401, b""), Came.LATER),
        (NoEnvelope("", 503, b"<html>"), Came.LATER),
        (NoEnvelope("", 502, b"<html>"), Came.UNKNOWN),
        (NoEnvelope("", 200, b""), Came.UNKNOWN),
        (OutcomeUnknown("cut"), Came.UNKNOWN),
        (NotConnected("refused"), Came.NOTHING),
        (HubError("it offers no cdrs"), Came.NOTHING),
    ],
)
def test_p5_only_what_says_by_itself_that_nothing_was_taken_is_tried_again(
    result: Answered | OcpiError, came: Came
) -> None:
    assert custody.came(result) is came


def test_each_change_is_a_turn_of_its_own() -> None:
    held = taken()
    changes = [
        custody.attempting(held, 5, "x"), custody.unsent(held, 5), custody.waits(held, 5, 0.5, None, TRIED),
        custody.parked(held, TRIED), custody.given_up(held), custody.over(held, TRIED), custody.anew(held, 5),
        custody.moved(held, 7),
    ]  # fmt: skip
    assert {one.turn for one in changes} == {held.turn + 1}
    assert [one.held for one in changes if one.due is None] == [Held.PARKED, Held.GIVEN_UP, Held.ENDED]


def test_it_comes_back_from_a_store_as_it_was_and_is_the_event_that_it_was() -> None:
    held = custody.parked(custody.attempting(taken(), 7, "by"), Attempted(7, 502, 4000, "ü", 3, "<html>"))
    assert custody.decode(custody.encode(held)) == held
    assert custody.decode(None) is None
    again = custody.event_of(held, CPO, EMSP, "cdrs", POSTED.payload)
    assert again == replace(POSTED, deadline=None, reply_to=None, expires=0, revision=0)


@pytest.mark.parametrize("held", [taken(), custody.attempting(taken(), 5, "x")])
def test_p5_posted_again_while_the_hub_holds_it_nothing_is_sent(held: Custody) -> None:
    assert cdrs.decide(record(held), POSTED.payload) == cdrs.InCustody(record(held))
    assert isinstance(cdrs.decide(record(held), b'{"id":"C1","more":1}'), cdrs.Contradiction)


def test_p5_of_one_whose_outcome_is_unknown_its_sender_decides_but_not_what_it_is() -> None:
    parked = record(custody.parked(taken(), TRIED))
    assert cdrs.decide(parked, POSTED.payload) == cdrs.Attempt()
    assert isinstance(cdrs.decide(parked, b'{"id":"C1","more":1}'), cdrs.Contradiction)


@pytest.mark.parametrize(
    ("before", "decision"),
    [
        (record(custody.given_up(taken())), cdrs.Attempt),
        (record(custody.over(taken(), TRIED), 2001), cdrs.Attempt),
        (record(custody.over(taken(), TRIED), 1000), cdrs.Repetition),
    ],
)
def test_p5_once_custody_has_ended_it_is_as_with_any_other(before: CdrRecord, decision: type[object]) -> None:
    assert isinstance(cdrs.decide(before, POSTED.payload), decision)


def test_a_letter_names_the_cdr_as_it_was_taken() -> None:
    after = custody.parked(taken(), TRIED)
    letter = letters.of_cdr(record(taken()), after, Reason.UNKNOWN, "why", now=99, platform="p")
    assert (letter.version, letter.body, letter.stood) == (after.turn, POSTED.payload, "cdrs-3-1-9")
    assert letters.of_cdr(record(after), after, Reason.CUSTODY, "", now=1, platform="").id == letter.id
    again = replace(record(after), position=Position(1, 10))
    assert letters.id_of_cdr(again) == letter.id, "posted again without an outcome it is as it was"
    other = record(replace(after, event="another"))
    assert letters.id_of_cdr(other) != letter.id
    assert PartyId.parse(str(letter.recipient)) == EMSP
