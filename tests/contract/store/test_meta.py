"""Small facts: set, added, listed, and conditional on a lease."""

from __future__ import annotations

import asyncio

from routing.store.port import Store
from tests.contract.store.stored import KEY, Harness, read, state


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
