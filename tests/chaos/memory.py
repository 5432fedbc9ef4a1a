"""How much memory the hub's processes occupy while recipients hang."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from tests.chaos.hub import HubProcess

MOST_MORE = 128.0
"""MiB that a process may occupy more than when all were well: by its settings it holds up to 64 MiB of bodies that are
not delivered and 32 MiB of states that are not written."""
_EVERY = 0.25


class Memory:
    """From `begin` to `end`."""

    def __init__(self) -> None:
        self._watching: asyncio.Task[None] | None = None
        self._began: dict[str, float] = {}
        self._most: defaultdict[str, float] = defaultdict(float)

    def begin(self, processes: Sequence[HubProcess]) -> None:
        self._began = {process.name: process.rss() for process in processes}
        self._watching = asyncio.create_task(self._watch(processes))

    async def end(self) -> list[str]:
        """A sentence for each process that occupied too much."""
        if self._watching is None:
            return []
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        self._watching = None
        return [
            f"{name} occupied {self._most[name]:.0f} MiB while recipients were away, {began:.0f} MiB before"
            for name, began in self._began.items()
            if self._most[name] > began + MOST_MORE
        ]

    @property
    def what(self) -> str:
        """Before, and at most."""
        told = (f"{name} {began:.0f} to {self._most[name]:.0f}" for name, began in self._began.items())
        return f"MiB occupied: {', '.join(told)}"

    async def _watch(self, processes: Sequence[HubProcess]) -> None:
        while True:
            for process in processes:
                self._most[process.name] = max(self._most[process.name], process.rss())
            await asyncio.sleep(_EVERY)
