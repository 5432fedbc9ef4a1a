"""How long it takes to find an exchange among a million, and to read it whole: on both engines of the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from connectors.values import PartyId, Role
from routing import event as events
from routing import exchanges
from routing.archive.filing import Keeping, file
from routing.archive.reading import read
from routing.archive.terms import Wanted
from routing.event import Event, Operation
from routing.exchanges import Exchange
from routing.log.port import Position, Record
from routing.policy import Outcome
from routing.store.archive import Filed
from routing.store.embedded import EmbeddedStore
from routing.store.mongo import MongoStore
from routing.store.port import Store
from routing.worker import outcomes
from routing.worker.tracker import Entry
from tests.bench.plan import Plan
from tests.bench.report import Bar, Result, say
from tests.bench.servers import Bench

_DAYS = 7
_DAY_MS = 86_400_000
_KEEPING = Keeping(365 * _DAY_MS)
_PARTIES = [PartyId("NL", f"C{number:02}") for number in range(50)]
_BATCH = 2000
_TELL_SECONDS = 5.0
_ASKED = 20
_PAGE = 100
_RARE = 10_000  # one of so many broadcasts is refused by somebody


async def archive(bench: Bench, plan: Plan) -> list[Result]:
    """The embedded engine."""
    return await _measured("embedded", _embedded(bench.folder / "archive"), plan)


async def mongo_archive(bench: Bench, plan: Plan) -> list[Result]:
    """MongoDB."""
    await bench.engines.start()
    return await _measured("MongoDB", _on_mongo(bench.engines.store("archive")), plan)


@asynccontextmanager
async def _embedded(folder: Path) -> AsyncIterator[Store]:
    folder.mkdir(parents=True)
    store = EmbeddedStore(folder)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _on_mongo(uri: str) -> AsyncIterator[Store]:
    store = MongoStore(uri, timeout=30)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


async def _measured(name: str, opened: Any, plan: Plan) -> list[Result]:
    async with opened as store:
        took = await _fill(name, store, plan.exchanges)
        times: dict[str, list[float]] = {}
        wrong: list[str] = []
        for way, make in _ways(plan.exchanges).items():
            for number in range(_ASKED):
                wanted, between, expected = make(number)
                began = time.perf_counter()
                found = await store.archive.find(wanted.terms(), limit=_PAGE, **between)
                told = [read(kept) for kept in found]
                times.setdefault(way, []).append(time.perf_counter() - began)
                if (len(told) > 0) is not expected:
                    wrong.append(f"{way}: {len(told)} were found")
            say(f"archive, {name}: {way}: {max(times[way]) * 1000:,.0f} ms at most")
    worst = max(times, key=lambda way: max(times[way]))
    slowest = max(times[worst])
    notes = [f"filled in {took:,.0f} s, {plan.exchanges / took:,.0f} exchanges a second"]
    notes += [f"{way}: {max(some) * 1000:,.0f} ms at most" for way, some in times.items()]
    return [
        Result(
            f"find among {plan.exchanges:,} exchanges, {name}, the slowest of {len(times)} ways",
            Bar(2.0, at_least=False, unit="s"), slowest, [max(some) for some in times.values()], worst, "",
            wrong[:1], notes,
        )
    ]  # fmt: skip


# --- what is asked for -----------------------------------------------------------------------------------------------

Way = Callable[[int], tuple[Wanted, dict[str, int], bool]]
"""What is asked for the so manieth time, between which moments, and whether anything is there."""


def _ways(total: int) -> dict[str, Way]:
    chance = Random(2)
    start = _start()

    def some() -> int:
        return chance.randrange(total)

    def during(number: int) -> dict[str, int]:
        day = start + number % _DAYS * _DAY_MS
        return {"since": day, "until": day + _DAY_MS}

    return {
        "correlation id": lambda _: (Wanted(correlation=f"c-{some()}"), {}, True),
        "request id": lambda _: (Wanted(request=f"r-{some()}"), {}, True),
        "nothing of that id": lambda number: (Wanted(correlation=f"none-{number}"), {}, False),
        "party": lambda number: (Wanted(party=_PARTIES[number]), {}, True),
        "party, one day": lambda number: (Wanted(party=_PARTIES[number]), during(number), True),
        "object": lambda _: (Wanted(module="locations", object=f"L{some() % _objects(total)}"), {}, True),
        "outcome": lambda _: (Wanted(outcome="refused"), {}, True),
        "party and outcome": lambda number: (Wanted(party=_PARTIES[number], outcome="delivered"), {}, True),
        "party and an outcome that it never had": lambda number: (
            Wanted(party=_PARTIES[number], outcome="unknown"), {}, False,
        ),
        "two that never came together": lambda number: (Wanted(module="tariffs", outcome="answered"), {}, False),
        "time": lambda number: (Wanted(), during(number), True),
        "nothing but the newest": lambda _: (Wanted(), {}, True),
    }  # fmt: skip


# --- what is there ---------------------------------------------------------------------------------------------------


def _start() -> int:
    return 2_000_000_000_000  # after today, so that no server drops it for its age


def _objects(total: int) -> int:
    return max(total // 100, 1)


async def _fill(name: str, store: Store, total: int) -> float:
    """Filed through the store, as the archiver does it; how many seconds that took."""
    began = told = time.perf_counter()
    batch: list[Filed] = []
    for number in range(total):
        batch += _filed(number, total)
        if len(batch) >= _BATCH or number == total - 1:
            await store.archive.file(batch)
            batch = []
            if time.perf_counter() - told >= _TELL_SECONDS:
                told = time.perf_counter()
                say(f"archive, {name}: {number + 1:,} of {total:,} exchanges")
                await asyncio.sleep(0)
    return time.perf_counter() - began


def _filed(number: int, total: int) -> list[Filed]:
    """Half of them relays, half broadcasts with their outcomes, over a week."""
    at = _start() + number * _DAYS * _DAY_MS // total
    if number % 2:
        return file(_relay(number, at, total), _KEEPING).parts
    pushed, outcome = _pushed(number, at, total)
    return [*file(pushed, _KEEPING).parts, *file(outcome, _KEEPING).parts]


def _two(number: int) -> Iterator[PartyId]:
    yield _PARTIES[number % len(_PARTIES)]
    yield _PARTIES[(number // 7 + 1) % len(_PARTIES)]


def _relay(number: int, at: int, total: int) -> Record:
    sender, recipient = _two(number)
    one = Exchange(
        at=at, row="LOC-S2", module="locations", method="GET", path=(f"L{number % _objects(total)}",), sender=sender,
        recipient=recipient, request_id=f"r-{number}", correlation_id=f"c-{number}", forwarded_id=f"f-{number}",
        attempts=1, http_status=200, status_code=1000, ms=12.5, hub_ms=0.5, outcome="answered", via="to",
    )  # fmt: skip
    headers, value = exchanges.encode([one])
    return Record("ocpi.exchanges", 0, Position(1, number), at, b"edge", headers, value)


def _pushed(number: int, at: int, total: int) -> tuple[Record, Record]:
    sender, recipient = _two(number)
    module = "tariffs" if number % 10 == 0 else "locations"
    id = f"L{number % _objects(total)}"
    event = Event(
        id=f"e-{number}", module=module, owner=sender, object_id=id, operation=Operation.PUT, path=(*sender, id),
        query="", audience=None, sender=sender, sender_role=Role.CPO, platform="p", accepted=at, expires=at + 3000,
        request_id=f"r-{number}", correlation_id=f"c-{number}", revision=1, payload=b"{}",
    )  # fmt: skip
    pushed = Record(event.topic, number % 24, Position(1, number), at, event.key, events.encode(event), event.payload)
    entry = Entry(pushed, event, 0.0)
    for party in (recipient, *_PARTIES[number % 40 : number % 40 + 4]):
        if party == sender:
            continue
        entry.opened(party, "p")
        refused = number % _RARE == 0
        entry.ended(party, Outcome.REFUSED if refused else Outcome.DELIVERED, "2001" if refused else "", 8)
    key, headers, value = outcomes.record(entry)
    return pushed, Record("ocpi.outcomes", number % 24, Position(1, number), at + 20, key, headers, value)
