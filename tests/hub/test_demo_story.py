"""Stories told from single calls, and what a call says it is about."""

from __future__ import annotations

import pytest

from connectors.sample.facts import facts
from connectors.sample.record import Call
from hub.demo.board import Board
from hub.demo.story import Stories, Story

URL = "/ocpi/2.2.1/receiver"


def call(module: str, method: str = "POST", *, direction: str = "out", ocpi: int | None = 1000, **about: str) -> Call:
    return Call(direction, "NL-TNM", "DE-EMS", module, "", method, "/", 200, ocpi, 1.5, about)


def tell(stories: Stories, *calls: Call) -> Story | None:
    story = None
    for one in calls:
        story = stories.hear(one)
    return story


def test_a_story_is_told_once_though_both_ends_are_heard() -> None:
    stories = Stories()
    both = ("in", "out")
    story = tell(
        stories,
        call("locations", "PUT", id="L1", place="Lyon"),
        *(
            call("tokens", direction=way, what="authorize", result="ALLOWED", reference="R", location="L1")
            for way in both
        ),
        *(call("sessions", "PUT", direction=way, result="ACTIVE", session="S", reference="R", kwh="0") for way in both),
        *(call("sessions", "PATCH", direction=way, session="S", kwh="9.5") for way in both),
        *(call("sessions", "PATCH", direction=way, session="S", kwh="12", result="COMPLETED") for way in both),
        *(call("cdrs", direction=way, session="S", cost="4.5", currency="EUR") for way in both),
    )
    assert story is not None
    assert story.done
    assert stories.finished == 1
    assert story.told() == ("#1 Lyon, plugged in: authorised > session > 1 update, 12.0 kWh > completed > CDR 4.50 EUR")


def test_a_result_is_found_by_its_response_url_and_a_refusal_is_told() -> None:
    stories = Stories()
    story = tell(
        stories,
        call("commands", what="START_SESSION", result="ACCEPTED", reference="R", callback="C"),
        call("commands", direction="in", what="START_SESSION result", result="ACCEPTED", callback="C"),
        call("sessions", "PUT", ocpi=4003, what="session", session="S", reference="R"),
    )
    assert story is not None
    assert story.told() == "#1, by app: START_SESSION > its result > session answered 4003"
    assert tell(stories, call("tokens", what="authorize", result="BLOCKED")) is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            facts(
                "tokens", "POST", f"{URL}/tokens/T1/authorize?type=RFID", {"location_id": "L1"}, {"allowed": "BLOCKED"}
            ),
            {"what": "authorize", "result": "BLOCKED", "location": "L1"},
        ),
        (
            facts("sessions", "PATCH", f"{URL}/sessions/NL/TNM/S1", {"kwh": 1.5}, None),
            {"what": "session", "session": "S1", "kwh": "1.5"},
        ),
        (
            facts("commands", "POST", f"{URL}/commands/START_SESSION/abc", {"result": "ACCEPTED"}, None),
            {"what": "START_SESSION result", "result": "ACCEPTED", "callback": "abc"},
        ),
        (facts("cdrs", "POST", f"{URL}/cdrs", b"bytes", [1]), {}),
        (facts("", "GET", "", None, None), {}),
    ],
)
def test_what_a_call_is_about(found: dict[str, str], expected: dict[str, str]) -> None:
    assert found == expected


def test_a_line_is_read_back_and_anything_else_is_none() -> None:
    one = call("tokens", what="authorize")
    assert Call.read(one.line()) == one
    assert [Call.read(line) for line in ("", "{}", "[1]", "null", '{"from": "X", "other": 1}')] == [None] * 5


def test_the_board_keeps_troubles_only() -> None:
    board = Board("NL-HUB")
    board.warn("hub", '{"event": "serving", "level": "info"}')
    board.warn("hub", '{"event": "relay_failed", "level": "warning", "party": "DE-EMS"}')
    board.warn("hub", "a word of the interpreter")
    assert list(board.warnings) == ["hub: relay_failed party=DE-EMS", "hub: a word of the interpreter"]
