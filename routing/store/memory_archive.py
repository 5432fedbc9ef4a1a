"""The archive of the store in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from routing.store.archive import Body, Filed, Kept, Part, rank_of, ranks


@dataclass(slots=True)
class ArchiveData:
    """What all handles share."""

    exchanges: dict[str, Kept] = field(default_factory=dict)
    terms: dict[str, set[str]] = field(default_factory=dict)
    expires: dict[str, int] = field(default_factory=dict)
    bodies: dict[tuple[str, str], Body] = field(default_factory=dict)


class MemoryArchive:
    """One handle. `before` and `after` are the store's own for each call; `trouble` is the store's."""

    def __init__(
        self,
        data: ArchiveData,
        *,
        before: Callable[[str], Awaitable[None]],
        after: Callable[[str], Awaitable[None]],
        trouble: Callable[[], str | None],
    ) -> None:
        self._data = data
        self._before = before
        self._after = after
        self.trouble = trouble

    async def file(self, parts: Sequence[Filed]) -> None:
        await self._before("file")
        data = self._data
        for part in parts:
            there = data.exchanges.get(part.id) or Kept(part.id, rank_of(part.id, part.at), None, None)
            if getattr(there, part.part) is None:
                there = _with(there, part)
            data.exchanges[part.id] = there
            data.terms.setdefault(part.id, set()).update(part.terms)
            data.expires[part.id] = max(part.expires, data.expires.get(part.id, 0))
        await self._after("file")

    async def find(
        self,
        terms: Sequence[str],
        *,
        since: int | None = None,
        until: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> Sequence[Kept]:
        await self._before("find")
        first, last = ranks(since, until, before)
        found = sorted(
            (
                kept
                for kept in self._data.exchanges.values()
                if first <= kept.rank < last and self._data.terms[kept.id].issuperset(terms)
            ),
            key=lambda kept: kept.rank,
            reverse=True,
        )
        await self._after("find")
        return [kept for at, kept in enumerate(found) if at < limit or kept.rank == found[limit - 1].rank]

    async def read(self, id: str) -> Kept | None:
        await self._before("read")
        found = self._data.exchanges.get(id)
        await self._after("read")
        return found

    async def file_bodies(self, bodies: Sequence[Body]) -> None:
        await self._before("file_bodies")
        for body in bodies:
            self._data.bodies.setdefault((body.id, body.name), body)
        await self._after("file_bodies")

    async def read_bodies(self, id: str) -> Sequence[Body]:
        await self._before("read_bodies")
        found = [body for (of, _), body in sorted(self._data.bodies.items()) if of == id]
        await self._after("read_bodies")
        return found

    async def expire(self, now: int) -> int:
        await self._before("expire_archive")
        data = self._data
        old = [id for id, expires in data.expires.items() if expires <= now]
        for id in old:
            del data.exchanges[id], data.terms[id], data.expires[id]
        bodies = [key for key, body in data.bodies.items() if body.expires <= now]
        for key in bodies:
            del data.bodies[key]
        await self._after("expire_archive")
        return len(old) + len(bodies)


def _with(kept: Kept, part: Filed) -> Kept:
    if part.part is Part.MESSAGE:
        return replace(kept, message=part.content)
    return replace(kept, outcome=part.content)
