"""How many processes of the hub send to platforms: what an operator limits is divided by them.

Every process says in its report, once in a while at least, that it is there and whether it sends (see watching.py).
"""

from __future__ import annotations

import asyncio
from typing import Final

from routing.clock import Clock
from routing.connection import reported
from routing.store.port import Store, StoreError

SEEN: Final = "seen/"
"""What every process saw lies in the store's small facts under this and its name."""
LIVE_MS: Final = 35_000
"""Who said nothing for so long has gone; three reports may be missed."""
LOOK_SECONDS: Final = 5.0
SOON_SECONDS: Final = 1.0
"""After the start, when others may have started at the same moment."""


class Living:
    """`run` it in every process that sends; `name` is its own."""

    def __init__(self, store: Store, clock: Clock, name: str) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self.count = 1

    async def run(self) -> None:
        """Runs until it is cancelled."""
        looks = 0
        while True:
            await self.look()
            looks += 1
            await asyncio.sleep(SOON_SECONDS if looks < LOOK_SECONDS else LOOK_SECONDS)

    async def look(self) -> None:
        """Count anew; while the store is away those that were counted last live on."""
        try:
            reports = await self._store.list_meta(SEEN)
        except StoreError:
            return
        now = self._clock.utc()
        others = [value for name, value in reports.items() if name != SEEN + self._name]
        self.count = 1 + sum(at > now - LIVE_MS and sends for at, sends in map(reported, others))
