"""The archive as a part of the store: exchanges as they went, found by what they are about, for some days.

What stands in an exchange is the archiver's matter. Here it is an id, a moment, terms that it is found by, and parts
that are opaque. The contract suite in tests/contract holds every engine to this page. Times are UTC milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Protocol
from zlib import crc32

RANK_BITS: Final = 20
"""A rank is the moment in ms, and below it so many bits of the exchange's own, by which those of one moment differ."""

_OWN: Final = (1 << RANK_BITS) - 1


class Part(StrEnum):
    """What an exchange consists of: the message as it was taken, and what became of it. They may come in any order."""

    MESSAGE = "message"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Filed:
    """One part of an exchange on its way into the archive; the same part of the same exchange again counts as done.

    Of several parts of one exchange the first to come decides `at`, the latest `expires` holds, and it is found by the
    `terms` of all.
    """

    id: str
    part: Part
    at: int
    expires: int
    terms: tuple[str, ...]
    content: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """An exchange as it stands in the archive: the contents of its parts, None where one has not come (yet).

    `rank` is its place in the order of time, and hardly ever two have the same.
    """

    id: str
    rank: int
    message: bytes | None
    outcome: bytes | None

    @property
    def at(self) -> int:
        """When it began, UTC ms."""
        return self.rank >> RANK_BITS


@dataclass(frozen=True, slots=True)
class Body:
    """What was sent or answered, compressed; kept apart from its exchange and for a time of its own."""

    id: str
    name: str
    expires: int
    content: bytes


class Archive(Protocol):
    """Every call may raise StoreAway."""

    def trouble(self) -> str | None:
        """A sentence if it cannot be written or read now, else None. Nothing but the archive depends on it."""

    async def file(self, parts: Sequence[Filed]) -> None:
        """Durable when it returns; in no particular order. Where it fails any of them may be there."""

    async def find(
        self,
        terms: Sequence[str],
        *,
        since: int | None = None,
        until: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> Sequence[Kept]:
        """Those that have all of these terms, the newest first: from `since` on and before `until` (UTC ms).

        `before` is the rank of the last one of the former page. At most `limit`, and whatever has the very same rank
        as the last of them. It goes fastest with the rarest term first.
        """

    async def read(self, id: str) -> Kept | None: ...

    async def file_bodies(self, bodies: Sequence[Body]) -> None:
        """Durable when it returns; one of the same id and name that is there counts as done."""

    async def read_bodies(self, id: str) -> Sequence[Body]:
        """Those of this exchange, by name."""

    async def expire(self, now: int) -> int:
        """Drop exchanges and bodies that expired by `now`; returns how many, less where the engine does so itself."""


def rank_of(id: str, at: int) -> int:
    """The rank of an exchange: its moment, and something of its id, the same each time."""
    return at << RANK_BITS | (crc32(id.encode()) & _OWN)


def ranks(since: int | None, until: int | None, before: int | None) -> tuple[int, int]:
    """Between which ranks, the first inclusive, the last exclusive, what is asked for is."""
    last = (1 << 63) - 1 if until is None else until << RANK_BITS
    return (since or 0) << RANK_BITS, last if before is None else min(last, before)


@lru_cache(maxsize=8192)  # most terms come again and again
def term_number(term: str) -> int:
    """The number by which a term stands in an index: signed, 64 bits of a digest, so that no term is long."""
    return int.from_bytes(blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)
