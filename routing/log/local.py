"""The consumer of the engines that live in one process: assignment, commits and leaving, over whatever they read from.

What differs between engines is behind two small protocols: `Cursors` reads, `Keeper` keeps commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from routing.log.members import Group, Seat
from routing.log.port import Assignment, Committed, Listener, LogAway, PartitionLost, Position, Record, TopicPartition
from routing.log.wake import Wake


class Cursors(Protocol):
    """Where one member stands in each partition that it holds."""

    def seek(self, tp: TopicPartition, committed: Committed | None) -> None:
        """Hold it from now on, not paused, and read on from `committed.next`, or from its beginning."""

    def drop(self, tp: TopicPartition) -> None: ...

    def pause(self, tp: TopicPartition) -> None: ...

    def resume(self, tp: TopicPartition) -> None: ...

    async def take(self, max_records: int, max_bytes: int) -> list[Record]:
        """What is there now, at least one record if there is any."""

    def position(self, tp: TopicPartition) -> Position | None:
        """Everything of this partition below was given; None: it is not held."""

    async def fetch(self, tp: TopicPartition, start: Position, max_records: int) -> list[Record]: ...


class Keeper(Protocol):
    """Keeps commits and knows the ends."""

    async def committed(self, group: str, tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, Committed]:
        """As stored, once every commit that was sent before this call was either stored or refused."""

    def end(self, tp: TopicPartition) -> Position: ...

    async def save(
        self, group: str, commits: Mapping[TopicPartition, Committed], mine: Callable[[TopicPartition], bool]
    ) -> Sequence[TopicPartition]:
        """Store durably those that are still `mine` at that moment (asked in any thread); returns the others."""


class LocalConsumer:
    """One member. `settle` is how long its listener may take over `revoked`, in seconds.

    Beyond the port, for tests and the simulation: `abandon`, `expire`, `set_away`.
    """

    def __init__(
        self, group: Group, member: str, topics: Sequence[str], cursors: Cursors, keeper: Keeper, settle: float
    ) -> None:
        self.wake = Wake()
        self._group = group
        self._seat = Seat(member, tuple(topics), self._changed)
        self._cursors = cursors
        self._keeper = keeper
        self._settle = settle
        self._listener: Listener | None = None
        self._turn = asyncio.Lock()
        self._check = True
        self._lost: list[TopicPartition] = []
        self._joined = self._gone = self._stopping = self._away = False

    @property
    def member(self) -> str:
        return self._seat.member

    @property
    def gone(self) -> bool:
        return self._gone

    async def start(self, listener: Listener) -> None:
        self._listener = listener
        self._group.join(self._seat)
        self._joined = True

    async def stop(self) -> None:
        self._stopping = True
        self.wake.ring()
        async with self._turn:
            if self._gone:
                return
            held = self._group.held(self._seat)
            try:
                if held or self._lost:
                    await self._revoke([*self._lost, *held])
            finally:
                self.abandon()

    async def read(self, *, max_records: int, max_bytes: int, wait: float) -> list[Record]:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        async with self._turn:
            while not self._ended():
                if self._check:
                    await self._carry_out()
                records = await self._cursors.take(max_records, max_bytes)
                if records and not self.gone:
                    return records
                if not await self.wake.wait(until - loop.time()):
                    break
        return []

    def _ended(self) -> bool:
        return self._gone or self._stopping

    async def commit(self, commits: Mapping[TopicPartition, Committed]) -> None:
        if self._away and not self._gone:
            raise LogAway("this process is cut off from the log")
        group, seat = self._group, self._seat
        generations = {tp: group.generation(tp) for tp in commits if group.owns(seat, tp)}
        lost = [tp for tp in commits if tp not in generations]
        if generations:
            lost += await self._keeper.save(
                group.name,
                {tp: commits[tp] for tp in generations},
                lambda tp: group.owns(seat, tp) and group.generation(tp) == generations[tp],
            )
        if lost:
            raise PartitionLost(lost)

    def pause(self, tps: Sequence[TopicPartition]) -> None:
        for tp in tps:
            self._cursors.pause(tp)

    def resume(self, tps: Sequence[TopicPartition]) -> None:
        for tp in tps:
            self._cursors.resume(tp)
        self.wake.ring()

    async def fetch(self, tp: TopicPartition, start: Position, *, max_records: int) -> list[Record]:
        return await self._cursors.fetch(tp, start, max_records)

    def position(self, tp: TopicPartition) -> Position | None:
        return self._cursors.position(tp)

    def holds(self) -> bool:
        return self._joined and not (self._gone or self._away or self._lost)

    def abandon(self) -> None:
        """End as a killed process does: nobody is told, what was held goes to the others, commits are refused."""
        self._gone = True
        for tp in self._group.leave(self._seat):
            self._cursors.drop(tp)
        self.wake.ring()

    def expire(self) -> None:
        """Lose everything as a process that was away too long does; the next `read` tells the listener and rejoins."""
        if self._joined and not self._gone:
            self._lost += self._group.leave(self._seat)
            self._joined = False
            self._changed()

    def set_away(self, away: bool) -> None:
        """Cut off from the log: `holds` is false and commits raise LogAway, until it is called with False."""
        self._away = away

    def _changed(self) -> None:
        self._check = True
        self.wake.ring()

    async def _carry_out(self) -> None:
        """Lose, give up and take what the group's deal asks for; what becomes free later rings again."""
        self._check = False
        if self._lost:
            await self._revoke(self._lost)
            self._lost = []
        if not self._joined:
            self._group.join(self._seat)
            self._joined = True
        going = self._group.to_give_up(self._seat)
        if going:
            try:
                await self._revoke(going)
            finally:
                self._group.give_up(self._seat, going)
        await self._take_over()

    async def _take_over(self) -> None:
        free = self._group.to_take(self._seat)
        if not free:
            return
        committed = await self._keeper.committed(self._group.name, free)
        still = frozenset(free)  # the deal may have changed meanwhile
        coming = [tp for tp in self._group.to_take(self._seat) if tp in still]
        if coming and self._listener is not None:
            self._group.take(self._seat, coming)
            for tp in coming:
                self._cursors.seek(tp, committed.get(tp))
            await self._listener.assigned([Assignment(tp, committed.get(tp), self._keeper.end(tp)) for tp in coming])

    async def _revoke(self, tps: Sequence[TopicPartition]) -> None:
        """Await the listener for no longer than the settle time; nothing of these is read from now on."""
        if self._listener is None:
            raise RuntimeError("a consumer is read before it was started")
        for tp in tps:
            self._cursors.drop(tp)
        try:
            await asyncio.wait_for(self._listener.revoked(tps), self._settle)
        except TimeoutError:
            pass
