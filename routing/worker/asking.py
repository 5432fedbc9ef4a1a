"""Asking owners: what only the owner of an object knows is read from it, one object of an owner after the other.

What it tells goes onto the log, and counts once the state has it. Attempts of one object are few and get rarer; while
its owner cannot be reached it waits. All of it is memory: whoever needs it after a restart asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final

from connectors.values import PartyId
from routing.clock import Clock
from routing.event import encode
from routing.log.port import Log, LogError, Position, TopicPartition, partition_of
from routing.reading import READ_MODULES, NotTold, Owners, Sought, event_of
from routing.state import StateKey
from routing.worker.ports import Observer

MOST: Final = 10_000
"""Objects that are remembered; beyond them the oldest is forgotten."""
AT_ONCE: Final = 8
"""Objects that are read at once, of different owners: one that hangs keeps no other waiting."""
ATTEMPTS: Final = 4
"""In a row; then it rests for long."""
_PAUSE: Final = 2.0
_REST: Final = 300.0
_APPLIED: Final = 30.0
_LOOK: Final = 0.25
_WITHIN: Final = 5.0


class Stage(Enum):
    """How far it is with one object. WAITS: to be asked, or asked again; ON_THE_LOG: until the state has it."""

    WAITS = 1
    ASKED = 2
    ON_THE_LOG = 3
    KNOWN = 4
    UNKNOWN = 5
    FAILED = 6


@dataclass(slots=True)
class _Reading:
    """`end` is where the partition ended before its owner was asked last, `again` when that may be the next time."""

    sought: Sought
    stage: Stage = Stage.WAITS
    end: Position | None = None
    attempts: int = 0
    again: float = 0.0


class Asking:
    """One instance a worker."""

    def __init__(self, *, log: Log, owners: Owners, clock: Clock, observer: Observer) -> None:
        self._log = log
        self._owners = owners
        self._clock = clock
        self._observer = observer
        self._readings: dict[StateKey, _Reading] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: set[PartyId] = set()
        self._failing: set[PartyId] = set()
        self._told_of: set[PartyId] = set()
        self._wake = asyncio.Event()

    def wants(self, sought: Sought, newer: Position | None = None) -> None:
        """Have it read, unless it was, from `newer` on where that is said, or is being."""
        if sought.module not in READ_MODULES or self._owners.there(sought) is None:
            return
        reading = self._readings.get(sought.key)
        if reading is None:
            if len(self._readings) >= MOST and not self._forget_one():
                return
            self._readings[sought.key] = _Reading(sought)
        elif self._again(reading, newer):
            reading.sought, reading.stage, reading.attempts = sought, Stage.WAITS, 0
        self._wake.set()

    def _again(self, reading: _Reading, newer: Position | None) -> bool:
        """Whether what came of it before is of no use now."""
        if reading.stage is Stage.FAILED:
            return self._clock.monotonic() >= reading.again
        old = newer is not None and reading.end is not None and reading.end <= newer
        return reading.stage in (Stage.KNOWN, Stage.UNKNOWN) and old

    def _forget_one(self) -> bool:
        for key, reading in self._readings.items():
            if reading.stage in (Stage.KNOWN, Stage.UNKNOWN, Stage.FAILED):
                del self._readings[key]
                return True
        return False

    def known_at(self, key: StateKey) -> Position | None:
        """Where the partition ended before the owner told what the state has now; None: it was not read."""
        reading = self._readings.get(key)
        return reading.end if reading is not None and reading.stage is Stage.KNOWN else None

    def lost(self, key: StateKey, newest: Position) -> bool:
        """Whether its owner was asked after `newest`, and knows nothing of it for certain."""
        reading = self._readings.get(key)
        return (
            reading is not None and reading.stage is Stage.UNKNOWN and reading.end is not None and reading.end > newest
        )

    def may_tell(self, sought: Sought) -> bool:
        """Whether waiting for its owner is worth while: it can be asked now, and answered when it was asked last."""
        reading = self._readings.get(sought.key)
        if sought.module not in READ_MODULES or sought.owner in self._failing or not self._owners.there(sought):
            return False
        return reading is None or reading.stage not in (Stage.KNOWN, Stage.UNKNOWN, Stage.FAILED)

    def applied(self, key: StateKey, end: Position) -> None:
        """The state has what was read from this end on, or what is newer."""
        reading = self._readings.get(key)
        if reading is not None and reading.end == end and reading.stage is Stage.ON_THE_LOG:
            reading.stage = Stage.KNOWN

    def forget(self, tps: Iterable[TopicPartition]) -> None:
        """These partitions are another's now, and so is what is to be asked of their objects."""
        gone = set(tps)
        for key in [key for key, reading in self._readings.items() if self._place(reading.sought) in gone]:
            del self._readings[key]

    def _place(self, sought: Sought) -> TopicPartition:
        return TopicPartition(f"ocpi.{sought.module}", partition_of(sought.log_key, self._log.partitions))

    # --- reading -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Ask whoever is to be asked, until cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._look():  # noqa: ASYNC110  # each has its moment, which nobody tells
                    await asyncio.sleep(_LOOK)
        finally:
            self.kill()

    def kill(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()

    def _look(self) -> bool:
        """Begin what may be begun; whether anything is left to be looked at."""
        now, left = self._clock.monotonic(), bool(self._tasks)
        for reading in self._readings.values():
            if reading.stage is Stage.ON_THE_LOG and now >= reading.again:
                self._failed(reading, "what was read of it did not come into the state")
            if reading.stage not in (Stage.WAITS, Stage.ON_THE_LOG):
                continue
            left = True
            free = len(self._tasks) < AT_ONCE and reading.sought.owner not in self._busy
            if reading.stage is Stage.WAITS and now >= reading.again and free:
                self._begin(reading)
        return left

    def _begin(self, reading: _Reading) -> None:
        there = self._owners.there(reading.sought)
        if not there:
            reading.again = self._clock.monotonic() + _PAUSE
            if there is None:
                reading.stage = Stage.FAILED
            return
        reading.stage = Stage.ASKED
        task = asyncio.get_running_loop().create_task(self._read(reading), name="asking")
        self._tasks.add(task)
        self._busy.add(reading.sought.owner)
        task.add_done_callback(partial(self._ended, reading))

    def _ended(self, reading: _Reading, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._busy.discard(reading.sought.owner)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(reading, f"the hub failed at it: {type(error).__name__}: {error}")

    async def _read(self, reading: _Reading) -> None:
        sought = reading.sought
        try:
            place = self._place(sought)
            reading.end = (await self._log.ends(place.topic))[place.partition]
            told = await self._owners.read(sought)
            self._failing.discard(sought.owner)
            self._told_of.discard(sought.owner)
            if told is None:
                reading.stage = Stage.UNKNOWN
                return
            event = event_of(sought, told, reading.end, self._clock.utc())
            reading.stage, reading.again = Stage.ON_THE_LOG, self._clock.monotonic() + _APPLIED
            await self._log.publish(event.topic, event.key, encode(event), event.payload, within=_WITHIN)
        except NotTold as error:
            self._failing.add(sought.owner)
            self._failed(reading, str(error))
        except LogError as error:
            self._failed(reading, str(error))

    def _failed(self, reading: _Reading, why: str) -> None:
        reading.attempts += 1
        now = self._clock.monotonic()
        if reading.attempts < ATTEMPTS:
            reading.stage, reading.again = Stage.WAITS, now + _PAUSE * 2 ** (reading.attempts - 1)
            return
        reading.stage, reading.again = Stage.FAILED, now + _REST
        sought = reading.sought
        if sought.owner not in self._told_of:  # once of an owner: who pushes much would fill what an operator reads
            self._told_of.add(sought.owner)
            self._observer.trouble(
                f"{sought.module} {sought.id} could not be read from its owner {sought.owner}: {why}"
            )
