"""Waiting for a store that is away: what was accepted waits, and nothing is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from routing.store.port import StoreAway

T = TypeVar("T")


async def until_there(call: Callable[[], Awaitable[T]], *, trouble: Callable[[str], None], pause: float = 0.5) -> T:
    """The result of `call`, tried again every `pause` seconds while the store is away."""
    while True:
        try:
            return await call()
        except StoreAway as error:
            trouble(f"the store is away: {error}; what waits for it waits on")
            await asyncio.sleep(pause)
