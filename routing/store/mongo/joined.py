"""Point reads that are asked for at once go to the server as one: most of what such a read costs is the round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple

from routing.state import ObjectState, StateKey

Found = Mapping[StateKey, ObjectState]

MOST_KEYS: Final = 200
"""More than this many are a read of their own: they have paid for their round trip."""

RUNNING: Final = 2
"""So many reads are under way; who comes then waits for the first to end, and goes with all who came meanwhile."""


class _Asked(NamedTuple):
    keys: Sequence[StateKey]
    answer: asyncio.Future[Found]


class JoinedReads:
    """Object states by their keys, of `read`. What it raises is raised to everybody who was in that read.

    A read begins after it was asked for, so it finds what was written before that. Who gives up takes nothing from
    the others.
    """

    def __init__(self, read: Callable[[Sequence[StateKey]], Awaitable[Found]]) -> None:
        self._read = read
        self._waiting: list[_Asked] = []
        self._running: set[asyncio.Task[None]] = set()

    async def read(self, keys: Sequence[StateKey]) -> Found:
        if not keys:
            return {}
        if len(keys) > MOST_KEYS:
            return await self._read(keys)
        asked = _Asked(keys, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if len(self._running) < RUNNING:
            self._begin()
        return await asked.answer

    async def close(self) -> None:
        """Ends what is under way; who still waits is told by CancelledError."""
        waiting, self._waiting = self._waiting, []
        for asked in waiting:
            asked.answer.cancel()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _begin(self) -> None:
        task = asyncio.create_task(self._until_nobody_waits(), name="mongo-reads")
        self._running.add(task)

    async def _until_nobody_waits(self) -> None:
        try:
            while together := self._together():
                await self._answer(together)
        finally:
            # in the turn of the last look at who waits: who comes after it must begin anew
            if (task := asyncio.current_task()) is not None:
                self._running.discard(task)

    async def _answer(self, together: Sequence[_Asked]) -> None:
        wanted = {key: None for asked in together for key in asked.keys}
        try:
            found = await self._read(list(wanted))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who asked are told, and the next read goes on
            for asked in together:
                if not asked.answer.done():
                    asked.answer.set_exception(error)
                    asked.answer.exception()  # heard: its reader may have been cancelled in this very turn
            return
        except BaseException:
            for asked in together:
                asked.answer.cancel()
            raise
        for asked in together:
            if not asked.answer.done():
                asked.answer.set_result({key: found[key] for key in asked.keys if key in found})

    def _together(self) -> list[_Asked]:
        """Those who wait and still want it, oldest first, as many as one read takes."""
        waiting = [asked for asked in self._waiting if not asked.answer.done()]
        count = end = 0
        while end < len(waiting) and (end == 0 or count + len(waiting[end].keys) <= MOST_KEYS):
            count += len(waiting[end].keys)
            end += 1
        self._waiting = waiting[end:]
        return waiting[:end]
