"""The worker's way to the store: no call waits without a bound, and a store that is away is known without asking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from routing.store.port import Store, StoreAway

T = TypeVar("T")

AGAIN_AFTER: Final = 0.5
"""Seconds until a call that the store could not take is tried again."""

WITHIN: Final = 5.0
"""Seconds after which a call that the store does not answer counts as not done. It may be done all the same: every
write of a worker is conditional, so that one which lands late takes nothing back."""


class Reach:
    """`trouble` is told of a store that is away, as often as it is noticed."""

    def __init__(self, store: Store, *, trouble: Callable[[str], None], within: float = WITHIN) -> None:
        self.store = store
        self.trouble = trouble
        self._within = within

    @property
    def away(self) -> bool:
        """Whether the store is known to be away."""
        return self.store.trouble() is not None

    async def once(self, call: Callable[[], Awaitable[T]], *, within: float | None = None) -> T:
        """The result of one call. Raises StoreAway, also when no answer came in time."""
        try:
            async with asyncio.timeout(self._within if within is None else min(within, self._within)):
                return await call()
        except TimeoutError:
            raise StoreAway("it did not answer in time") from None

    async def until_there(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of `call`, tried again while the store is away."""
        while True:
            try:
                return await self.once(call)
            except StoreAway as error:
                self.missed(error)
                await asyncio.sleep(AGAIN_AFTER)

    def missed(self, error: StoreAway) -> None:
        """Say that the store was away."""
        self.trouble(f"the store is away: {error}; what waits for it waits on")
