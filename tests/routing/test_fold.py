"""Folding leaves the sender's own last state, in as few requests as may be, and keeps every digit."""

from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from routing.event import Operation
from routing.fold import Request, fold, fold_all, request_of
from tests.routing.events import at, event
from tests.witnesses import apply


def asked(operation: str, payload: Any, *below: str, offset: int = 1) -> Request:
    return request_of(event(operation, payload, *below), at(offset))


def test_a_single_request_goes_out_as_it_came() -> None:
    body = b'{ "id":"L1", "x": 1.10 }'
    assert fold((), asked("PUT", body)) == (Request(Operation.PUT, (), body, at(1)),)


def test_a_whole_put_replaces_what_waits() -> None:
    waiting = (asked("PUT", {"id": "L1"}), asked("PATCH", {"status": "X"}, "E1", offset=2))
    assert fold(waiting, asked("PUT", b'{"id":"L1","name":"n"}', offset=3)) == (
        asked("PUT", b'{"id":"L1","name":"n"}', offset=3),
    )


def test_a_deleted_tariff_is_one_delete() -> None:
    folded = fold((asked("PUT", {"id": "L1"}),), asked("DELETE", None, offset=2))
    assert [(r.operation, r.body) for r in folded] == [(Operation.DELETE, b"")]


def test_patches_of_one_level_fold_field_by_field_and_stay_a_patch() -> None:
    (one,) = fold((asked("PATCH", b'{"a":1.10,"b":2}'),), asked("PATCH", b'{"b":3.00,"c":4}', offset=2))
    assert (one.operation, one.body, one.composed, one.position) == (
        Operation.PATCH, b'{"a":1.10,"b":3.00,"c":4}', True, at(2),
    )  # fmt: skip


def test_a_patch_is_laid_into_the_put_that_waits_above_it_and_the_parent_takes_its_last_updated() -> None:
    put = asked("PUT", b'{"id":"L1","n":0.1234567890123456789012,"evses":[{"uid":"E1","s":"A"}],"last_updated":"1"}')
    (one,) = fold((put,), asked("PATCH", b'{"s":"B","last_updated":"2"}', "e1", offset=2))
    assert one.body == (
        b'{"id":"L1","n":0.1234567890123456789012,"evses":[{"uid":"E1","s":"B","last_updated":"2"}],"last_updated":"2"}'
    )


def test_a_new_evse_is_added_to_the_put_that_waits() -> None:
    (one,) = fold((asked("PUT", {"id": "L1"}),), asked("PUT", {"uid": "E9", "last_updated": "2"}, "E9", offset=2))
    assert json.loads(one.body)["evses"] == [{"uid": "E9", "last_updated": "2"}]


def test_a_patch_of_an_evse_that_the_put_does_not_have_stands_beside_it() -> None:
    put, patch = asked("PUT", {"id": "L1", "evses": []}), asked("PATCH", {"s": "B"}, "E1", offset=2)
    assert fold((put,), patch) == (put, patch)


def test_what_was_folded_stands_last_so_that_positions_grow() -> None:
    waiting = fold_all(
        (),
        (
            asked("PATCH", {"s": 1}, "E1"),
            asked("PATCH", {"s": 2}, "E2", offset=2),
            asked("PATCH", {"t": 3}, "E1", offset=3),
        ),
    )
    assert [(r.path, r.position) for r in waiting] == [(("E2",), at(2)), (("E1",), at(3))]


def test_a_patch_that_replaces_the_list_of_children_removes_what_waits_below() -> None:
    waiting = (asked("PATCH", {"s": 1}, "E1"),)
    patch = asked("PATCH", {"evses": []}, offset=2)
    assert fold(waiting, patch) == (patch,)


def test_session_periods_are_appended_not_replaced() -> None:
    put = asked("PUT", b'{"id":"S1","charging_periods":[1.0]}')
    (one,) = fold((put,), asked("PATCH", b'{"charging_periods":[2.50]}', offset=2))
    assert one.body == b'{"id":"S1","charging_periods":[1.0,2.50]}'


# --- the law: folded or not, a recipient ends with the same object ---------------------------------------------------

_VALUES = st.integers(0, 9)
_FIELDS = st.dictionaries(st.sampled_from("abc"), _VALUES, max_size=2)


@st.composite
def stories(draw: st.DrawFn) -> list[Request]:
    told: list[Request] = []
    for offset in range(draw(st.integers(1, 8))):
        stamp = {"last_updated": str(offset)}
        kind = draw(st.sampled_from(["whole", "fields", "evse", "evse fields"]))
        uid = draw(st.sampled_from(["E1", "E2"]))
        fields = draw(_FIELDS) | stamp
        if kind == "whole":
            evses = [{"uid": uid, **draw(_FIELDS), **stamp} for uid in ("E1", "E2")]
            told.append(asked("PUT", {"id": "L1", "evses": evses, **fields}, offset=offset))
        elif kind == "fields":
            told.append(asked("PATCH", fields, offset=offset))
        elif kind == "evse":
            told.append(asked("PUT", {"uid": uid, **fields}, uid, offset=offset))
        else:
            told.append(asked("PATCH", fields, uid, offset=offset))
    return told


def _held(requests: list[Request] | tuple[Request, ...], before: dict[str, Any]) -> dict[str, Any]:
    objects = {("locations", "L1"): json.loads(json.dumps(before))}
    for request in requests:
        apply(objects, ("locations", "L1"), request.operation, request.path, request.body)
    held: dict[str, Any] = objects["locations", "L1"]
    return held


@given(stories())
def test_folded_or_not_a_recipient_ends_with_the_same_object(told: list[Request]) -> None:
    before = {"id": "L1", "evses": [{"uid": "E1"}, {"uid": "E2"}]}
    folded = fold_all((), told)
    assert _held(folded, before) == _held(told, before)
    assert [r.position for r in folded] == sorted(r.position for r in folded)
    assert max(r.position for r in folded) == told[-1].position


@given(st.text("0123456789", min_size=1, max_size=30), st.text("0123456789", min_size=1, max_size=30))
def test_every_digit_is_kept(whole: str, fraction: str) -> None:
    number = f"{int(whole)}.{fraction}".encode()
    (one,) = fold((asked("PUT", b'{"x":%b}' % number),), asked("PATCH", b'{"y":%b}' % number, offset=2))
    assert one.body == b'{"x":%b,"y":%b}' % (number, number)
    assert orjson.loads(one.body)
