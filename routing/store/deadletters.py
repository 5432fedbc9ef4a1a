"""Dead letters as a part of the store. The contract suite in tests/contract holds every engine to this page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from routing.deadletters import DeadLetter, Wanted


class DeadLetters(Protocol):
    """Every call may raise StoreAway. What is written is durable when it returns."""

    async def put(self, letter: DeadLetter) -> None:
        """Insert it, or replace the one of its id that is of a smaller version; else it counts as done."""

    async def find(self, wanted: Wanted, *, limit: int, offset: int = 0) -> Sequence[DeadLetter]:
        """The newest first, by `at`, then by id; without their bodies, and without the first `offset` of them."""

    async def count(self, wanted: Wanted) -> int:
        """How many there are that `find` would give without a limit."""

    async def read(self, id: str) -> DeadLetter | None:
        """The whole of it."""

    async def redriven(self, id: str, version: int, at: int) -> bool:
        """Note that this version was sent again at this moment (UTC ms); False where there is none of it."""

    async def drop(self, id: str, *, version: int | None = None) -> bool:
        """Whether there was one, of this version where it is said; it is gone then."""
