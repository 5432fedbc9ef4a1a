"""Doing alone what only one process should do: work that runs while a lease is held, and not a moment longer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from routing.clock import Clock
from routing.store.port import Lease, LeaseLost, Store, StoreAway

SECONDS: Final = 10.0
RENEW_SECONDS: Final = 3.0
SPARE_SECONDS: Final = 2.0
"""So long before its end the holder stops: the store's clock is not ours."""

Work = Callable[[Lease], Awaitable[None]]


async def while_held(store: Store, name: str, holder: str, work: Work, *, clock: Clock) -> None:
    """Wait for the lease, run `work` while it is held, again and again, until cancelled.

    `work` is cancelled where the lease could not be renewed in time; it may end by LeaseLost or StoreAway, which is
    no failure. What else it raises is the caller's.
    """
    while True:
        asked = clock.monotonic()
        try:
            lease = await store.acquire(name, holder, SECONDS)
        except StoreAway:
            lease = None
        if lease is None:
            await asyncio.sleep(RENEW_SECONDS)
            continue
        try:
            await _hold(store, lease, work, asked, clock)
        finally:
            await _let_go(store, lease)
        await asyncio.sleep(RENEW_SECONDS)  # it ended by itself, or because the store could not be reached


async def _hold(store: Store, lease: Lease, work: Work, asked: float, clock: Clock) -> None:
    working = asyncio.ensure_future(work(lease))
    try:
        ends = asked + SECONDS - SPARE_SECONDS
        while not working.done():
            await asyncio.wait((working,), timeout=min(RENEW_SECONDS, max(ends - clock.monotonic(), 0.0)))
            asked = clock.monotonic()
            if working.done() or asked >= ends:
                break
            try:
                async with asyncio.timeout(ends - asked):
                    renewed = await store.renew(lease, SECONDS)
            except (StoreAway, TimeoutError):
                continue  # it may yet be renewed before it ends
            if not renewed:
                break
            ends = asked + SECONDS - SPARE_SECONDS
    finally:
        if not working.done():
            working.cancel()
        (result,) = await asyncio.gather(working, return_exceptions=True)
    if isinstance(result, Exception) and not isinstance(result, LeaseLost | StoreAway):
        raise result


async def _let_go(store: Store, lease: Lease) -> None:
    try:
        async with asyncio.timeout(SPARE_SECONDS):
            await store.release(lease)
    except (StoreAway, TimeoutError):
        pass  # it ends by itself
