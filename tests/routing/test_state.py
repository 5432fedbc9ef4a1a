"""Object state: the newest PUT as received, with what came since laid over it; without a base, the parts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing.event import Event, Operation
from routing.log.port import Position
from routing.state import ObjectState, after, key_of, needs_base, requests, unpublished, whole_for
from tests.routing.events import EMSP, at, event


def grown(*events: Event) -> ObjectState:
    state: ObjectState | None = None
    for offset, one in enumerate(events, 1):
        state = after(state, one, at(offset), audience=None)
    assert state is not None
    return state


def test_a_put_is_kept_as_it_was_received() -> None:
    body = b'{ "id": "L1",  "x": 1.10 }'
    state = grown(event("PUT", body))
    assert (state.body, state.composed, state.base, state.position) == (body, False, at(1), at(1))


def test_a_patch_is_laid_over_with_every_digit_kept() -> None:
    state = grown(event("PUT", b'{"id":"L1","x":1.10}'), event("PATCH", b'{"y":2.00}'))
    assert (state.body, state.composed, state.base) == (b'{"id":"L1","x":1.10,"y":2.00}', True, at(1))


def test_without_a_base_the_parts_stand_alone_oldest_first() -> None:
    state = grown(event("PATCH", {"s": 1}, "E1"), event("PATCH", {"s": 2}, "E2"), event("PATCH", {"t": 3}, "E1"))
    assert state.body is None
    assert [part.path for part in state.parts] == [("E2",), ("E1",)]
    assert [request.operation for request in requests(state)] == [Operation.PATCH, Operation.PATCH]


def test_a_put_after_parts_forgets_them() -> None:
    state = grown(event("PATCH", {"s": 1}, "E1"), event("PUT", {"id": "L1"}))
    assert state.parts == ()


def test_a_part_that_its_whole_does_not_have_is_forgotten_once_it_is_put() -> None:
    known = event("PUT", {"id": "L1", "evses": []}), event("PATCH", {"s": 1}, "E1"), event("PATCH", {"s": 2}, "E2")
    state = grown(*known, event("PUT", {"uid": "E1", "s": 3}, "E1"))
    assert state.body == b'{"id":"L1","evses":[{"uid":"E1","s":3}]}'
    assert [part.path for part in state.parts] == [("E2",)], "what is older than the body is not sent after it"


def test_a_delete_leaves_a_tombstone_and_a_patch_after_it_has_no_base() -> None:
    gone = grown(event("PUT", {"id": "L1"}), event("DELETE"))
    assert gone.deleted
    assert [request.operation for request in requests(gone)] == [Operation.DELETE]
    patched = after(gone, event("PATCH", {"a": 1}), at(3), audience=None)
    assert (patched.deleted, patched.body, len(patched.parts)) == (False, None, 1)


def test_only_patches_and_parts_need_what_was_there_before() -> None:
    assert not needs_base(event("PUT", {"id": "L1"}))
    assert not needs_base(event("DELETE"))
    assert needs_base(event("PATCH", {"a": 1}))
    assert needs_base(event("PUT", {"uid": "E1"}, "E1"))


def test_ids_are_compared_without_case() -> None:
    assert key_of(event("PUT", object_id="abc"), None) == key_of(event("PUT", object_id="ABC"), None)


def test_the_whole_of_everybody_is_not_for_one_who_was_told_something_newer_than_its_base() -> None:
    everybody = grown(event("PUT", {"id": "L1"}), event("PATCH", {"a": 1}))
    mine = replace(everybody, key=key_of(event("PUT"), EMSP), position=Position(1, 1))
    assert whole_for(everybody, None) is not None
    assert whole_for(everybody, replace(mine, position=at(0))) is not None
    assert whole_for(everybody, replace(mine, position=at(2))) is None
    assert whole_for(grown(event("PATCH", {"a": 1})), None) is None


def test_p2_what_one_was_told_while_the_owner_was_asked_is_not_taken_back_by_its_answer() -> None:
    end = at(5)  # of the partition when the owner was asked: the next record stands just there
    answer = ObjectState(key_of(event("PUT"), None), at(6), "2.2.1", body=b'{"id":"L1"}', base=end)
    mine = ObjectState(key_of(event("PUT"), EMSP), end, "2.2.1", body=b'{"id":"L1","a":1}')
    assert whole_for(answer, mine) is None
    assert whole_for(answer, replace(mine, position=at(4))) is not None


def test_what_one_refused_keeps_the_whole_from_nobody_but_what_it_may_have_taken_does() -> None:
    everybody = grown(event("PUT", {"id": "L1"}), event("PATCH", {"a": 1}))
    refused = ObjectState(key_of(event("PUT"), EMSP), at(2), "2.2.1")
    assert whole_for(everybody, refused) is not None
    assert whole_for(everybody, replace(refused, unconfirmed=True)) is None


@pytest.mark.parametrize(
    ("body", "hidden"),
    [
        (b'{"publish":true}', False),
        (b'{"publish" :\n true}', False),
        (b'{"publish":false}', True),
        (b'{"publish" : false}', True),
        (b'{"pub\\u006cish":false}', True),
        (b'{"own":{"publish":true},"publish":false}', True),
        (b'{"own":{"publish":false},"publish":true}', False),
        (b'{"own":{"publish":true}}', False),
        (b'{"name":"\\"publish\\":true","publish":false}', True),
        (b'{"publish":null}', False),
        (b"{}", False),
        (b"[]", True),
        (b'{"publish":false', True),
    ],
)
def test_a_location_with_publish_false_is_not_published_however_that_is_written(body: bytes, hidden: bool) -> None:
    assert unpublished("locations", body) is hidden
    assert not unpublished("tariffs", body)


def test_whether_a_location_is_published_follows_its_puts_and_patches() -> None:
    put, hide, show = ({"id": "L1", "publish": False}, {"publish": False}, {"publish": True})
    assert grown(event("PUT", put)).unpublished
    assert not grown(event("PUT", put), event("PATCH", show)).unpublished
    assert grown(event("PUT", {"publish": True}), event("PATCH", hide)).unpublished
    assert grown(event("PUT", put), event("PATCH", {"name": "n"})).unpublished
    assert grown(event("PUT", put), event("PATCH", {"status": "CHARGING"}, "E1")).unpublished
    assert not grown(event("PUT", put), event("DELETE")).unpublished
