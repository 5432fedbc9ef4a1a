"""What is kept of an attempt and of a letter, and how it stands in a store."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from connectors.errors import NotConnected, OutcomeUnknown
from connectors.values import PartyId
from routing import again, deadletters
from routing.deadletters import ANSWER_BYTES, MOST_ATTEMPTS, Attempted, DeadLetter, Reason, attempted, bounded, id_of
from routing.event import AGAIN_TYPE, Operation, decode, encode
from routing.outbound import Answered, NoEnvelope

CPO, EMSP = PartyId("NL", "TNM"), PartyId("DE", "EMS")


def letter(reason: Reason = Reason.RESYNC) -> DeadLetter:
    return DeadLetter(
        id="a", at=5, reason=reason, detail="", module="tokens", method="PUT", path=("DE", "EMS", "T1"), owner=EMSP,
        object_id="T1", variant="RFID", sender=EMSP, recipient=CPO, platform="p", correlation_id="c", version=7,
    )  # fmt: skip


def answer(body: bytes, *, echoes: bool = False) -> Answered:
    return Answered(503, 3000, CIMultiDict(), body, 12.7, echoes)


def test_of_an_answer_its_first_bytes_are_kept() -> None:
    assert attempted(5, answer(b"x" * 9999), 99) == Attempted(5, 503, 3000, "", 12, "x" * ANSWER_BYTES)
    assert attempted(5, answer(b"\xff{"), 99).answer == "�{"


def test_nothing_is_kept_of_an_answer_in_which_the_credential_stands() -> None:
    assert attempted(5, answer(b"Token secret", echoes=True), 99).answer == ""


def test_what_was_no_answer_of_ocpi_is_kept_with_its_status() -> None:
    html = NoEnvelope("it answered HTTP 502 with HTML", 502, b"<html>")
    assert attempted(5, html, 25) == Attempted(5, 502, 4000, html.message, 20, "<html>")


@pytest.mark.parametrize(("error", "code"), [(NotConnected("away"), 4003), (OutcomeUnknown("cut"), 4002)])
def test_where_no_answer_came_the_hubs_own_words_are_kept(error: NotConnected, code: int) -> None:
    assert attempted(5, error, 4) == Attempted(5, 0, code, error.message, 0, "")


def test_of_many_attempts_the_first_and_the_newest_are_kept() -> None:
    many = [Attempted(n, 0, 4003) for n in range(MOST_ATTEMPTS * 3)]
    kept = bounded(many)
    assert len(kept) == MOST_ATTEMPTS
    assert (kept[0].at, kept[-1].at) == (0, MOST_ATTEMPTS * 3 - 1)
    assert bounded(many[:3]) == tuple(many[:3])


def test_an_id_is_the_same_for_the_same_thing_and_for_nothing_else() -> None:
    assert id_of("cdr", "a", 1) == id_of("cdr", "a", "1")
    assert id_of("cdr", "a", 1) != id_of("cdr", "a1", "")
    assert len(id_of("\udcff")) == 32


def test_a_result_cannot_be_sent_again_and_everything_else_can() -> None:
    assert {reason: letter(reason).again is None for reason in Reason} == {
        Reason.RESULT: False, Reason.RESYNC: True, Reason.CUSTODY: True, Reason.UNKNOWN: True,
    }  # fmt: skip
    assert deadletters.party_of(deadletters.party_text(None)) is None


def test_what_sends_a_letter_again_names_it_and_stands_in_the_order_of_its_object() -> None:
    event = again.event_of(letter(), id="e", now=1000, within=30, revision=4)
    assert (event.again, event.expires, event.audience, event.payload) == (("a", 7), 1030, CPO, b"")
    assert (event.topic, event.key, event.operation) == ("ocpi.tokens", b"DE*EMS/tokens/T1", Operation.PUT)
    headers = tuple(encode(event))
    assert dict(headers)["ce_type"] == AGAIN_TYPE.encode()
    assert decode(headers, b"") == event
