"""Dead letters of the store in memory (memory.py)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from routing.deadletters import DeadLetter, Wanted

LetterData = dict[str, DeadLetter]
Hook = Callable[[str], Awaitable[None]]


class MemoryDeadLetters:
    """`before` and `after` are told each call's name, as the store's hooks are."""

    def __init__(self, data: LetterData, *, before: Hook, after: Hook) -> None:
        self._data = data
        self._before = before
        self._after = after

    async def put(self, letter: DeadLetter) -> None:
        await self._before("put_letter")
        there = self._data.get(letter.id)
        if there is None or letter.version > there.version:
            self._data[letter.id] = letter
        await self._after("put_letter")

    async def find(self, wanted: Wanted, *, limit: int, offset: int = 0) -> Sequence[DeadLetter]:
        await self._before("find_letters")
        fitting = (letter for letter in self._data.values() if wanted.fits(letter))
        newest = sorted(fitting, key=lambda letter: (letter.at, letter.id), reverse=True)
        await self._after("find_letters")
        return [replace(letter, body=b"") for letter in newest[offset : offset + limit]]

    async def count(self, wanted: Wanted) -> int:
        await self._before("count_letters")
        found = sum(wanted.fits(letter) for letter in self._data.values())
        await self._after("count_letters")
        return found

    async def read(self, id: str) -> DeadLetter | None:
        await self._before("read_letter")
        found = self._data.get(id)
        await self._after("read_letter")
        return found

    async def redriven(self, id: str, version: int, at: int) -> bool:
        await self._before("redriven_letter")
        there = self._data.get(id)
        fits = there is not None and there.version == version
        if there is not None and fits:
            self._data[id] = replace(there, redriven=at)
        await self._after("redriven_letter")
        return fits

    async def drop(self, id: str, *, version: int | None = None) -> bool:
        await self._before("drop_letter")
        there = self._data.get(id)
        fits = there is not None and version in (None, there.version)
        if fits:
            del self._data[id]
        await self._after("drop_letter")
        return fits
