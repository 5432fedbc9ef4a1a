"""What is to be asked of owners, and for how long it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from connectors.values import PartyId
from routing.clock import SystemClock
from routing.log.port import Position, TopicPartition
from routing.reading import Nobody, NotTold, Sought, Told
from routing.worker.asking import Asking
from routing.worker.ports import Silent

L1 = Sought(PartyId("NL", "TNM"), "locations", "L1")
PLACE = TopicPartition("ocpi.locations", 0)


class OnePartition:
    """A log that was written up to 7."""

    partitions = 1

    async def ends(self, topic: str) -> dict[int, Position]:
        assert topic == PLACE.topic
        return {0: Position(1, 7)}


class Owner:
    """Can be asked, and finds nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def there(self, sought: Sought) -> bool:
        del sought
        return True

    async def read(self, sought: Sought) -> Told | None:
        self.asked.append(sought.id)
        return None


@asynccontextmanager
async def asking(owners: Any) -> AsyncIterator[Asking]:
    log: Any = OnePartition()
    made = Asking(log=log, owners=owners, clock=SystemClock(), observer=Silent())
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()


async def until(holds: Any) -> None:
    async with asyncio.timeout(10):
        while not holds():  # nobody tells
            await asyncio.sleep(0.005)


async def test_an_object_is_asked_for_once_until_something_newer_makes_it_worth_while() -> None:
    owner = Owner()
    async with asking(owner) as one:
        one.wants(L1)
        await until(lambda: one.lost(L1.key, Position(1, 6)))
        one.wants(L1)
        one.wants(L1, newer=Position(1, 6))
        await asyncio.sleep(0.6)
        assert owner.asked == ["L1"]
        assert not one.lost(L1.key, Position(1, 7)), "this was told after its owner was asked"
        one.wants(L1, newer=Position(1, 7))
        await until(lambda: len(owner.asked) == 2)


async def test_what_is_to_be_asked_goes_with_its_partition() -> None:
    owner = Owner()
    async with asking(owner) as one:
        one.wants(L1)
        one.forget([TopicPartition("ocpi.tokens", 0)])
        await until(lambda: owner.asked == ["L1"])
        one.wants(replace(L1, id="L2"))
        one.forget([PLACE])
        await asyncio.sleep(0.6)
        assert owner.asked == ["L1"]
        one.wants(L1)
        await until(lambda: owner.asked == ["L1", "L1"])


async def test_who_offers_nothing_to_read_is_not_asked() -> None:
    async with asking(Nobody()) as one:
        one.wants(L1)
        assert not one.may_tell(L1)
        assert not one.lost(L1.key, Position(1, 6))
    with pytest.raises(NotTold, match="NL-TNM"):
        await Nobody().read(L1)
