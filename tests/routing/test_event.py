"""An event survives the log: every field comes back, and what is no event is set aside with a reason."""

from __future__ import annotations

import pytest

from routing.event import Event, Poison, decode, encode
from routing.log.port import ReplyTo
from tests.routing.events import EMSP, event

DIRECTED = event(
    "PATCH", {"kwh": 1}, module="sessions", object_id="a/b %*", path=("NL", "TNM", "a/b %*"), audience=EMSP, deadline=9,
    reply_to=ReplyTo("edge", 3), appends=True, findings=("$.a: off", "$.b: off"),
    query="type=RFID", variant="RFID", last_updated="x",
)  # fmt: skip


@pytest.mark.parametrize("one", [event("PUT", {"id": "L1"}), event("DELETE"), DIRECTED])
def test_what_is_encoded_is_decoded(one: Event) -> None:
    assert decode(tuple(encode(one)), one.payload) == one


def test_a_reader_in_the_same_process_gets_the_event_itself() -> None:
    assert decode(encode(DIRECTED), DIRECTED.payload) is DIRECTED
    assert decode(encode(DIRECTED), b"{}").payload == b"{}"


def test_the_key_is_owner_module_and_object_in_upper_case() -> None:
    assert event("PUT", object_id="loc1").key == b"NL*TNM/locations/LOC1"


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("ce_type", b"org.ocpi-hub.push.v2"),),
        (("ce_type", b"org.ocpi-hub.push.v1"),),
        (("ce_type", b"org.ocpi-hub.push.v1"), ("ce_id", b"x"), ("ce_ocpihub", b"{}")),
        (("ce_type", b"org.ocpi-hub.push.v1"), ("ce_id", b"x"), ("ce_ocpihub", b"\xff")),
    ],
)
def test_what_is_no_event_is_poison_with_a_reason(headers: tuple[tuple[str, bytes], ...]) -> None:
    with pytest.raises(Poison, match=r"\w"):
        decode(headers, b"")
