"""What routing/store/deadletters.py says, on every engine. An engine joins in stores.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.values import PartyId
from routing.deadletters import Attempted, DeadLetter, Reason, Wanted
from routing.store.port import Store
from tests.contract.stores import ENGINES, Making, making

CPO, EMSP, OTHER = PartyId("NL", "TNM"), PartyId("DE", "EMS"), PartyId("FR", "OTH")


@pytest.fixture(params=ENGINES)
async def made(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Store, Making]]:
    with making(request.param, tmp_path, request) as make:
        store = make()
        await store.start()
        yield store, make
        await store.close()


@pytest.fixture
def store(made: tuple[Store, Making]) -> Store:
    return made[0]


def letter(id: str = "a", at: int = 1000, **more: object) -> DeadLetter:
    attempts = (Attempted(at - 9, 0, 4003, "nobody there ü"), Attempted(at, 503, 3000, "", 12, '{"status_code":3000}'))
    whole = DeadLetter(
        id=id, at=at, reason=Reason.CUSTODY, detail="a sentence ü", module="cdrs", method="POST", path=("x/y", "ü"),
        owner=CPO, object_id="CDR-1", variant="", sender=CPO, recipient=EMSP, platform="p1", correlation_id="c",
        request_id="r", stood="cdrs-1-2-3", attempts=attempts, version=3, size=99, body=b'{"id":"\xff"}',
    )  # fmt: skip
    return replace(whole, **more)  # type: ignore[arg-type]


async def ids(store: Store, wanted: Wanted, *, limit: int = 100, offset: int = 0) -> list[str]:
    return [one.id for one in await store.letters.find(wanted, limit=limit, offset=offset)]


async def test_a_letter_comes_back_whole_also_after_a_restart(made: tuple[Store, Making]) -> None:
    store, make = made
    bare = letter("b", reason=Reason.RESULT, owner=None, attempts=(), path=(), body=b"", size=0)
    await store.letters.put(letter())
    await store.letters.put(bare)
    await store.close()
    again = make()
    await again.start()
    try:
        assert await again.letters.read("a") == letter()
        assert await again.letters.read("b") == bare
        assert await again.letters.read("c") is None
    finally:
        await again.close()
    await store.start()


async def test_one_of_a_greater_version_takes_its_place_and_no_other(store: Store) -> None:
    await store.letters.put(letter())
    await store.letters.put(letter(detail="the same version again"))
    await store.letters.put(letter(version=2, detail="an older one, late"))
    assert await store.letters.read("a") == letter()
    newer = letter(at=2000, version=4, detail="given up again", recipient=OTHER)
    await store.letters.put(newer)
    assert await store.letters.read("a") == newer
    assert await ids(store, Wanted(party=OTHER)) == ["a"]
    assert await ids(store, Wanted(party=EMSP)) == []
    assert await store.letters.count(Wanted()) == 1


async def test_letters_are_listed_the_newest_first_in_pages_without_bodies(store: Store) -> None:
    for id, at in (("a", 5), ("b", 7), ("c", 5), ("d", 9)):
        await store.letters.put(letter(id, at))
    assert await ids(store, Wanted()) == ["d", "b", "c", "a"]
    assert await ids(store, Wanted(), limit=2, offset=1) == ["b", "c"]
    assert await ids(store, Wanted(), offset=4) == []
    assert list(await store.letters.find(Wanted(), limit=1)) == [letter("d", 9, body=b"")]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), ["d", "c", "b", "a"]),
        (Wanted(party=OTHER), ["c", "b"]),
        (Wanted(party=CPO), ["d", "c", "b", "a"]),
        (Wanted(party=EMSP, module="cdrs"), ["c", "a"]),
        (Wanted(module="tokens"), ["d"]),
        (Wanted(reason=Reason.UNKNOWN), ["c"]),
        (Wanted(since=2, until=4), ["c", "b"]),
        (Wanted(open=True), ["d", "b", "a"]),
        (Wanted(party=OTHER, open=True), ["b"]),
        (Wanted(party=PartyId("XX", "XXX")), []),
    ],
)
async def test_they_are_found_by_what_is_asked_for(store: Store, wanted: Wanted, found: list[str]) -> None:
    letters = (
        letter("a", 1),
        letter("b", 2, recipient=OTHER),
        letter("c", 3, owner=OTHER, reason=Reason.UNKNOWN, redriven=5),
        letter("d", 4, module="tokens"),
    )
    for one in letters:
        await store.letters.put(one)
    assert await ids(store, wanted) == found
    assert await store.letters.count(wanted) == len(found)
    assert [one.id for one in reversed(letters) if wanted.fits(one)] == found


async def test_that_a_version_was_sent_again_is_noted_on_that_version(store: Store) -> None:
    await store.letters.put(letter())
    assert not await store.letters.redriven("a", 2, 50)
    assert await store.letters.redriven("a", 3, 60)
    assert not await store.letters.redriven("b", 3, 60)
    assert await store.letters.read("a") == letter(redriven=60)
    await store.letters.put(letter(version=4))
    assert await store.letters.read("a") == letter(version=4)


async def test_a_letter_is_dropped_once_and_of_another_version_it_stays(store: Store) -> None:
    await store.letters.put(letter())
    assert not await store.letters.drop("a", version=2)
    assert await store.letters.drop("a", version=3)
    assert not await store.letters.drop("a")
    await store.letters.put(letter(version=1))
    assert await store.letters.drop("a")
    assert await store.letters.count(Wanted()) == 0


async def test_letters_of_long_ago_expire(store: Store) -> None:
    for id, at in (("a", 100), ("b", 101)):
        await store.letters.put(letter(id, at))
    assert await store.expire(0, cdrs_before=101) == 1
    assert await ids(store, Wanted()) == ["b"]
