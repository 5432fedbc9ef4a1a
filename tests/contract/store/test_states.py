"""States of objects: what replaces what, and what is found of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from connectors.values import PartyId
from routing.log.port import Position
from routing.state import ObjectState, Part
from routing.store.port import LIST_BYTES, Store
from tests.contract.store.stored import EMSP, KEY, Harness, read, state


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
