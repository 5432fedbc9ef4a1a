"""Resync marks: their revisions, and who may change or remove one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from routing.log.port import Position
from routing.store.port import Conflict, Mark, Store
from tests.contract.store.stored import CPO, EMSP, TP, Harness

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
