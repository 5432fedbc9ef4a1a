"""Lists of states: whose, in which order, of which dates, and how much at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.values import PartyId
from routing.state import Part, StateKey
from routing.store.codec import state_key, state_key_of
from routing.store.port import LIST_BYTES, StateCount, Store
from tests.contract.store.stored import CPO, EMSP, KEY, LOCATIONS, OTHER, Harness, ids, located, state


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_a_list_has_the_states_of_its_owners_module_and_audience_in_order_of_their_keys(
    store: Store, limit: int
) -> None:
    wanted = ["A", "A\0B", "AA", "B", "LONGER", "Z", "\u00e9", "\udcff"]
    others = (
        located("B", EMSP), located("B", PartyId("NL", "TNN")), located("B", audience=EMSP),
        state(1, key=KEY._replace(module="tariffs", object_id="B")),
    )  # fmt: skip
    await store.write_states([*(located(id) for id in reversed(wanted)), *others, located("C", OTHER)])
    assert await ids(store, limit=limit) == ["C", *wanted]
    assert await ids(store, replace(LOCATIONS, owners=(CPO,)), limit=limit) == wanted
    assert await ids(store, replace(LOCATIONS, audience=EMSP), limit=limit) == ["B"]
    assert not await ids(store, replace(LOCATIONS, owners=()), limit=limit)


async def test_a_list_goes_on_behind_what_has_gone_or_come_meanwhile(store: Store) -> None:
    await store.write_states([located(id) for id in ("A", "C", "E")])
    after = located("B").key
    assert [one.key.object_id for one in await store.list_states(LOCATIONS, after=after, limit=9)] == ["C", "E"]
    await store.write_states([located("B"), replace(state(2, key=located("C").key), body=None, deleted=True)])
    assert [one.key.object_id for one in await store.list_states(LOCATIONS, after=after, limit=9)] == ["E"]
    assert not await store.list_states(LOCATIONS, after=located("E").key, limit=9)
    assert not await store.list_states(LOCATIONS, after=StateKey(EMSP, "tokens", "A", "", None), limit=9)


async def test_the_first_of_a_list_are_passed_over_whoever_owns_them(store: Store) -> None:
    await store.write_states([located(id, owner) for id in ("A", "B", "C") for owner in (CPO, OTHER)])
    assert await ids(store, skip=2) == ["C", "A", "B", "C"]
    assert await ids(store, skip=3) == ["A", "B", "C"]
    assert await ids(store, skip=4, limit=1) == ["B", "C"]
    assert not await ids(store, skip=6)
    assert not await ids(store, skip=10**9)


async def test_a_list_has_neither_tombstones_nor_parts_and_they_are_counted_where_they_leave_it_unsure(
    store: Store,
) -> None:
    part = (Part((), whole=False, body=b"{}"),)
    await store.write_states(
        [
            located("A"),
            replace(located("B"), body=None, deleted=True),
            replace(located("C"), body=None, parts=part),
            replace(located("D"), body=None),
            replace(located("E"), unconfirmed=True),
            replace(located("F"), body=None, unconfirmed=True),
            replace(located("G"), parts=part),
            located("A", OTHER),
        ]
    )
    assert await ids(store) == ["A", "A", "E", "G"]
    assert await store.count_states(LOCATIONS, CPO) == StateCount(published=3, unsure=3)
    assert await store.count_states(LOCATIONS, OTHER) == StateCount(published=1)
    assert await store.count_states(LOCATIONS, EMSP) == StateCount()


async def test_what_is_not_published_is_listed_of_those_owners_only_that_are_named(store: Store) -> None:
    await store.write_states(
        [located("A"), located("A", OTHER)] + [replace(located("B", owner), unpublished=True) for owner in (CPO, OTHER)]
    )
    assert await ids(store) == ["A", "A"]
    assert await ids(store, replace(LOCATIONS, unpublished=frozenset((CPO,)))) == ["A", "A", "B"]
    assert await ids(store, replace(LOCATIONS, unpublished=frozenset((CPO,))), skip=1) == ["A", "B"]
    assert await store.count_states(LOCATIONS, CPO) == StateCount(published=1, unpublished=1)


WRITTEN = {
    "A": "2024-03-01T10:00:00Z",
    "B": "2024-03-01T10:00:00.001Z",
    "C": "2024-03-01T10:00:00",
    "D": "2024-03-01T11:00:00.5+01:00",
    "E": "2024-03-01T09:59:59.999Z",
    "F": "2024-03-01T10:00:01.000Z",
}
TEN = 1_709_287_200_000


@pytest.mark.parametrize(
    ("since", "before", "expected"),
    [
        (None, None, "ABCDEF"),
        (TEN, None, "ABCDF"),
        (TEN + 1, None, "BDF"),
        (TEN + 1, TEN + 1000, "BD"),
        (None, TEN, "E"),
        (None, TEN + 1, "ACE"),
        (TEN + 500, TEN + 501, "D"),
        (TEN, TEN, ""),
    ],
)
async def test_dates_are_compared_as_moments_from_the_first_up_to_but_without_the_last(
    store: Store, since: int | None, before: int | None, expected: str
) -> None:
    await store.write_states([located(id, last_updated=written) for id, written in WRITTEN.items()])
    await store.write_states([located("X"), located("Y", last_updated="yesterday"), located("Z", last_updated="")])
    wanted = replace(LOCATIONS, since=since, before=before)
    assert await ids(store, wanted) == [*expected, "X", "Y", "Z"], "what has no date that can be read is in every list"
    assert (await store.count_states(wanted, CPO)).published == len(expected) + 3
    assert await ids(store, wanted, skip=1, limit=2) == [*expected, "X", "Y", "Z"][1:]


async def test_a_list_of_large_objects_ends_early_and_goes_on_behind_its_last(store: Store) -> None:
    large = b" " * (LIST_BYTES // 4 - 1)
    for number in range(7):
        await store.write_states([replace(located(f"L{number}"), body=large)])
    page = await store.list_states(LOCATIONS, limit=100)
    assert [one.key.object_id for one in page] == ["L0", "L1", "L2", "L3", "L4"]
    rest = await store.list_states(LOCATIONS, after=page[-1].key, limit=100)
    assert [one.key.object_id for one in rest] == ["L5", "L6"]


async def test_a_list_sees_what_was_written_before_it_by_whichever_handle(harness: Harness) -> None:
    for number in range(20):
        await harness.store.write_states([located(f"L{number:02}")])
        assert len(await harness.store.list_states(LOCATIONS, limit=100)) == number + 1
    store = await harness.reopen()
    assert len(await ids(store, limit=7)) == 20


@pytest.mark.parametrize("variant", ["", "RFID", "A\0B", "A\1B", "\1\2", "\1\1\2\0", "\1"])
@pytest.mark.parametrize("audience", [None, EMSP])
def test_a_key_is_read_as_it_was_written(variant: str, audience: PartyId | None) -> None:
    key = StateKey(PartyId("NL", "T"), "tokens", "A\0\1B\udcff", variant, audience)
    assert state_key_of(state_key(key)) == key
