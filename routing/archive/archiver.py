"""The archiver: a reader of the log of its own group, which files what it reads and is never in anybody's way.

It reads on only when what it read before is filed, so it holds one batch. While the store is away it waits, and the
log keeps what comes. What it filed is committed after: what is read again is filed once (routing/archive/filing.py).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from routing.archive.filing import TOPICS, Filing, Keeping, Unreadable, file
from routing.archive.pace import GATHER, Pace
from routing.clock import Clock
from routing.log.port import Assignment, Committed, Log, LogError, PartitionLost, Position, Record, TopicPartition
from routing.store.archive import Archive, Body
from routing.store.port import StoreAway

GROUP: Final = "ocpi-hub.archive"

_READ_RECORDS: Final = 200
_READ_BYTES: Final = 256 * 1024
_FEW_RECORDS: Final = 20  # while its process is busy
_FEW_BYTES: Final = 64 * 1024
_READ_WAIT: Final = 1.0
_BREATH: Final = 0.05
_COMMIT_EVERY: Final = 1.0
_AGAIN_AFTER: Final = 0.5
_A_TURN: Final = 20  # exchanges, between which others have the event loop


class Archiver:
    """One member of the archive's group. `start`, then `stop`; what is not filed by then another one files."""

    def __init__(
        self,
        *,
        log: Log,
        archive: Archive,
        clock: Clock,
        keeping: Keeping,
        trouble: Callable[[str], None],
        member: str = "archive",
        pace: Pace | None = None,
    ) -> None:
        """`trouble` is told, in a sentence, of what keeps it from its work, again and again while it does.

        Raises LogUnusable where the topics are not such as can be read together.
        """
        self._consumer = log.consumer(GROUP, TOPICS, member=member)
        self._archive = archive
        self._clock = clock
        self._keeping = keeping
        self._trouble = trouble
        self._held: set[TopicPartition] = set()
        self._waiting: list[Record] = []
        self._done: dict[TopicPartition, Position] = {}
        self._committed = 0.0
        self._paused = self._stopping = self._busy = False
        self._pace = pace or Pace()
        self._task: asyncio.Task[None] | None = None
        self.behind = 0.0
        """How many seconds the last record had been on the log when it was read; 0 where there was none to read."""
        self.passed_over = 0
        """Records that could not be read."""

    async def start(self) -> None:
        await self._consumer.start(self)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="archive")

    async def stop(self) -> None:
        """Commit what is filed, and leave."""
        self._stopping = True
        await self._consumer.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self.turn()
            except LogError as error:
                self._trouble(f"the archive cannot read the log: {error}; trying again")
                await asyncio.sleep(_AGAIN_AFTER)
            except Exception as error:  # noqa: BLE001  # whatever it is, it must not end the archive
                self._trouble(f"a defect of the archive: {type(error).__name__}: {error}; it goes on")
                await asyncio.sleep(_AGAIN_AFTER)

    async def turn(self) -> None:
        """Read a batch, file it, and rest as long as that took, or longer."""
        wait = _AGAIN_AFTER if self._waiting else _READ_WAIT
        most, size = (_FEW_RECORDS, _FEW_BYTES) if self._busy else (_READ_RECORDS, _READ_BYTES)
        records = await self._consumer.read(max_records=most, max_bytes=size, wait=wait)
        if self._waiting:
            await self._again(records)
            return
        self.behind = max((self._clock.utc() - records[-1].append_time) / 1000, 0.0) if records else 0.0
        began = self._clock.monotonic()
        await self._take(records)
        await self._commit_at_times()
        if not records and not self._consumer.holds():
            await asyncio.sleep(_AGAIN_AFTER)  # cut off, or ended by others: it may give nothing at once
        elif records:
            took = self._clock.monotonic() - began
            more = len(records) == most or sum(len(record.value) for record in records) >= size // 2
            self._busy = await self._pace.rest(max(took, _BREATH if more else GATHER), behind=self.behind)

    # --- filing ------------------------------------------------------------------------------------------------------

    async def _take(self, records: Sequence[Record]) -> None:
        if not records:
            return
        try:
            await self._file(records)
        except StoreAway as error:
            self._away(error)
            self._waiting = list(records)
        else:
            self._filed(records)

    async def _again(self, records: Sequence[Record]) -> None:
        """While the store is away nothing more is read, but for what was on its way."""
        self._waiting += records
        waiting = list(self._waiting)
        try:
            await self._file(waiting)
        except StoreAway as error:
            self._away(error)
            return
        self._waiting = []
        self._paused = False
        self._consumer.resume(tuple(self._held))
        self._filed(waiting)

    def _away(self, error: StoreAway) -> None:
        self._trouble(f"the archive cannot be written: {error}; what comes waits on the log")
        if not self._paused:
            self._paused = True
            self._consumer.pause(tuple(self._held))

    def _filed(self, records: Sequence[Record]) -> None:
        for tp, (epoch, offset) in {record.tp: record.position for record in records}.items():
            if tp in self._held:
                self._done[tp] = Position(epoch, offset + 1)

    async def _file(self, records: Sequence[Record]) -> None:
        """Raises StoreAway; then any of them may be there."""
        whole, turn = Filing([], []), 0
        for record in records:
            try:
                filing = file(record, self._keeping)
            except Unreadable as error:
                self.passed_over += 1
                self._trouble(f"the archive passes over a record that it cannot read: {error}")
                continue
            whole.parts += filing.parts
            whole.bodies += filing.bodies
            turn += len(filing.parts)
            if turn >= _A_TURN:
                turn = 0
                await asyncio.sleep(0)
        if whole.parts:
            await self._archive.file(whole.parts)
        if whole.bodies:
            await self._archive.file_bodies(await asyncio.to_thread(_compressed, whole.bodies))

    # --- how far is committed ----------------------------------------------------------------------------------------

    async def _commit_at_times(self) -> None:
        if self._done and self._clock.monotonic() - self._committed >= _COMMIT_EVERY:
            await self._commit(self._done)

    async def _commit(self, done: dict[TopicPartition, Position]) -> None:
        commits = {tp: Committed(position) for tp, position in done.items()}
        try:
            await self._consumer.commit(commits)
        except PartitionLost:
            pass  # who has them now reads on from what was committed before
        except LogError as error:
            self._trouble(f"the log does not take the archive's commits: {error}; trying again")
            return
        self._committed = self._clock.monotonic()
        for tp, committed in commits.items():
            if self._done.get(tp) == committed.next:
                del self._done[tp]

    # --- partitions that come and go (the Listener of the log port) --------------------------------------------------

    async def assigned(self, assignments: Sequence[Assignment]) -> None:
        tps = [assignment.tp for assignment in assignments]
        self._held.update(tps)
        if self._paused:
            self._consumer.pause(tps)

    async def revoked(self, tps: Sequence[TopicPartition]) -> None:
        self._held.difference_update(tps)
        self._waiting = [record for record in self._waiting if record.tp not in tps]
        going = {tp: self._done.pop(tp) for tp in tps if tp in self._done}
        if going:
            await self._commit(going)


def _compressed(bodies: Sequence[Body]) -> list[Body]:
    return [replace(body, content=zlib.compress(body.content)) for body in bodies]
