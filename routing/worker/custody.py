"""Custody: the worker that owns a CDR's partition delivers what the hub has taken, by its schedule, through its slot.

So a CDR that is posted again and an attempt of the hub never run at once. What is due is asked of the store, a few at a
time; nothing of it is kept here. A recipient that is away is asked nothing of, and begun with at once when it returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from connectors.errors import NotConnected, OcpiError
from connectors.values import Module, PartyId
from routing import custody, letters
from routing.clock import Clock
from routing.custody import Held
from routing.event import Again, Event, key
from routing.log.port import Log, Record, TopicPartition, partition_of
from routing.policy import DeliverySettings, Outcome
from routing.store.codec import cdr_key
from routing.store.port import CdrKey, CdrRecord, CustodyCount, CustodyWanted, StoreAway
from routing.worker import aftermath
from routing.worker.attempts import Attempts, End
from routing.worker.delivery import Delivery
from routing.worker.owned import Owned
from routing.worker.ports import Observer, Resolver
from routing.worker.reach import Reach
from routing.worker.settling import Settling
from routing.worker.states import States, Update
from routing.worker.tracker import Entry

TOPIC: Final = f"ocpi.{Module.CDRS}"

_LOOK_EVERY: Final = 1.0
_COUNT_EVERY: Final = 5
"""So many looks until the store is asked who is in custody; of what is taken here that is known at once."""

_PATIENCE_MS: Final = 600_000
"""So often is it looked for those whose time has run out while their recipient is away."""

_BATCH: Final = 16
_UNWELL: Final = 3
"""So many in a row that a recipient could not be given: it is not the CDRs."""

_FAR: Final = 2**53


@dataclass(slots=True)
class _Course:
    """How it goes with one recipient. `event` is one of its CDRs, by which it is asked for where it is; `returned` is
    when it came back (UTC ms) and what was not attempted since is due; `looked` when it was looked for what is over."""

    event: Event | None = None
    there: bool = True
    returned: int | None = None
    looked: int = 0
    again: float = 0.0
    failed: int = 0


class Custodian:
    """One instance a worker. `owned` is the worker's own."""

    def __init__(
        self, *, log: Log, reach: Reach, attempts: Attempts, delivery: Delivery, resolver: Resolver,
        owned: Mapping[TopicPartition, Owned], states: States, settling: Settling, observer: Observer,
        clock: Clock, settings: DeliverySettings,
    ) -> None:  # fmt: skip
        self.counts: Sequence[CustodyCount] = ()
        """Those of the worker's own partitions, at the last look (metrics)."""
        self._log = log
        self._reach = reach
        self._attempts = attempts
        self._delivery = delivery
        self._resolver = resolver
        self._owned = owned
        self._states = states
        self._settling = settling
        self._observer = observer
        self._clock = clock
        self._settings = settings
        self._courses: dict[PartyId, _Course] = {}
        self._running: dict[PartyId, asyncio.Task[None]] = {}
        self._under_way: set[CdrKey] = set()

    def expect(self, recipient: PartyId) -> None:
        """Something for this recipient was taken just now."""
        self._courses.setdefault(recipient, _Course())

    async def run(self) -> None:
        """Look for what is due, again and again, until cancelled."""
        looks = 0
        try:
            while True:
                if looks % _COUNT_EVERY == 0 and not self._reach.away:
                    await self._count()
                looks += 1
                if not self._reach.away:
                    for recipient in list(self._courses.keys() - self._running.keys()):
                        self._look(recipient, self._courses[recipient])
                await asyncio.sleep(_LOOK_EVERY)
        finally:
            self.kill()

    def kill(self) -> None:
        """End what is under way."""
        for task in self._running.values():
            task.cancel()

    # --- whom something is for ---------------------------------------------------------------------------------------

    def _partitions(self) -> tuple[int, ...]:
        return tuple(tp.partition for tp, owned in self._owned.items() if tp.topic == TOPIC and _may(owned))

    async def _count(self) -> None:
        mine = frozenset(self._partitions())
        if not mine:
            self.counts = ()
            self._courses.clear()
            return
        try:
            counts = await self._reach.once(self._reach.store.count_custody)
        except StoreAway as error:
            self._reach.missed(error)
            return
        self.counts = [one for one in counts if one.partition in mine]
        wanted = {one.recipient for one in self.counts if one.held in (Held.WAITING, Held.ATTEMPTING)}
        for recipient in self._courses.keys() - wanted - self._running.keys():
            del self._courses[recipient]
        for recipient in sorted(wanted):
            self.expect(recipient)

    def _look(self, recipient: PartyId, course: _Course) -> None:
        now = self._clock.utc()
        if course.event is not None:
            there = self._there(course.event)
            if there and not course.there:
                course.returned, course.again, course.failed = now, 0.0, 0
            course.there = there
        overdue = now - course.looked >= _PATIENCE_MS
        if (course.there or overdue) and self._clock.monotonic() >= course.again:
            task = asyncio.get_running_loop().create_task(self._work(recipient, course), name=f"custody {recipient}")
            self._running[recipient] = task
            task.add_done_callback(partial(self._worked, recipient, course))

    def _there(self, event: Event) -> bool:
        try:
            self._resolver.directed(event)
        except NotConnected:
            return False
        except OcpiError:
            return True  # an attempt says what is wrong
        return True

    def _worked(self, recipient: PartyId, course: _Course, task: asyncio.Task[None]) -> None:
        self._running.pop(recipient, None)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            self._observer.trouble(f"a defect of custody: {type(error).__name__}: {error}; it goes on")
            self._rest(course)

    def _rest(self, course: _Course) -> None:
        course.failed += 1
        most = self._settings.resync_pause_most
        course.again = self._clock.monotonic() + min(self._settings.resync_pause * 2 ** min(course.failed, 8), most)

    # --- one recipient -----------------------------------------------------------------------------------------------

    async def _work(self, recipient: PartyId, course: _Course) -> None:
        """All that is due for it, or over, a few at a time."""
        try:
            course.looked = self._clock.utc()
            async with aclosing(self._listed(recipient, Held.ATTEMPTING, _FAR)) as attempting:
                async for record in attempting:
                    await self._leftover(record)
            since, course.returned = course.returned, None
            due = _FAR if since is not None else self._clock.utc()
            whole = await self._send(recipient, course, due, since)
            if not whole and since is not None and course.there:
                course.returned = since
        except StoreAway as error:
            self._reach.missed(error)
            self._rest(course)

    async def _listed(self, recipient: PartyId, held: Held, due: int) -> AsyncGenerator[CdrRecord]:
        """Each record once, in the order in which they are due."""
        after: tuple[int, bytes] | None = None
        while partitions := self._partitions():
            wanted = CustodyWanted(recipient, held, partitions, due, after)
            records = await self._reach.once(partial(self._reach.store.list_custody, wanted, limit=_BATCH))
            for record in records:
                assert record.custody is not None  # noqa: S101  # what is listed
                after = (record.custody.due or 0, cdr_key(record.key))
                yield record
            if len(records) < _BATCH:
                return

    async def _leftover(self, record: CdrRecord) -> None:
        """An attempt that nobody makes any more: whoever made it is gone, or was cut off."""
        held = record.custody
        if held is None or record.key in self._under_way or not self._mine(record):
            return
        tried = custody.cut_off(held.due or held.since, "the hub was stopped or cut off during this attempt")
        await self._attempts.lost(record, _event(record), tried)

    async def _send(self, recipient: PartyId, course: _Course, due: int, since: int | None) -> bool:
        """Whether it took, or refused, as much as was due; `since` is from when on an attempt makes it not due."""
        in_a_row = 0
        at_once: list[CdrRecord] = []
        async with aclosing(self._listed(recipient, Held.WAITING, due)) as waiting:
            async for record in waiting:
                course.event = course.event or _event(record)
                if await self._done_without(record, since):
                    continue
                if not self._there(_event(record)):
                    course.there = False
                    continue
                at_once.append(record)
                if len(at_once) >= self._settings.custody_at_once:
                    in_a_row = await self._some(at_once, in_a_row)
                    at_once = []
                if in_a_row >= _UNWELL:
                    self._rest(course)
                    return False
        await self._some(at_once, in_a_row)
        course.failed = 0
        return True

    async def _done_without(self, record: CdrRecord, since: int | None) -> bool:
        """Whether nothing is to be sent of it now."""
        held, now = record.custody, self._clock.utc()
        if held is None or record.key in self._under_way or not self._mine(record):
            return True
        partition = partition_of(key(record.key.owner, Module.CDRS, held.object_id), self._log.partitions)
        if partition != held.partition:
            await self._reach.once(
                partial(self._reach.store.step_cdr, replace(record, custody=custody.moved(held, partition)))
            )
            return True
        if now >= custody.ends(held):
            await self._attempts.give_up(record, _event(record))
            return True
        if since is None:
            return False
        return bool(held.attempts) and held.attempts[-1].at >= since and (held.due or 0) > now

    async def _some(self, records: Sequence[CdrRecord], in_a_row: int) -> int:
        """Attempt these; how many in a row came to nothing, so far as the next ones are concerned."""
        if not records:
            return in_a_row
        await asyncio.gather(*map(self._one, records))
        for record in records:
            there = await self._reach.once(partial(self._reach.store.read_cdr, record.key))
            in_a_row = in_a_row + 1 if there is not None and _waits(there) else 0
        return in_a_row

    async def _one(self, record: CdrRecord) -> None:
        event, tp = _event(record), _tp(record)
        if not self._mine(record):
            return
        self._under_way.add(record.key)
        try:
            await self._delivery.kept(record, event, tp, self._platform(event))
        finally:
            self._under_way.discard(record.key)

    def _platform(self, event: Event) -> str:
        """In whose lane it goes; where its recipient is not to be found an attempt says so."""
        try:
            return self._resolver.directed(event).platform.id
        except OcpiError:
            return ""

    def _mine(self, record: CdrRecord) -> bool:
        owned = self._owned.get(_tp(record))
        return owned is not None and _may(owned)

    # --- how it ended ------------------------------------------------------------------------------------------------

    def ended(self, end: End) -> None:
        """It ended for now, and that is durable: the state at its recipient, and a record of the outcome of its own."""
        if end.answered is None:
            self._tell(end)
            return
        left = aftermath.answered(end.event, end.record.position, end.answered)

        def failed(error: BaseException) -> None:
            self._observer.trouble(f"the state that a CDR leaves cannot be written: {type(error).__name__}: {error}")

        self._states.later(Update(left, _tp(end.record), lambda: self._tell(end), failed))

    def _tell(self, end: End) -> None:
        self._observer.settled(Module.CDRS, end.outcome)
        self._settling.outcomes.put(_entry(end))

    # --- once again --------------------------------------------------------------------------------------------------

    async def again(self, event: Event, again: Again) -> tuple[Outcome, str]:
        """An operator has a dead letter sent again: custody begins anew, with an attempt at once (promise 5)."""
        assert event.audience is not None  # noqa: S101  # what makes it one of these
        key, store = CdrKey(event.owner, event.object_id.upper(), event.audience), self._reach.store
        record = await self._reach.until_there(partial(store.read_cdr, key))
        if record is None:
            return Outcome.NOT_SENT, "the hub does not remember this CDR any more"
        same = record.custody is not None and letters.id_of_cdr(record) == again.letter
        if same and record.status_code is None and record.custody is not None and not record.custody.live:
            if record.custody.turn != again.version:
                return Outcome.SUPERSEDED, "it was given up once more since then: that is a letter of its own"
            begun = replace(record, custody=custody.anew(record.custody, self._clock.utc()))
            if not await self._reach.until_there(partial(store.step_cdr, begun)):
                return Outcome.SUPERSEDED, "it was changed meanwhile"
            self.expect(event.audience)
        await self._reach.until_there(partial(store.letters.drop, again.letter, version=again.version))
        if same and record.status_code is None:
            return Outcome.CUSTODY, "in custody again"
        return Outcome.SUPERSEDED, "its recipient has answered it meanwhile, or it was posted again"


def _entry(end: End) -> Entry:
    """What an outcome record is made of: that of the push, which ended as taken into custody, has gone before."""
    record, event = end.record, end.event
    tp, recipient = _tp(record), record.key.recipient
    entry = Entry(Record(tp.topic, tp.partition, record.position, 0, event.key, (), b""), event, 0.0)
    entry.results.append((recipient, end.outcome, end.detail, int(end.ms)))
    for one in record.custody.attempts if record.custody is not None else ():
        entry.tried((recipient, one.at, one.http_status, one.status_code, one.words, one.ms))
    entry.custody = record.custody.turn if record.custody is not None else 0
    return entry


def _event(record: CdrRecord) -> Event:
    held, key = record.custody, record.key
    assert held is not None  # noqa: S101  # of such records only
    return custody.event_of(held, key.owner, key.recipient, Module.CDRS, record.payload)


def _tp(record: CdrRecord) -> TopicPartition:
    return TopicPartition(TOPIC, record.custody.partition if record.custody is not None else 0)


def _may(owned: Owned) -> bool:
    return owned.active and not owned.leaving


def _waits(record: CdrRecord) -> bool:
    return record.status_code is None and record.custody is not None and record.custody.held is Held.WAITING
