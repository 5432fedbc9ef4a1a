"""What was read from an owner, laid into object state: never over something newer, no position moves for nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from routing.event import Event
from routing.log.port import Position
from routing.pulled import after_pull, needs_later, stored
from routing.state import ObjectState, after
from tests.routing.events import at, event

READ = at(10)
LATE = at(20)


def read(body: Any, operation: str = "PUT") -> Event:
    return event(operation, body, read=READ)


def pushed(*events: tuple[Event, Position]) -> ObjectState | None:
    state: ObjectState | None = None
    for one, position in events:
        state = after(state, one, position, audience=None, last_updated=one.last_updated)
    return state


def pulled(before: ObjectState | None, body: Any, *later: tuple[Event, Position]) -> ObjectState | None:
    return after_pull(before, read(body), LATE, later)


def body(state: ObjectState | None) -> Any:
    assert state is not None and state.body is not None
    return orjson.loads(state.body)


def test_an_object_that_nobody_knew_is_whole_from_now_on() -> None:
    state = pulled(None, {"id": "L1", "publish": True})
    assert state is not None and (state.position, state.base) == (LATE, READ)
    assert body(state) == {"id": "L1", "publish": True} and not state.unpublished and not state.composed
    hidden = pulled(None, {"id": "L1", "publish": False})
    assert hidden is not None and hidden.unpublished


def test_what_is_the_same_moves_no_position_however_it_is_written() -> None:
    before = pushed((event("PUT", b'{"id": "L1",  "n": 1.10}'), at(5)))
    assert pulled(before, {"n": 1.1, "id": "L1"}) is None


def test_what_differs_moves_the_position() -> None:
    before = pushed((event("PUT", {"id": "L1", "n": 1}), at(5)))
    state = pulled(before, {"id": "L1", "n": 2})
    assert state is not None and state.position == LATE and body(state)["n"] == 2


def test_a_put_that_came_in_since_stands() -> None:
    before = pushed((event("PUT", {"id": "L1", "n": 3}), at(12)))
    assert pulled(before, {"id": "L1", "n": 2}) is None
    part = (event("PATCH", {"n": 4}), at(13))
    assert pulled(pushed((event("PUT", {"id": "L1", "n": 3}), at(12)), part), {"id": "L1", "n": 2}) is None


def test_a_delete_that_came_in_since_stands() -> None:
    before = pushed((event("DELETE"), at(12)))
    assert pulled(before, {"id": "L1"}) is None


def test_a_part_that_came_in_since_is_laid_over_what_was_read() -> None:
    late = (event("PATCH", {"n": 4, "last_updated": "2026-02-02T00:00:00Z"}), at(13))
    late = (replace(late[0], last_updated="2026-02-02T00:00:00Z"), late[1])
    before = pushed((event("PUT", {"id": "L1", "n": 1, "m": 1}), at(5)), (event("PATCH", {"m": 2}), at(7)), late)
    assert needs_later(before, read({}))
    state = pulled(before, {"id": "L1", "n": 2, "m": 3}, late)
    assert body(state) == {"id": "L1", "n": 4, "m": 3, "last_updated": "2026-02-02T00:00:00Z"}
    assert state is not None and (state.position, state.base) == (LATE, READ)
    assert state.last_updated == "2026-02-02T00:00:00Z"


def test_where_nobody_can_say_what_came_in_since_nothing_is_changed() -> None:
    before = pushed((event("PUT", {"id": "L1", "n": 1}), at(5)), (event("PATCH", {"n": 4}), at(13)))
    assert after_pull(before, read({"id": "L1", "n": 2}), LATE, None) is None


def test_parts_without_a_base_get_one() -> None:
    early = pushed((event("PATCH", {"n": 1}), at(5)))
    assert body(pulled(early, {"id": "L1", "n": 2})) == {"id": "L1", "n": 2}
    late = (event("PATCH", {"n": 4}), at(13))
    state = pulled(pushed(late), {"id": "L1", "n": 2}, late)
    assert body(state) == {"id": "L1", "n": 4} and state is not None and not state.parts


def test_what_a_whole_list_has_no_more_becomes_a_tombstone_unless_it_came_in_since() -> None:
    gone = read(None, "DELETE")
    state = after_pull(pushed((event("PUT", {"id": "L1"}), at(5))), gone, LATE, ())
    assert state is not None and state.deleted and state.position == LATE
    assert after_pull(pushed((event("PUT", {"id": "L1"}), at(12))), gone, LATE, ()) is None
    assert after_pull(pushed((event("PATCH", {"n": 1}), at(12))), gone, LATE, ()) is None
    assert after_pull(None, gone, LATE, ()) is None
    assert after_pull(state, gone, at(21), ()) is None


def test_an_object_that_is_back_is_no_tombstone_any_more() -> None:
    assert body(pulled(pushed((event("DELETE"), at(5))), {"id": "L1"})) == {"id": "L1"}


def test_read_again_after_a_kill_nothing_changes() -> None:
    state = pulled(None, {"id": "L1", "n": 1})
    assert pulled(state, {"id": "L1", "n": 1}) is None
    newer = after(state, event("PATCH", {"n": 2}), at(25), audience=None)
    assert pulled(newer, {"id": "L1", "n": 1}) is None


def test_it_is_seen_from_outside_whether_what_was_read_is_there() -> None:
    whole = pushed((event("PUT", {"id": "L1"}), at(5)))
    assert stored(whole, READ) and stored(pushed((event("DELETE"), at(12))), READ)
    assert not stored(None, READ)
    assert not stored(pushed((event("DELETE"), at(5))), READ)
    assert not stored(pushed((event("PATCH", {"n": 1}), at(12))), READ)
