"""Agreements and policies: kept, and their revisions."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from routing.agreements import Agreement, Effect
from routing.policies import Policy
from routing.store.port import Store
from tests.contract.store.stored import CPO, EMSP, Harness


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
