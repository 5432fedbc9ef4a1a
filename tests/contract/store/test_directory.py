"""The directory of a store: platforms, their revisions and credentials, and who is told of a change."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from connectors.authorization import Form, digest
from connectors.values import InterfaceRole, Role
from routing.agreements import Agreement, Effect
from routing.directory import Endpoint, Issued, Kind, Party, Platform, PlatformSettings, Status, Validate
from routing.store.port import Conflict, Store, Taken
from tests.contract.store.stored import CPO, EMSP, Harness, platform, state
from tests.contract.stores import SEVERAL_PROCESSES

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
