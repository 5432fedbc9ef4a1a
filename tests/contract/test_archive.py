"""What routing/store/archive.py says, on every engine. An engine joins in stores.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from routing.store.archive import Body, Filed, Kept, Part, rank_of
from routing.store.port import Store
from tests.contract.stores import ENGINES, making

DAY = 86_400_000
NOW = 2_400_000_000_000  # long after today: a server that drops what has expired does so by its own clock
END = NOW + 7 * DAY


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    with making(request.param, tmp_path, request) as make:
        store = make()
        await store.start()
        yield store
        await store.close()


def message(id: str, *terms: str, at: int = NOW, expires: int = END, content: bytes = b"sent") -> Filed:
    return Filed(id, Part.MESSAGE, at, expires, terms, content)


def outcome(id: str, *terms: str, at: int = NOW, expires: int = END, content: bytes = b"taken") -> Filed:
    return Filed(id, Part.OUTCOME, at, expires, terms, content)


async def found(store: Store, *terms: str, limit: int = 100, **between: Any) -> list[str]:
    return [kept.id for kept in await store.archive.find(terms, limit=limit, **between)]


async def test_an_exchange_is_put_together_of_its_parts_whichever_comes_first(store: Store) -> None:
    await store.archive.file([message("a", "party"), outcome("b", "refused")])
    await store.archive.file([outcome("a", "refused", at=NOW + 5), message("b", "party", at=NOW - 5)])
    for id in ("a", "b"):
        kept = await store.archive.read(id)
        assert kept == Kept(id, rank_of(id, NOW), b"sent", b"taken")
        assert kept.at == NOW
    assert sorted(await found(store, "party", "refused")) == ["a", "b"]
    assert await store.archive.read("c") is None


async def test_the_same_part_again_changes_nothing(store: Store) -> None:
    for content in (b"first", b"again"):
        await store.archive.file([message(f"e/{n}", "party", f"{n}", content=content) for n in range(3)])
    assert sorted(await found(store, "party")) == ["e/0", "e/1", "e/2"]
    assert await found(store, "1") == ["e/1"]


async def test_it_is_found_by_every_term_of_it_and_by_several_only_where_it_has_all(store: Store) -> None:
    await store.archive.file(
        [message("a", "one", "two", at=NOW), message("b", "two", "three", at=NOW + 1), message("c", "two", at=NOW + 2)]
    )
    assert await found(store, "two") == ["c", "b", "a"]
    assert await found(store, "two", "three") == ["b"]
    assert await found(store, "three", "two", "two") == ["b"]
    assert await found(store, "one", "three") == []
    assert await found(store, "four") == []
    assert await found(store) == ["c", "b", "a"]


async def test_a_term_may_hold_anything(store: Store) -> None:
    strange = ("", "\0", "ü" * 5000, "\ud800", "a\nb")
    await store.archive.file([message(f"{n}", term) for n, term in enumerate(strange)])
    for n, term in enumerate(strange):
        assert await found(store, term) == [f"{n}"]


async def test_between_two_moments(store: Store) -> None:
    days = range(-2, 3)
    await store.archive.file([message(f"{day}", "x", at=NOW + day * DAY, expires=END) for day in days])
    for terms in ((), ("x",)):
        assert await found(store, *terms) == ["2", "1", "0", "-1", "-2"]
        assert await found(store, *terms, since=NOW) == ["2", "1", "0"]
        assert await found(store, *terms, until=NOW) == ["-1", "-2"]
        assert await found(store, *terms, since=NOW - DAY, until=NOW + 1) == ["0", "-1"]
        assert await found(store, *terms, since=NOW + 3 * DAY) == []


async def test_pages_have_every_exchange_once_however_many_are_of_one_moment(store: Store) -> None:
    ids = {f"e/{n}" for n in range(57)}
    moments = [NOW + n % 3 * DAY for n in range(57)]
    await store.archive.file([message(id, "x", at=at) for id, at in zip(sorted(ids), moments, strict=True)])
    for terms in ((), ("x",)):
        seen: list[Kept] = []
        while page := await store.archive.find(terms, before=seen[-1].rank if seen else None, limit=10):
            assert len(page) <= 11
            seen += page
        assert {kept.id for kept in seen} == ids
        assert len(seen) == len(ids)
        assert [kept.at for kept in seen] == sorted(moments, reverse=True)


async def test_two_of_the_same_rank_are_two_and_on_one_page(store: Store) -> None:
    one, other = _of_one_rank()
    await store.archive.file([message(one, "x"), message(other, "x", "y"), message("later", "x", at=NOW + 1)])
    await store.archive.file([message(one, "x"), outcome(other, "z")])
    assert sorted(await found(store, "x")) == sorted([one, other, "later"])
    assert await found(store, "y", "z") == [other]
    seen: list[Kept] = []
    while page := await store.archive.find(["x"], before=seen[-1].rank if seen else None, limit=1):
        seen += page
    assert sorted(kept.id for kept in seen) == sorted([one, other, "later"])


def _of_one_rank() -> tuple[str, str]:
    known: dict[int, str] = {}
    for n in range(100_000):
        rank = rank_of(f"{n}", NOW)
        if rank in known:
            return known[rank], f"{n}"
        known[rank] = f"{n}"
    raise AssertionError("no two of them have one rank")


async def test_what_expired_goes_and_the_later_of_two_ends_holds(store: Store) -> None:
    await store.archive.file([message(f"old/{n}", "x", at=NOW - DAY, expires=NOW) for n in range(20)])
    await store.archive.file([message("new", "x", at=NOW - DAY, expires=NOW + 1)])
    await store.archive.file([message("held", "x", at=NOW - DAY, expires=NOW), outcome("held", expires=NOW + 1)])
    await store.archive.file_bodies([Body("old/1", "sent", NOW, b"1"), Body("new", "sent", NOW + 1, b"2")])
    assert len(await found(store, "x")) == 22
    assert await store.archive.expire(NOW) == 21
    assert sorted(await found(store, "x")) == ["held", "new"]
    assert await store.archive.read("old/1") is None
    assert await store.archive.read_bodies("old/1") == []
    assert [body.content for body in await store.archive.read_bodies("new")] == [b"2"]
    assert await store.archive.expire(NOW + 1) == 3
    assert await found(store, "x") == []
    await store.archive.file([message("old/1", at=NOW - DAY, expires=NOW)])
    assert await found(store, "x") == []  # what it was found by went with it


async def test_bodies_are_kept_by_name_and_the_first_stays(store: Store) -> None:
    bodies = [
        Body("a", "sent", END, bytes(range(256))),
        Body("a", "answer", END, b""),
        Body("ab", "sent", END, b"x"),
    ]
    await store.archive.file_bodies(bodies)
    await store.archive.file_bodies([Body("a", "sent", END, b"other")])
    assert await store.archive.read_bodies("a") == [bodies[1], bodies[0]]
    assert await store.archive.read_bodies("b") == []


async def test_many_parts_at_once(store: Store) -> None:
    await store.archive.file([message(f"{n}", "x", at=NOW + n, content=b"c" * 10_000) for n in range(1100)])
    assert len(await found(store, "x", limit=2000)) == 1100
    await store.archive.file([])
    await store.archive.file_bodies([])
    assert store.archive.trouble() is None
