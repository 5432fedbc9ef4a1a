"""What routing/store/port.py says of CDRs in custody, on every engine. An engine joins in stores.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.errors import NotConnected
from connectors.values import PartyId
from routing import custody
from routing.custody import Custody, Held
from routing.deadletters import Attempted
from routing.log.port import Position
from routing.store.codec import cdr_key
from routing.store.port import CdrKey, CdrRecord, CustodyCount, CustodyWanted, Store
from tests.contract.stores import ENGINES, Making, making
from tests.routing.events import event

CPO, EMSP, OTHER = PartyId("NL", "TNM"), PartyId("DE", "EMS"), PartyId("FR", "OTH")
KEY = CdrKey(CPO, "CDR-1", EMSP)
FIRST = custody.never_begun(990, NotConnected("nobody there ü"))
FAR = 10**15


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


def taken(id: str = "CDR-1", *, to: PartyId = EMSP, offset: int = 5, partition: int = 3, due: int = 2000) -> CdrRecord:
    begun = custody.taken(event("POST", module="cdrs", object_id=id, path=(), audience=to), partition, 1000, 0.5, FIRST)
    record = CdrRecord(CdrKey(CPO, id, to), b'{"id":1}', Position(1, offset), 1000, location="https://hub/x")
    return replace(record, custody=replace(begun, due=due))


def on(record: CdrRecord, held: Custody) -> CdrRecord:
    return replace(record, custody=held)


def begun(record: CdrRecord, by: str = "one") -> CdrRecord:
    assert record.custody is not None
    return on(record, custody.attempting(record.custody, 3000, by))


async def listed(store: Store, held: Held = Held.WAITING, **more: object) -> list[str]:
    wanted = replace(CustodyWanted(EMSP, held, (1, 2, 3), FAR), **more)  # type: ignore[arg-type]
    return [one.key.cdr_id for one in await store.list_custody(wanted, limit=10)]


async def test_one_taken_comes_back_whole_also_after_a_restart(made: tuple[Store, Making]) -> None:
    store, make = made
    await store.write_cdr(taken())
    assert await store.step_cdr(begun(taken()))
    await store.close()
    again = make()
    await again.start()
    try:
        assert await again.read_cdr(KEY) == begun(taken())
    finally:
        await again.close()
    await store.start()


async def test_p5_of_two_that_begin_the_same_attempt_one_does(made: tuple[Store, Making]) -> None:
    store, _ = made
    await store.write_cdr(taken())
    done = await asyncio.gather(*(store.step_cdr(begun(taken(), f"{n}")) for n in range(8)))
    assert sum(done) == 1
    there = await store.read_cdr(KEY)
    assert there is not None and there.custody is not None
    assert there.custody.by == f"{done.index(True)}"
    assert await store.step_cdr(there), "who writes the same again is told the same"


async def test_a_step_is_of_the_turn_before_and_of_no_other(store: Store) -> None:
    assert not await store.step_cdr(begun(taken())), "there is none"
    await store.write_cdr(taken())
    ahead = begun(begun(taken()))
    assert not await store.step_cdr(ahead)
    assert not await store.step_cdr(begun(taken(offset=6)))
    assert await store.step_cdr(begun(taken()))
    await store.write_cdr(taken())
    assert await store.read_cdr(KEY) == begun(taken()), "what was taken is not taken again by a late write"
    assert await store.step_cdr(ahead)


async def test_an_answer_ends_custody_whatever_its_turn_and_no_step_follows(store: Store) -> None:
    await store.write_cdr(taken())
    assert await store.step_cdr(begun(taken()))
    assert begun(taken()).custody is not None
    answered = replace(taken(), http_status=201, status_code=1000, answer=b"{}")
    await store.write_cdr(answered)
    assert not await store.step_cdr(begun(begun(taken())))
    await store.write_cdr(replace(answered, http_status=200, status_code=2001))
    await store.write_cdr(taken())
    assert await store.read_cdr(KEY) == answered
    assert await store.count_custody() == []
    assert await listed(store, Held.ATTEMPTING) == []


async def test_p5_success_takes_the_place_of_a_refusal_of_the_same_push(store: Store) -> None:
    refused = CdrRecord(KEY, b"{}", Position(1, 5), 1000, 200, 2001, b"{}")
    accepted = replace(refused, status_code=1000)
    for record in (refused, accepted, refused):
        await store.write_cdr(record)
    assert await store.read_cdr(KEY) == accepted


async def test_one_taken_later_begins_anew(store: Store) -> None:
    await store.write_cdr(replace(taken(), http_status=200, status_code=2001))
    later = taken(offset=9)
    await store.write_cdr(later)
    assert await store.read_cdr(KEY) == later
    await store.write_cdr(taken(offset=7))
    assert await store.read_cdr(KEY) == later


async def test_they_are_listed_by_when_they_are_due(store: Store) -> None:
    for id, due in (("C1", 30), ("C2", 10), ("C3", 20), ("C4", 20)):
        await store.write_cdr(taken(id, due=due))
    await store.write_cdr(taken("C5", to=OTHER))
    await store.write_cdr(taken("C6", partition=7))
    assert await store.step_cdr(begun(taken("C3", due=20)))
    assert await listed(store) == ["C2", "C4", "C1"]
    assert await listed(store, due=20) == ["C2", "C4"]
    assert await listed(store, partitions=(1, 2)) == []
    assert await listed(store, partitions=(7,)) == ["C6"]
    assert await listed(store, recipient=OTHER) == ["C5"]
    assert await listed(store, Held.ATTEMPTING) == ["C3"]
    first = taken("C2", due=10)
    assert await listed(store, after=(10, cdr_key(first.key))) == ["C4", "C1"]
    whole = await store.list_custody(CustodyWanted(EMSP, Held.WAITING, (3,), FAR), limit=1)
    assert list(whole) == [first]


async def test_they_are_counted_by_recipient_and_partition(store: Store) -> None:
    await store.write_cdr(taken("C1"))
    await store.write_cdr(replace(taken("C2"), recorded=900))
    await store.write_cdr(taken("C3", to=OTHER, partition=4))
    lost = taken("C3", to=OTHER, partition=4)
    assert lost.custody is not None
    assert await store.step_cdr(on(lost, custody.parked(lost.custody, Attempted(1, 0, 4002))))
    found = sorted(await store.count_custody(), key=lambda one: one.recipient)
    assert found == [CustodyCount(EMSP, Held.WAITING, 3, 2, 900), CustodyCount(OTHER, Held.PARKED, 4, 1, 1000)]
    parked = await store.read_cdr(lost.key)
    assert parked is not None and parked.custody is not None
    assert await store.step_cdr(on(parked, custody.dropped(parked.custody)))
    assert [one.recipient for one in await store.count_custody()] == [EMSP], "nobody is to decide it any more"


async def test_what_is_in_custody_does_not_expire(store: Store) -> None:
    await store.write_cdr(taken("C1"))
    await store.write_cdr(taken("C2"))
    given_up = taken("C2")
    assert given_up.custody is not None
    assert await store.step_cdr(on(given_up, custody.given_up(given_up.custody)))
    assert await store.expire(0, cdrs_before=5000) == 1
    assert await listed(store) == ["C1"]
