"""Work under a lease: one at a time, ended before the lease does, taken over when its holder is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from routing.leases import RENEW_SECONDS, SECONDS, while_held
from routing.store.memory import MemoryData, MemoryStore
from routing.store.port import Lease, StoreAway
from tests.sim.loop import VirtualClock, VirtualLoop


class Working:
    """Writes down who works when."""

    def __init__(self) -> None:
        self.now: list[str] = []
        self.began: list[tuple[str, float]] = []
        self.ended: list[tuple[str, float]] = []

    async def __call__(self, lease: Lease) -> None:
        loop = asyncio.get_running_loop()
        assert self.now == [], "two at a time"
        self.now.append(lease.holder)
        self.began.append((lease.holder, loop.time()))
        try:
            await asyncio.Event().wait()
        finally:
            self.now.remove(lease.holder)
            self.ended.append((lease.holder, loop.time()))


async def handle(data: MemoryData) -> MemoryStore:
    store = MemoryStore(data)
    await store.start()
    return store


def virtually(story: Callable[[VirtualClock], Awaitable[None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(asyncio.wait_for(story(VirtualClock(loop)), 1000))
    finally:
        loop.close()


def test_one_works_at_a_time_for_as_long_as_it_lives() -> None:
    async def story(clock: VirtualClock) -> None:
        data, working = MemoryData(), Working()
        names = ("one", "two")
        tasks = [
            asyncio.create_task(while_held(await handle(data), "probing", name, working, clock=clock)) for name in names
        ]
        await asyncio.sleep(10 * SECONDS)
        assert working.began == [("one", 0.0)]
        tasks[0].cancel()
        await asyncio.sleep(RENEW_SECONDS + 1)
        assert [name for name, _ in working.began] == ["one", "two"]
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert working.now == []

    virtually(story)


def test_who_cannot_renew_stops_before_the_lease_ends_and_another_takes_over_after_it() -> None:
    async def story(clock: VirtualClock) -> None:
        data, working = MemoryData(), Working()
        cut_off, other = await handle(data), await handle(data)
        one = asyncio.create_task(while_held(cut_off, "probing", "one", working, clock=clock))
        await asyncio.sleep(1)
        two = asyncio.create_task(while_held(other, "probing", "two", working, clock=clock))
        await asyncio.sleep(SECONDS)
        cut_off.away = "cut off from the store"
        cut = clock.monotonic()
        await asyncio.sleep(2 * SECONDS)
        (_, stopped), (_, began) = working.ended[0], working.began[1]
        assert cut < stopped < began <= cut + SECONDS + RENEW_SECONDS
        assert working.now == ["two"]
        for task in (one, two):
            task.cancel()
        await asyncio.gather(one, two, return_exceptions=True)

    virtually(story)


def test_work_that_ends_by_the_store_being_away_is_begun_again() -> None:
    async def story(clock: VirtualClock) -> None:
        rounds: list[float] = []

        async def failing(lease: Lease) -> None:
            del lease
            rounds.append(clock.monotonic())
            raise StoreAway("gone in the middle of it")

        task = asyncio.create_task(while_held(await handle(MemoryData()), "probing", "one", failing, clock=clock))
        await asyncio.sleep(SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert 1 < len(rounds) < 20, "again and again, but not in a circle"

    virtually(story)
