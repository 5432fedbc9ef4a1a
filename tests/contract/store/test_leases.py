"""Leases: one holder at a time, by the store's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from routing.store.port import LeaseLost, Store
from tests.contract.store.stored import Harness, platform


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
