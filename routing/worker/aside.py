"""Records that cannot be handled: set aside in the store with their reason, before their offset is committed.

The next event does not wait for that. Where the record is not at hand any more it is read from the log again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from routing.clock import Clock
from routing.log.port import Consumer, LogError, Position, Record, TopicPartition
from routing.store.port import SetAside
from routing.worker.reach import AGAIN_AFTER, Reach

_MOST = 1000
_MOST_BYTES = 16 * 1024 * 1024
_LONGEST_REASON = 2000


class _Case(NamedTuple):
    tp: TopicPartition
    position: Position
    key: bytes
    record: Record | None
    reason: str
    done: Callable[[], None]


class Aside:
    """One instance a worker. `trouble` is told of each record, `counted` its topic."""

    def __init__(
        self,
        *,
        reach: Reach,
        consumer: Consumer,
        clock: Clock,
        trouble: Callable[[str], None],
        counted: Callable[[str], None],
    ) -> None:
        self._reach = reach
        self._consumer = consumer
        self._clock = clock
        self._trouble = trouble
        self._counted = counted
        self._queue: deque[_Case] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def full(self) -> bool:
        """Whether so many wait for the store that no more should be read."""
        return len(self._queue) >= _MOST or self._bytes >= _MOST_BYTES

    def put(
        self, tp: TopicPartition, position: Position, key: bytes, reason: str, done: Callable[[], None],
        record: Record | None = None,
    ) -> None:  # fmt: skip
        """Set it aside soon; `done` is called once that is durable."""
        self._trouble(f"set aside {tp.topic}/{tp.partition} at {position.offset}: {reason}")
        self._counted(tp.topic)
        self._queue.append(_Case(tp, position, key, record, reason[:_LONGEST_REASON], done))
        self._bytes += _size(record)
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Write what was put, one by one, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                case = self._queue[0]
                record = await self._record(case)
                kept = _kept(case, record, self._clock.utc())
                await self._reach.until_there(lambda kept=kept: self._reach.store.set_aside(kept))  # type: ignore[misc]
                self._queue.popleft()
                self._bytes -= _size(case.record)
                case.done()
            self._idle.set()

    async def idle(self) -> None:
        """Everything put by now is durable."""
        await self._idle.wait()

    async def _record(self, case: _Case) -> Record | None:
        """The record as the log has it; None when it is not there any more."""
        while case.record is None:
            try:
                found = await self._consumer.fetch(case.tp, case.position, max_records=1)
            except LogError as error:
                self._trouble(f"the log cannot be read: {error}; trying again")
                await asyncio.sleep(AGAIN_AFTER)
                continue
            return found[0] if found and found[0].position == case.position else None
        return case.record


def _size(record: Record | None) -> int:
    return 0 if record is None else len(record.value)


def _kept(case: _Case, record: Record | None, now: int) -> SetAside:
    if record is None:
        reason = f"{case.reason} (the record itself is not on the log any more)"
        return SetAside(case.tp, case.position, 0, now, reason, case.key, (), b"")
    headers = tuple((name, bytes(value)) for name, value in record.headers)
    return SetAside(case.tp, case.position, record.append_time, now, case.reason, record.key, headers, record.value)
