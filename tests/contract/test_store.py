"""What routing/store/port.py says, on every engine. An engine joins in stores.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from connectors.authorization import Form, digest
from connectors.values import InterfaceRole, PartyId, Role
from routing.agreements import Agreement, Effect
from routing.directory import Endpoint, Issued, Kind, Party, Platform, PlatformSettings, Status, Validate
from routing.log.port import Position, TopicPartition
from routing.policies import Policy
from routing.state import ObjectState, Part, StateKey
from routing.store.codec import state_key, state_key_of
from routing.store.port import (
    LIST_BYTES,
    CdrKey,
    CdrRecord,
    Conflict,
    LeaseLost,
    Mark,
    Selection,
    SetAside,
    StateCount,
    Store,
    Taken,
)
from tests.contract.stores import ENGINES, SEVERAL_PROCESSES, Making, making

CPO = PartyId("NL", "TNM")
EMSP = PartyId("DE", "EMS")
TP = TopicPartition("ocpi.locations", 7)


@pytest.fixture(params=ENGINES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Making]:
    """How to open handles on the same data."""
    with making(request.param, tmp_path, request) as make:
        yield make


class Harness:
    def __init__(self, make: Making) -> None:
        self._make = make
        self._others: list[Store] = []
        self.store = make()

    async def reopen(self) -> Store:
        await self.store.close()
        self.store = self._make()
        await self.store.start()
        return self.store

    async def another(self) -> Store:
        """One more handle, open beside the first, as another process has one."""
        other = self._make()
        await other.start()
        self._others.append(other)
        return other

    async def close(self) -> None:
        for store in (*self._others, self.store):
            await store.close()


@pytest.fixture
async def harness(make: Making) -> AsyncIterator[Harness]:
    harness = Harness(make)
    await harness.store.start()
    yield harness
    await harness.close()


@pytest.fixture
def store(harness: Harness) -> Store:
    return harness.store


def platform(id: str = "p1", *parties: Party, credential: str | None = None, created: int = 1) -> Platform:
    issued = (Issued(digest(credential), Kind.ACCESS, created=created),) if credential else ()
    return Platform(id=id, parties=parties, issued=issued, created=created)


FULL = Platform(
    id="018f2c4e-6d3b-7aa0-9a55-0f4de7e1b6aa",
    status=Status.OFFLINE,
    invited=((CPO, Role.CPO), (EMSP, Role.EMSP)),
    parties=(Party(CPO, Role.CPO, "The New Motion ü", suspended=True), Party(EMSP, Role.EMSP, removed=True)),
    versions_url="https://cpo.example/ocpi/versions",
    version="2.2.1",
    endpoints=(Endpoint("locations", InterfaceRole.SENDER, "https://cpo.example/ocpi/2.2.1/locations/"),),
    origins=("https://cpo.example:443",),
    presents=bytes(range(256)),
    form=Form.RAW,
    issued=(
        Issued(digest("a"), Kind.INVITATION, created=5, expires=99, used=True),
        Issued(digest("b"), Kind.ACCESS, created=6),
    ),
    settings=PlatformSettings(Validate.REPORT, Form.BASE64, ("https://other.example:8443",)),
    created=1_700_000_000_000,
    updated=1_700_000_000_001,
)


# --- the directory ---------------------------------------------------------------------------------------------------


async def test_platform_comes_back_whole(harness: Harness) -> None:
    saved = await harness.store.save_platform(FULL)
    assert saved == replace(FULL, revision=1)
    store = await harness.reopen()
    assert list((await store.load_platforms())[1]) == [saved]
    again = await store.save_platform(replace(saved, removed=True))
    assert again.revision == 2
    assert list((await store.load_platforms())[1]) == [again]


async def test_directory_revision_grows_with_every_change(store: Store) -> None:
    empty, platforms = await store.load_platforms()
    assert not platforms
    saved = await store.save_platform(platform("p1"))
    first, _ = await store.load_platforms()
    await store.save_platform(replace(saved, version="2.2.1"))
    await store.save_platform(platform("p2"))
    last, platforms = await store.load_platforms()
    assert empty < first < last
    assert {p.id for p in platforms} == {"p1", "p2"}


async def loaded(store: Store) -> tuple[int, list[Platform]]:
    revision, platforms = await store.load_platforms()
    return revision, sorted(platforms, key=lambda one: one.id)


async def test_what_another_process_changed_is_loaded_beside_what_was_there(harness: Harness) -> None:
    one, other = harness.store, await harness.another()
    agreement = Agreement.of(Effect.DENY, CPO, EMSP)
    first, second = await one.save_platform(platform("p1")), await one.save_platform(platform("p2"))
    assert await loaded(other) == (2, [first, second])
    await one.save_agreement(agreement)
    assert await loaded(other) == (3, [first, second])
    again, third = await one.save_platform(replace(second, version="2.2.1")), await one.save_platform(platform("p3"))
    assert await loaded(other) == (5, [first, again, third])


async def test_of_two_simultaneous_edits_one_wins_and_the_other_is_told_the_newer_revision(store: Store) -> None:
    saved = await store.save_platform(platform())
    edits = (replace(saved, version="2.2.1"), replace(saved, version="2.3.0"))
    one, other = await asyncio.gather(*map(store.save_platform, edits), return_exceptions=True)
    won, lost = (one, other) if isinstance(one, Platform) else (other, one)
    assert isinstance(won, Platform)
    assert isinstance(lost, Conflict)
    assert lost.current == won.revision == 2
    assert list((await store.load_platforms())[1]) == [won]


async def test_inserting_what_is_there_and_replacing_what_is_not_are_conflicts(store: Store) -> None:
    await store.save_platform(platform())
    with pytest.raises(Conflict) as there:
        await store.save_platform(platform())
    assert there.value.current == 1
    with pytest.raises(Conflict) as gone:
        await store.save_platform(replace(platform("p2"), revision=3))
    assert gone.value.current == 0


async def test_a_party_is_held_once_in_each_role(store: Store) -> None:
    await store.save_platform(platform("p1", Party(CPO, Role.CPO)))
    with pytest.raises(Taken) as taken:
        await store.save_platform(platform("p2", Party(EMSP, Role.EMSP), Party(CPO, Role.CPO)))
    assert taken.value.platform == "p1"
    assert "NL-TNM" in taken.value.what
    assert "CPO" in taken.value.what
    assert [p.id for p in (await store.load_platforms())[1]] == ["p1"]
    await store.save_platform(platform("p2", Party(CPO, Role.EMSP)))


async def test_of_two_that_register_a_party_at_the_same_moment_one_is_refused(store: Store) -> None:
    both = (platform("p1", Party(CPO, Role.CPO)), platform("p2", Party(CPO, Role.CPO)))
    results = await asyncio.gather(*map(store.save_platform, both), return_exceptions=True)
    assert [type(result) for result in results].count(Taken) == 1
    assert len((await store.load_platforms())[1]) == 1


@pytest.mark.parametrize("removed", ["party", "platform"])
async def test_a_removed_party_may_be_taken_over(store: Store, removed: str) -> None:
    saved = await store.save_platform(platform("p1", Party(CPO, Role.CPO)))
    if removed == "party":
        await store.save_platform(replace(saved, parties=(Party(CPO, Role.CPO, removed=True),)))
    else:
        saved = await store.save_platform(replace(saved, removed=True))
    await store.save_platform(platform("p2", Party(CPO, Role.CPO)))
    if removed == "platform":
        with pytest.raises(Taken):
            await store.save_platform(replace(saved, removed=False))


async def test_credential_is_found_until_it_is_withdrawn(store: Store) -> None:
    saved = await store.save_platform(platform(credential="old"))
    assert await store.find_credential(digest("old")) == saved
    assert await store.find_credential(digest("never")) is None
    both = replace(saved, issued=(*saved.issued, Issued(digest("new"), Kind.ACCESS, created=2)))
    saved = await store.save_platform(both)
    assert await store.find_credential(digest("old")) == saved
    assert await store.find_credential(digest("new")) == saved
    saved = await store.save_platform(replace(saved, issued=saved.issued[1:]))
    assert await store.find_credential(digest("old")) is None
    assert await store.find_credential(digest("new")) == saved


async def test_credential_of_a_removed_platform_is_not_found(harness: Harness) -> None:
    saved = await harness.store.save_platform(platform(credential="c"))
    saved = await harness.store.save_platform(replace(saved, removed=True))
    assert await harness.store.find_credential(digest("c")) is None
    store = await harness.reopen()
    assert await store.find_credential(digest("c")) is None
    back = await store.save_platform(replace(saved, removed=False))
    assert await store.find_credential(digest("c")) == back


async def test_watchers_are_told_of_changes_and_of_nothing_else(store: Store) -> None:
    told = asyncio.Event()
    store.watch(told.set)
    saved = await store.save_platform(platform())
    await asyncio.wait_for(told.wait(), 5)
    told.clear()
    with pytest.raises(Conflict):
        await store.save_platform(replace(saved, revision=9))
    await store.write_states([state(1)])
    await asyncio.sleep(0)
    assert not told.is_set()
    await store.save_platform(saved)
    await asyncio.wait_for(told.wait(), 5)


async def test_handles_side_by_side_agree_on_who_was_first(harness: Harness) -> None:
    one, other = harness.store, await harness.another()
    both = (platform("p1", Party(CPO, Role.CPO)), platform("p2", Party(CPO, Role.CPO)))
    results = await asyncio.gather(one.save_platform(both[0]), other.save_platform(both[1]), return_exceptions=True)
    (saved,) = [result for result in results if isinstance(result, Platform)]
    (taken,) = [result for result in results if isinstance(result, Taken)]
    assert taken.platform == saved.id
    edits = (replace(saved, version="2.2.1"), replace(saved, version="2.3.0"))
    results = await asyncio.gather(one.save_platform(edits[0]), other.save_platform(edits[1]), return_exceptions=True)
    (won,) = [result for result in results if isinstance(result, Platform)]
    (lost,) = [result for result in results if isinstance(result, Conflict)]
    assert lost.current == won.revision == 2
    for store in (one, other):
        _, platforms = await store.load_platforms()
        assert list(platforms) == [won]


async def test_what_is_loaded_is_of_one_moment(harness: Harness) -> None:
    one, other = harness.store, await harness.another()
    seen: dict[int, object] = {}

    async def grow(n: int) -> None:
        saved = await one.save_platform(platform(f"p{n}"))
        for _ in range(5):
            saved = await one.save_platform(saved)

    growing = asyncio.gather(*map(grow, range(6)))
    last = -1
    while last < 36:
        revision, platforms = await other.load_platforms()
        content = {p.id: p.revision for p in platforms}
        assert revision >= last
        assert seen.setdefault(revision, content) == content
        last = revision
        await asyncio.sleep(0)
    await growing
    assert last == 36
    assert seen[36] == {f"p{n}": 6 for n in range(6)}


@pytest.mark.parametrize("make", SEVERAL_PROCESSES, indirect=True)
async def test_watchers_are_told_of_what_another_handle_changes(harness: Harness) -> None:
    other = await harness.another()
    told = asyncio.Event()
    harness.store.watch(told.set)
    saved = await other.save_platform(platform())
    await asyncio.wait_for(told.wait(), 5)
    told.clear()
    await other.save_platform(saved)
    await asyncio.wait_for(told.wait(), 5)


# --- object state ----------------------------------------------------------------------------------------------------

KEY = StateKey(CPO, "locations", "LOC1", "", None)


def state(offset: int, *, epoch: int = 1, key: StateKey = KEY, body: bytes | None = None) -> ObjectState:
    return ObjectState(key, Position(epoch, offset), "2.2.1", body or f'{{"n": {offset}}}'.encode())


async def read(store: Store, key: StateKey = KEY) -> ObjectState | None:
    return (await store.read_states([key])).get(key)


async def test_only_a_greater_position_replaces_a_state(store: Store) -> None:
    await store.write_states([state(5)])
    await store.write_states([state(4)])
    assert await read(store) == state(5)
    await store.write_states([state(5, body=b"another")])
    assert await read(store) == state(5)
    await store.write_states([state(6)])
    assert await read(store) == state(6)


async def test_the_epoch_goes_before_the_offset(store: Store) -> None:
    await store.write_states([state(900)])
    await store.write_states([state(1, epoch=2)])
    assert await read(store) == state(1, epoch=2)
    await store.write_states([state(901)])
    assert await read(store) == state(1, epoch=2)


async def test_an_older_state_in_a_batch_does_not_stop_the_others(store: Store) -> None:
    other = KEY._replace(object_id="LOC2")
    await store.write_states([state(5)])
    await store.write_states([state(3), state(2, key=other), state(4, key=other), state(3, key=other)])
    assert await read(store) == state(5)
    assert await read(store, other) == state(4, key=other)


async def test_a_state_comes_back_whole(harness: Harness) -> None:
    parts = (
        Part((), whole=False, body=b'{"n":1.10}'),
        Part(("EVSE 1",), whole=True, body=b'{\n"\xff": [1]}'),
        Part(("é", "1"), whole=False, body=b""),
    )
    tombstone = ObjectState(KEY, Position(1, 1), "2.1.1", deleted=True, last_updated="2024-01-01T00:00:00.1Z")
    bare = ObjectState(KEY._replace(object_id="LOC2"), Position(2**31, 2**62), "2.2.1", parts=parts, unconfirmed=True)
    whole = ObjectState(
        KEY._replace(object_id="LOC3"), Position(1, 2), "2.2.1", bytes(range(256)) * 9, composed=True, parts=parts
    )
    await harness.store.write_states([tombstone, bare, whole])
    store = await harness.reopen()
    keys = [tombstone.key, bare.key, whole.key]
    assert await store.read_states(keys) == dict(zip(keys, (tombstone, bare, whole), strict=True))


async def test_a_tombstone_gives_way_to_a_newer_put(store: Store) -> None:
    await store.write_states([replace(state(2), body=None, deleted=True)])
    await store.write_states([state(1)])
    assert (await store.read_states([KEY]))[KEY].deleted
    await store.write_states([state(3)])
    assert await read(store) == state(3)


async def test_keys_that_look_alike_are_apart(store: Store) -> None:
    keys = [
        KEY,
        KEY._replace(audience=EMSP),
        KEY._replace(owner=EMSP),
        KEY._replace(module="tariffs"),
        KEY._replace(variant="RFID"),
        KEY._replace(object_id="LOC1\0RFID"),
        KEY._replace(object_id="B\0C", variant="A"),
        KEY._replace(object_id="C", variant="A\0B"),
        KEY._replace(object_id="C", variant="A\1B"),
        KEY._replace(object_id="C", variant="A\1\2B"),
        KEY._replace(object_id="\udcff"),
        KEY._replace(object_id=""),
        KEY._replace(owner=PartyId("NL", "T*M")),
        KEY._replace(owner=PartyId("NL", "T")),
    ]
    states = [state(number + 1, key=key) for number, key in enumerate(keys)]
    await store.write_states(states)
    assert await store.read_states(keys) == {state.key: state for state in states}


async def test_what_changed_is_found_newest_first_and_whole_to_its_last_position(store: Store) -> None:
    states = [state(offset, key=KEY._replace(object_id=f"L{offset}{n}")) for offset in range(1, 8) for n in range(3)]
    gone = replace(state(8, key=KEY._replace(object_id="GONE")), body=None, deleted=True)
    others = [
        state(5, key=KEY._replace(audience=EMSP)),
        state(5, key=KEY._replace(module="tokens")),
        state(5, epoch=2, key=KEY._replace(object_id="LATER")),
    ]
    await store.write_states([*states, gone, *others])
    low, high = Position(1, 2), Position(2, 0)

    async def some(before: Position, limit: int) -> list[ObjectState]:
        return list(await store.list_changed("locations", since=low, before=before, limit=limit))

    wanted = sorted((*states[3:], gone), key=lambda each: each.position, reverse=True)
    assert [one.position for one in await some(high, 100)] == [one.position for one in wanted]
    assert {one.key for one in await some(high, 100)} == {one.key for one in wanted}
    found, before = [], high
    while part := await some(before, 2):
        found += part
        before = part[-1].position
    assert sorted(found, key=lambda each: each.key) == sorted(wanted, key=lambda each: each.key)
    await store.write_states([state(9, key=states[-1].key)])
    assert [one.key for one in await some(high, 1)] == [states[-1].key]
    assert not await some(low, 5)
    large = [state(n, key=KEY._replace(object_id=f"B{n}"), body=b"x" * (LIST_BYTES // 2)) for n in range(20, 25)]
    await store.write_states(large)
    assert [one.key.object_id for one in await some(high, 100)] == ["B24", "B23"]


async def test_of_many_that_write_a_state_at_once_the_greatest_position_stays(harness: Harness) -> None:
    stores = [harness.store, await harness.another()]
    keys = [KEY._replace(object_id=f"L{n}") for n in range(20)]
    rounds = range(1, 21)
    await asyncio.gather(
        *(stores[n % 2].write_states([state(n * 7 % 20 + 1, key=key) for key in keys]) for n in rounds)
    )
    assert await harness.store.read_states(keys) == {key: state(20, key=key) for key in keys}


@pytest.mark.parametrize("count", [0, 1, 7, 49, 261, 1500])
async def test_many_states_at_once(store: Store, count: int) -> None:
    states = [state(n + 1, key=KEY._replace(object_id=f"L{n}")) for n in range(count)]
    await store.write_states(states)
    keys = [state.key for state in states]
    unknown = KEY._replace(object_id="UNKNOWN")
    assert await store.read_states([unknown, *keys, *keys[:3]]) == {state.key: state for state in states}


# --- lists of object state -------------------------------------------------------------------------------------------

OTHER = PartyId("NL", "TN")
LOCATIONS = Selection("locations", None, (CPO, OTHER))


def located(
    id: str, owner: PartyId = CPO, last_updated: str | None = None, *, audience: PartyId | None = None
) -> ObjectState:
    key = StateKey(owner, "locations", id, "", audience)
    return replace(state(1, key=key), last_updated=last_updated)


async def ids(store: Store, wanted: Selection = LOCATIONS, *, skip: int = 0, limit: int = 100) -> list[str]:
    """Of all pages, one after the other."""
    found: list[ObjectState] = []
    while page := await store.list_states(wanted, after=found[-1].key if found else None, skip=skip, limit=limit):
        assert len(page) <= limit
        found += page
        skip = 0
    assert [state_key(one.key) for one in found] == sorted(state_key(one.key) for one in found)
    assert {one.key: one for one in found} == await store.read_states([one.key for one in found])
    return [one.key.object_id for one in found]


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


# --- tokens by contract ----------------------------------------------------------------------------------------------


def of_contract(
    contract_id: object, uid: str = "T1", owner: PartyId = EMSP, *, to: PartyId | None = None, offset: int = 1
) -> ObjectState:
    body = orjson.dumps({"uid": uid, "contract_id": contract_id})
    return state(offset, key=StateKey(owner, "tokens", uid, "RFID", to), body=body)


async def test_the_owners_of_a_contract_are_found_each_once_and_by_nothing_but_the_whole_id(store: Store) -> None:
    another = PartyId("DE", "ANE")
    await store.write_states([of_contract("DE-C1", f"T{number}") for number in range(300)])
    await store.write_states([of_contract("de-c1", "U1", another), of_contract("DE-C12", "U2", CPO)])
    assert await store.find_contract("DE-c1", None) == [another, EMSP]
    assert await store.find_contract("DE-C12", None) == [CPO]
    for nothing in ("DE-C", "DE-C1 ", "C1", "", "DE*C1", "\ud800", "\0", "x" * 1000):
        assert not await store.find_contract(nothing, None), nothing


async def test_a_contract_is_found_for_the_audience_that_its_token_was_told_to(store: Store) -> None:
    await store.write_states([of_contract("C1", to=CPO), of_contract("C2")])
    assert not await store.find_contract("C1", None)
    assert await store.find_contract("C1", CPO) == [EMSP]
    assert not await store.find_contract("C2", CPO)


async def test_the_contract_of_a_token_is_that_of_its_newest_state(harness: Harness) -> None:
    store = harness.store
    await store.write_states([of_contract("C1", offset=5)])
    await store.write_states([of_contract("C0", offset=4)])
    assert [await store.find_contract(one, None) for one in ("C0", "C1")] == [[], [EMSP]]
    await store.write_states([of_contract("C2", offset=6)])
    store = await harness.reopen()
    assert [await store.find_contract(one, None) for one in ("C1", "C2")] == [[], [EMSP]]
    key = of_contract("C2").key
    parts = (Part((), whole=False, body=b'{"contract_id": "C3"}'), Part((), whole=False, body=b'{"valid": false}'))
    await store.write_states([ObjectState(key, Position(1, 7), "2.2.1", parts=parts)])
    assert [await store.find_contract(one, None) for one in ("C2", "C3")] == [[], [EMSP]]
    await store.write_states([ObjectState(key, Position(1, 8), "2.2.1", deleted=True)])
    assert not await store.find_contract("C3", None)


async def test_no_contract_is_none_that_anything_is_found_by(store: Store) -> None:
    location = state(1, key=KEY, body=b'{"contract_id": "C1"}')
    values: list[object] = ["#NA", None, 1.5, [], "", "y" * 300]
    odd = [of_contract(value, f"T{at}") for at, value in enumerate(values)]
    broken = state(1, key=of_contract("x", "BROKEN").key, body=b"{")
    await store.write_states([location, *odd, broken, of_contract(7, "NUMBER")])
    for nothing in ("C1", "#NA", "#na", "None", "1.5", "", "y" * 300):
        assert not await store.find_contract(nothing, None), nothing
    assert await store.find_contract("7", None) == [EMSP]


# --- CDR memory ------------------------------------------------------------------------------------------------------

CDR = CdrKey(CPO, "CDR-1", EMSP)


async def test_cdr_record_comes_back_whole_and_is_overwritten(harness: Harness) -> None:
    attempted = CdrRecord(CDR, b'{"id": "cdr-1", "n": 1.10}', Position(1, 9), recorded=100)
    answered = replace(
        attempted, http_status=200, status_code=1000, answer=b"{\xff}", location="https://hub.example/x", recorded=101
    )
    assert await harness.store.read_cdr(CDR) is None
    await harness.store.write_cdr(attempted)
    assert await harness.store.read_cdr(CDR) == attempted
    await harness.store.write_cdr(answered)
    store = await harness.reopen()
    assert await store.read_cdr(CDR) == answered
    assert await store.read_cdr(_cdr("CDR-2")) is None


async def test_p5_a_cdr_record_of_an_earlier_position_takes_nothing_back(store: Store) -> None:
    refused = CdrRecord(CDR, b"{}", Position(1, 4), recorded=1, http_status=200, status_code=2001)
    accepted = CdrRecord(CDR, b"{}", Position(1, 5), recorded=2, http_status=200, status_code=1000)
    attempted = CdrRecord(CDR, b"{}", Position(1, 5), recorded=1)
    for record in (refused, attempted, accepted, refused, attempted):
        await store.write_cdr(record)
    assert await store.read_cdr(CDR) == accepted
    anew = CdrRecord(CDR, b"{}", Position(2, 1), recorded=3)
    await store.write_cdr(anew)
    assert await store.read_cdr(CDR) == anew


def _cdr(id: str, recipient: PartyId = EMSP) -> CdrKey:
    return CdrKey(CPO, id, recipient)


async def test_the_same_cdr_at_two_recipients_is_two_records(store: Store) -> None:
    other = _cdr("CDR-1", PartyId("FR", "EMS"))
    await store.write_cdr(CdrRecord(CDR, b"one", Position(1, 1), recorded=1))
    await store.write_cdr(CdrRecord(other, b"two", Position(1, 2), recorded=1))
    first, second = await store.read_cdr(CDR), await store.read_cdr(other)
    assert first is not None
    assert second is not None
    assert (first.payload, second.payload) == (b"one", b"two")


# --- marks -----------------------------------------------------------------------------------------------------------

MARK = Mark("p1", TP, Position(1, 50), since=1000, reason="its lane was full")


async def test_marks_are_inserted_replaced_and_removed(harness: Harness) -> None:
    saved = await harness.store.save_mark(MARK)
    assert saved == replace(MARK, revision=saved.revision)
    assert saved.revision > 0
    lower = await harness.store.save_mark(replace(saved, position=Position(1, 40)))
    assert lower.revision > saved.revision
    elsewhere = await harness.store.save_mark(replace(MARK, tp=TP._replace(partition=8)))
    store = await harness.reopen()
    assert set(await store.load_marks()) == {lower, elsewhere}
    await store.remove_mark(lower)
    assert list(await store.load_marks()) == [elsewhere]
    await store.remove_mark(lower)
    assert list(await store.load_marks()) == [elsewhere]


async def test_how_far_a_mark_was_worked_off_is_kept(harness: Harness) -> None:
    saved = await harness.store.save_mark(MARK)
    begun = await harness.store.save_mark(replace(saved, upper=Position(1, 90)))
    further = replace(begun, done=Position(1, 70), beside=Position(1, 80))
    saved = await harness.store.save_mark(further)
    store = await harness.reopen()
    assert list(await store.load_marks()) == [saved]
    assert replace(saved, revision=0) == replace(further, revision=0)
    await store.save_mark(replace(saved, position=Position(1, 80), upper=None, done=None, beside=None))
    (anew,) = await store.load_marks()
    assert anew.began == Position(1, 80)
    await store.save_mark(replace(anew, first=Position(1, 50)))
    (anew,) = await store.load_marks()
    assert anew.began == Position(1, 50)
    assert (anew.position, anew.upper, anew.done, anew.beside) == (Position(1, 80), None, None, None)


async def test_marks_that_were_claimed_are_safe_from_who_read_them_before(harness: Harness) -> None:
    former, owner = harness.store, await harness.another()
    saved = await former.save_mark(MARK)
    done = await former.save_mark(replace(MARK, platform="p2", upper=Position(1, 90), done=Position(1, 70)))
    elsewhere = await former.save_mark(replace(MARK, tp=TP._replace(partition=8)))
    gone = await former.save_mark(replace(MARK, platform="p3"))
    await former.remove_mark(gone)
    claimed = {mark.platform: mark for mark in await owner.claim_marks([TP])}
    assert {name: replace(mark, revision=0) for name, mark in claimed.items()} == {
        "p1": MARK, "p2": replace(done, revision=0)
    }  # fmt: skip
    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: former.remove_mark(saved),
        lambda: former.save_mark(replace(saved, position=Position(1, 60))),
        lambda: former.remove_mark(done),
    ]
    for change in changes:
        with pytest.raises(Conflict):
            await change()
    assert set(await former.load_marks()) == {*claimed.values(), elsewhere}
    lower = await owner.save_mark(replace(claimed["p1"], position=Position(1, 40)))
    await owner.remove_mark(lower)
    await former.remove_mark(elsewhere)
    assert list(await owner.claim_marks([])) == []
    assert list(await owner.load_marks()) == [claimed["p2"]]


async def test_what_was_asked_for_one_party_stands_beside_the_mark_of_its_platform(harness: Harness) -> None:
    whole = await harness.store.save_mark(MARK)
    asked = await harness.store.save_mark(replace(MARK, party=EMSP, position=Position(0, 0), asked=2000))
    other = await harness.store.save_mark(replace(asked, party=CPO, revision=0))
    store = await harness.reopen()
    assert set(await store.load_marks()) == {whole, asked, other}
    further = replace(asked, upper=Position(1, 90), done=Position(1, 70), sent=12, first=Position(1, 5))
    further = await store.save_mark(further)
    await store.remove_mark(whole)
    await store.remove_mark(other)
    assert list(await store.load_marks()) == [further]
    assert (further.asked, further.sent, further.party) == (2000, 12, EMSP)
    await store.remove_mark(further)
    assert list(await store.load_marks()) == []


async def test_who_does_not_know_the_newest_mark_changes_nothing(store: Store) -> None:
    first = await store.save_mark(MARK)
    second = await store.save_mark(replace(first, position=Position(1, 40)))
    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: store.save_mark(MARK),
        lambda: store.save_mark(first),
        lambda: store.remove_mark(first),
        lambda: store.remove_mark(MARK),
    ]
    for change in changes:
        with pytest.raises(Conflict) as conflict:
            await change()
        assert conflict.value.current == second.revision
    assert list(await store.load_marks()) == [second]
    await store.remove_mark(second)
    with pytest.raises(Conflict) as gone:
        await store.save_mark(second)
    assert gone.value.current == 0


async def test_a_mark_made_anew_is_safe_from_who_held_the_former_one(harness: Harness) -> None:
    former = await harness.store.save_mark(MARK)
    await harness.store.remove_mark(former)
    store = await harness.reopen()
    anew = await store.save_mark(MARK)
    with pytest.raises(Conflict):
        await store.remove_mark(former)
    with pytest.raises(Conflict):
        await store.save_mark(former)
    assert list(await store.load_marks()) == [anew]


async def test_handles_side_by_side_do_not_take_each_others_marks(harness: Harness) -> None:
    one, other = harness.store, await harness.another()
    results = await asyncio.gather(one.save_mark(MARK), other.save_mark(MARK), return_exceptions=True)
    (saved,) = [result for result in results if isinstance(result, Mark)]
    (lost,) = [result for result in results if isinstance(result, Conflict)]
    assert lost.current == saved.revision
    lower = await other.save_mark(replace(saved, position=Position(1, 40)))
    with pytest.raises(Conflict):
        await one.remove_mark(saved)
    await one.remove_mark(lower)
    assert list(await other.load_marks()) == []
    seen = {saved.revision, lower.revision}
    for store in (one, other, one, other):
        again = await store.save_mark(MARK)
        assert again.revision not in seen
        seen.add(again.revision)
        await store.remove_mark(again)


# --- rewritten URLs, expiry ------------------------------------------------------------------------------------------


FUTURE = 4_102_444_800_000  # an engine may drop by itself what has expired by its clock


async def test_a_stored_url_is_there_until_it_expires(harness: Harness) -> None:
    await harness.store.put_url("ref", b"\0content\xff", expires=FUTURE + 100)
    store = await harness.reopen()
    assert await store.get_url("ref", now=FUTURE + 99) == b"\0content\xff"
    assert await store.get_url("ref", now=FUTURE + 100) is None
    assert await store.get_url("REF", now=0) is None
    await store.put_url("ref", b"newer", expires=FUTURE + 200)
    assert await store.get_url("ref", now=FUTURE + 150) == b"newer"


async def test_expire_drops_what_is_old_and_counts_it(store: Store) -> None:
    for n in range(3):
        await store.put_url(f"ref{n}", b"c", expires=FUTURE + n)
        await store.write_cdr(CdrRecord(_cdr(f"CDR-{n}"), b"{}", Position(1, n), recorded=1000 + n))
    assert await store.expire(FUTURE + 1, cdrs_before=1001) == 3
    assert [await store.get_url(f"ref{n}", now=0) for n in range(3)] == [None, None, b"c"]
    assert [await store.read_cdr(_cdr(f"CDR-{n}")) is None for n in range(3)] == [True, False, False]
    assert await store.expire(FUTURE + 1, cdrs_before=1001) == 0


# --- records set aside -----------------------------------------------------------------------------------------------


def aside(offset: int, *, at: int, epoch: int = 1) -> SetAside:
    return SetAside(
        TP, Position(epoch, offset), append_time=at - 5, at=at, reason="its envelope is of version 9",
        key=b"NL*TNM/locations/\xff", headers=(("ce_id", b"\0\xff"), ("ce_id", b"")), value=bytes(range(256)),
    )  # fmt: skip


async def test_records_set_aside_come_back_whole_the_newest_first(harness: Harness) -> None:
    records = [aside(7, at=100), aside(8, at=300), aside(7, at=200, epoch=2)]
    for record in records:
        await harness.store.set_aside(record)
    store = await harness.reopen()
    assert list(await store.load_set_aside(limit=10)) == [records[1], records[2], records[0]]
    assert list(await store.load_set_aside(limit=1)) == [records[1]]


async def test_records_set_aside_are_read_in_pages_and_by_what_is_in_their_topic_or_reason(store: Store) -> None:
    records = [
        replace(aside(n, at=n), tp=TopicPartition(f"ocpi.{topic}", 1), reason=reason)
        for n, (topic, reason) in enumerate((("cdrs", "a.b"), ("tokens", "aXb"), ("cdrs", "50% of CDRS_"), ("x", "é")))
    ]
    for record in records:
        await store.set_aside(record)
    assert list(await store.load_set_aside(limit=2, offset=1)) == [records[2], records[1]]
    assert list(await store.load_set_aside(limit=9, offset=4)) == []
    for wanted, found in (("", 4), ("CDRS", 2), ("a.b", 1), ("A", 2), ("%", 1), ("s_", 1), ("é", 1), ("z", 0)):
        assert len(await store.load_set_aside(limit=9, wanted=wanted)) == found, wanted
        assert await store.count_set_aside(wanted=wanted) == found, wanted


async def test_one_record_set_aside_is_found_by_its_offset(store: Store) -> None:
    for record in (aside(7, at=100, epoch=2), aside(7, at=300), aside(8, at=200)):
        await store.set_aside(record)
    assert await store.read_set_aside(TP, 7) == aside(7, at=100, epoch=2)
    assert await store.read_set_aside(TP, 9) is None
    assert await store.read_set_aside(TopicPartition("ocpi.cdrs", TP.partition), 7) is None


async def test_a_record_is_set_aside_once(store: Store) -> None:
    await store.set_aside(aside(7, at=100))
    await store.set_aside(aside(7, at=200))
    assert list(await store.load_set_aside(limit=10)) == [aside(7, at=100)]


async def test_records_set_aside_long_ago_expire(store: Store) -> None:
    await store.set_aside(aside(7, at=100))
    await store.set_aside(aside(8, at=101))
    assert await store.expire(0, cdrs_before=101) == 1
    assert list(await store.load_set_aside(limit=10)) == [aside(8, at=101)]


# --- leases ----------------------------------------------------------------------------------------------------------


async def test_a_lease_is_held_by_one(harness: Harness) -> None:
    other = await harness.another()
    lease = await harness.store.acquire("probing", "one", 60)
    assert lease is not None
    assert (lease.name, lease.holder) == ("probing", "one")
    assert await other.acquire("probing", "two", 60) is None
    assert await harness.store.acquire("probing", "one", 60) is None
    elsewhere = await other.acquire("pulls", "two", 60)
    assert elsewhere is not None


async def test_many_that_want_a_lease_at_once_are_told_of_one_holder(harness: Harness) -> None:
    stores = [harness.store, await harness.another()]
    leases = await asyncio.gather(*(stores[n % 2].acquire("probing", str(n), 60) for n in range(20)))
    assert len([lease for lease in leases if lease is not None]) == 1


async def test_a_lease_that_is_not_renewed_ends_and_its_generation_grows(harness: Harness) -> None:
    other = await harness.another()
    lease = await harness.store.acquire("probing", "one", 0.1)
    assert lease is not None
    taken = None
    while taken is None:
        taken = await other.acquire("probing", "two", 60)
    assert taken.generation > lease.generation
    assert not await harness.store.renew(lease, 60)
    await harness.store.release(lease)
    assert await harness.store.acquire("probing", "one", 60) is None, "who lost it cannot end it for its new holder"
    assert await other.renew(taken, 60)


async def test_a_renewed_lease_lasts_longer(store: Store) -> None:
    lease = await store.acquire("probing", "one", 1)
    assert lease is not None
    assert await store.renew(lease, 60)
    await asyncio.sleep(1.1)
    assert await store.acquire("probing", "two", 60) is None
    assert await store.renew(lease, 60)


async def test_a_lease_that_ended_cannot_be_renewed_though_nobody_took_it(store: Store) -> None:
    lease = await store.acquire("probing", "one", 0.001)
    assert lease is not None
    await asyncio.sleep(0.05)
    assert not await store.renew(lease, 60)


async def test_a_released_lease_is_free_at_once_and_its_generation_grows(harness: Harness) -> None:
    lease = await harness.store.acquire("probing", "one", 60)
    assert lease is not None
    await harness.store.release(lease)
    store = await harness.reopen()
    again = await store.acquire("probing", "one", 60)
    assert again is not None
    assert again.generation > lease.generation
    assert not await store.renew(lease, 60)


async def test_who_lost_the_lease_writes_nothing_that_is_conditional_on_it(harness: Harness) -> None:
    store, other = harness.store, await harness.another()
    former = await store.acquire("pulls", "one", 60)
    assert former is not None
    saved = await store.save_platform(platform(), lease=former)
    await store.set_meta("pulled", b"1", lease=former)
    await store.release(former)
    newer = await other.acquire("pulls", "two", 60)
    assert newer is not None
    writes: list[Callable[[], Awaitable[object]]] = [
        lambda: store.save_platform(replace(saved, version="2.3.0"), lease=former),
        lambda: store.save_platform(platform(), lease=former),  # a conflict as well
        lambda: store.set_meta("pulled", b"2", lease=former),
        lambda: store.set_meta("never", b"2", lease=former),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            await write()
    assert list((await store.load_platforms())[1]) == [saved]
    assert (await store.get_meta("pulled"), await store.get_meta("never")) == (b"1", None)
    await other.save_platform(replace(saved, version="2.3.0"), lease=newer)
    await other.set_meta("pulled", b"3", lease=newer)
    assert await store.get_meta("pulled") == b"3"


async def test_after_its_end_a_lease_allows_no_write(store: Store) -> None:
    lease = await store.acquire("pulls", "one", 0.001)
    assert lease is not None
    await asyncio.sleep(0.05)
    with pytest.raises(LeaseLost):
        await store.set_meta("pulled", b"1", lease=lease)
    assert await store.get_meta("pulled") is None


# --- meta ------------------------------------------------------------------------------------------------------------


async def test_the_first_fact_of_a_name_stays_and_everybody_is_told_of_it(harness: Harness) -> None:
    stores = [harness.store, await harness.another()]
    told = await asyncio.gather(*(stores[n % 2].add_meta("keys", b"%d" % n) for n in range(20)))
    assert len(set(told)) == 1
    assert await harness.store.get_meta("keys") == told[0]
    assert await harness.store.add_meta("keys", b"late") == told[0]


async def test_a_fact_is_added_to_only_by_who_knows_the_newest(store: Store) -> None:
    assert await store.add_meta("keys", b"1", after=b"0") == b""
    assert await store.get_meta("keys") is None
    assert await store.add_meta("keys", b"1") == b"1"
    assert await store.add_meta("keys", b"12", after=b"1") == b"12"
    assert await store.add_meta("keys", b"13", after=b"1") == b"12"
    assert await store.get_meta("keys") == b"12"


async def test_meta_is_kept_by_name(harness: Harness) -> None:
    assert await harness.store.get_meta("keys") is None
    await harness.store.set_meta("keys", b"\0one")
    await harness.store.set_meta("keys", b"\0two")
    store = await harness.reopen()
    assert await store.get_meta("keys") == b"\0two"
    assert await store.get_meta("other") is None


async def test_meta_is_listed_by_the_beginning_of_its_name_and_removed(harness: Harness) -> None:
    facts = {"seen/a.1": b"1", "seen/b": b"2", "seenx": b"3", "see": b"4", "t": b"5"}
    for name, value in facts.items():
        await harness.store.set_meta(name, value)
    assert await harness.store.list_meta("seen/") == {"seen/a.1": b"1", "seen/b": b"2"}
    assert await harness.store.list_meta("nothing") == {}
    assert await harness.store.list_meta("seen.") == {}
    await harness.store.remove_meta("seen/b")
    await harness.store.remove_meta("seen/b")
    store = await harness.reopen()
    assert await store.list_meta("seen/") == {"seen/a.1": b"1"}


async def test_an_open_store_has_no_trouble(store: Store) -> None:
    await store.set_meta("name", b"value")
    assert store.trouble() is None


async def test_many_callers_at_once_each_get_their_own(store: Store) -> None:
    async def one(n: int) -> None:
        key = KEY._replace(object_id=f"L{n}")
        await store.write_states([state(n + 1, key=key)])
        assert await read(store, key) == state(n + 1, key=key)

    await asyncio.gather(*map(one, range(100)))


# --- agreements ------------------------------------------------------------------------------------------------------


async def test_agreements_come_back_whole_and_one_of_the_same_id_is_replaced(harness: Harness) -> None:
    named = Agreement.of(Effect.ALLOW, CPO, EMSP, ["locations", "custom-ü"], created=5)
    anyone = Agreement.of(Effect.DENY, None, None)
    for agreement in (named, anyone, replace(named, effect=Effect.DENY, created=6)):
        await harness.store.save_agreement(agreement)
    store = await harness.reopen()
    assert {one.id: one for one in await store.load_agreements()} == {
        named.id: replace(named, effect=Effect.DENY, created=6),
        anyone.id: anyone,
    }


async def test_a_change_of_an_agreement_is_one_of_the_directory(store: Store) -> None:
    agreement = Agreement.of(Effect.DENY, CPO, EMSP)
    told = asyncio.Event()
    store.watch(told.set)
    before, _ = await store.load_platforms()
    await store.save_agreement(agreement)
    await asyncio.wait_for(told.wait(), 5)
    saved, _ = await store.load_platforms()
    told.clear()
    assert await store.remove_agreement(agreement.id)
    await asyncio.wait_for(told.wait(), 5)
    removed, _ = await store.load_platforms()
    assert before < saved < removed
    assert list(await store.load_agreements()) == []
    assert not await store.remove_agreement(agreement.id)
    assert (await store.load_platforms())[0] == removed


# --- policies --------------------------------------------------------------------------------------------------------


async def test_policies_come_back_whole_and_one_of_the_same_scope_is_replaced(harness: Harness) -> None:
    named = Policy.of(EMSP, "locations", attempts=3, backoff_seconds=0.25, refused_again=False, created=5)
    hub = Policy.of(attempt_seconds=5.0)
    for policy in (named, hub, Policy.of(EMSP, "locations", backoff_most_seconds=4.0, created=6)):
        await harness.store.save_policy(policy)
    store = await harness.reopen()
    assert {one.id: one for one in await store.load_policies()} == {
        named.id: Policy.of(EMSP, "locations", backoff_most_seconds=4.0, created=6),
        hub.id: hub,
    }


async def test_a_change_of_a_policy_is_one_of_the_directory(store: Store) -> None:
    policy = Policy.of(EMSP, attempts=3)
    told = asyncio.Event()
    store.watch(told.set)
    before, _ = await store.load_platforms()
    await store.save_policy(policy)
    await asyncio.wait_for(told.wait(), 5)
    saved, _ = await store.load_platforms()
    told.clear()
    assert await store.remove_policy(policy.id)
    await asyncio.wait_for(told.wait(), 5)
    removed, _ = await store.load_platforms()
    assert before < saved < removed
    assert list(await store.load_policies()) == [] == list(await store.load_agreements())
    assert not await store.remove_policy(policy.id)
    assert (await store.load_platforms())[0] == removed
