"""The worker's life: read, admit, settle, commit; partitions that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from connectors.values import PartyId
from routing.clock import Clock
from routing.log.port import Assignment, Log, LogError, PartitionLost, Record, TopicPartition
from routing.policy import DeliverySettings
from routing.store.port import Store
from routing.worker.admission import Admission
from routing.worker.delivery import Delivery
from routing.worker.directed import DirectedPushes
from routing.worker.marks import Marks
from routing.worker.owned import Owned
from routing.worker.ports import Locate, Observer, Resolver, Sender
from routing.worker.settling import Settling
from routing.worker.slot import Directed
from routing.worker.states import States
from routing.worker.takeover import conclude

GROUP = "ocpi-hub.routing"
_READ_RECORDS = 500
_READ_BYTES = 4 * 1024 * 1024
_READ_WAIT = 1.0
_RELIEF = 0.1
_SWEEP_EVERY = 1.0
_AGAIN_AFTER = 0.5
_GATHER = 0.01
_FORWARD_EVERY = 10
_LOOK_EVERY = 0.25


class Worker:
    """One member of the routing group. `start`, then `stop` in order, or be killed at any moment."""

    def __init__(
        self,
        *,
        log: Log,
        store: Store,
        topics: Sequence[str],
        hub: PartyId,
        sender: Sender,
        resolver: Resolver,
        locate: Locate,
        clock: Clock,
        random: Random,
        observer: Observer,
        settings: DeliverySettings | None = None,
        member: str = "worker",
    ) -> None:
        self._settings = settings = settings or DeliverySettings()
        self._clock = clock
        self._observer = observer
        self._owned: dict[TopicPartition, Owned] = {}
        self._replaying: set[TopicPartition] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self.failure: str | None = None
        """Why the worker does not work any more, though nobody stopped it: a defect (readiness says so)."""
        self.behind = 0.0
        """How many seconds the last record had been on the log when it was read; 0 where there was none to read."""
        self._letting_in = asyncio.Lock()
        self._consumer = log.consumer(GROUP, topics, member=member)
        self.states = States(store, trouble=observer.trouble)
        self.marks = Marks(store, clock, trouble=observer.trouble)
        self.settling = Settling(log=log, consumer=self._consumer, owned=self._owned, observer=observer)
        self.directed = DirectedPushes(
            log=log, store=store, states=self.states, sender=sender, resolver=resolver, locate=locate, clock=clock,
            settings=settings, observer=observer, hub=hub,
        )  # fmt: skip
        self.delivery = Delivery(
            hub=hub, directed=self.directed, sender=sender, resolver=resolver, marks=self.marks, settings=settings,
            clock=clock, random=random, observer=observer, ended=self.settling.end, write_later=self.states.later,
            holds=self._consumer.holds,
        )  # fmt: skip
        self.admission = Admission(
            states=self.states, marks=self.marks, delivery=self.delivery, directed=self.directed, resolver=resolver,
            clock=clock, observer=observer, ended=self.settling.end_all, closed=self.settling.close,
            admitted=self.settling.admitted,
        )  # fmt: skip

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Join the group; returns once this member takes part."""
        await self._consumer.start(self)
        loop = asyncio.get_running_loop()
        runs = (
            self._read(),
            self.states.run(),
            self.settling.outcomes.run(),
            self.settling.run(),
            self._sweep_often(),
            self._look_often(),
        )
        self._tasks = [loop.create_task(run) for run in runs]
        for task in self._tasks:
            task.add_done_callback(self._task_ended)

    async def stop(self, *, settle: float | None = None) -> None:
        """Leave in order: begin nothing, end or cut off what was begun, commit what is settled and mark it clean.

        `settle` are the seconds that what was begun has to end, else those of the settings.
        """
        self._stopping = True
        if settle is not None:
            self._settings = replace(self._settings, settle=settle)
        await self._consumer.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def trouble(self) -> str | None:
        """Why it does not do its work now, as a sentence (readiness)."""
        if self.failure is not None or self._consumer.holds():
            return self.failure
        return "the worker is no member of its group: the log has not heard of it lately"

    def unsettled(self) -> float:
        """How many seconds the oldest event that is under way has been so."""
        oldest = [entry.since for owned in self._owned.values() if (entry := owned.tracker.oldest()) is not None]
        return max(self._clock.monotonic() - min(oldest), 0.0) if oldest else 0.0

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = f"the worker stopped: {type(error).__name__}: {error}"
            self._observer.trouble(self.failure)

    def kill(self) -> None:
        """End without any order, as a killed process does (for simulations)."""
        for owned in self._owned.values():
            owned.active = False
            for task in list(owned.in_flight):
                task.cancel()
        for task in self._tasks:
            task.cancel()

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while not self._stopping:
            try:
                records = await self._consumer.read(max_records=_READ_RECORDS, max_bytes=_READ_BYTES, wait=_READ_WAIT)
            except LogError as error:
                self._observer.trouble(f"the log cannot be read: {error}; trying again")
                await asyncio.sleep(_AGAIN_AFTER)
                continue
            self.behind = max((self._clock.utc() - records[-1].append_time) / 1000, 0.0) if records else 0.0
            if not records and not self._consumer.holds():
                await asyncio.sleep(_AGAIN_AFTER)  # cut off, or ended by others: it may give nothing at once
            async with self._letting_in:
                busy = await self._take(records)
            if busy and len(records) < _READ_RECORDS // 2:
                # broadcasts have no caller waiting: a moment more of them in one write of their states costs less
                await asyncio.sleep(_GATHER)

    async def _take(self, records: Sequence[Record]) -> bool:
        """Let them in; whether there were broadcasts among them."""
        broadcasts = await self.admission.admit(self._owned, records)
        if self._replaying:
            await self._conclude_those_read()
        while self.settling.undelivered > self._settings.undelivered_bytes:
            self._relieve()
            await asyncio.sleep(_RELIEF)  # marks are being made durable, or what is left is in flight
        return broadcasts

    async def _conclude_those_read(self) -> None:
        for owned in [self._owned[tp] for tp in self._replaying if tp in self._owned]:
            position = self._consumer.position(owned.tp)
            if owned.replay is not None and position is not None and position >= owned.replay.end:
                await self._conclude(owned)
        self._replaying = {tp for tp in self._replaying if tp in self._owned and self._owned[tp].replay is not None}

    async def _conclude(self, owned: Owned) -> None:
        await conclude(owned, self.delivery, self.states)
        self.settling.moved(owned.tp)  # what was settled while the window was read could not be committed yet

    def _relieve(self) -> None:
        """Too many bodies wait: those of the slowest platform become a mark."""
        lane = self.delivery.slowest()
        if lane is None:
            return
        for tp in lane.partitions():
            self.delivery.mark_soon(lane, tp, "the hub held too many undelivered bodies")

    async def _sweep_often(self) -> None:
        sweeps = 0
        while True:
            await asyncio.sleep(_SWEEP_EVERY)
            self._sweep()
            sweeps += 1
            if sweeps % _FORWARD_EVERY == 0:
                self.settling.forward()

    async def _look_often(self) -> None:
        """Cut off what is in flight before another owner can begin, when the log has not heard of us for too long."""
        held = True
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            holds = self._consumer.holds()
            if holds is not held:
                held = holds
                self.delivery.go_on() if holds else self.delivery.cut_off()

    def _sweep(self) -> None:
        """Nothing stays unsettled for long: who holds the oldest event of a partition is marked."""
        limit = self._clock.monotonic() - self._settings.unsettled_most
        for owned in self._owned.values():
            oldest = owned.tracker.oldest()
            if owned.active and oldest is not None and oldest.since < limit:
                for platform in set(oldest.open.values()):
                    lane = self.delivery.lanes.get(platform)
                    if lane is not None:
                        self.delivery.mark_soon(lane, owned.tp, "it was too slow")

    # --- partitions that come and go (the Listener of the log port) --------------------------------------------------

    async def assigned(self, assignments: Sequence[Assignment]) -> None:
        gained = [Owned(assignment) for assignment in assignments]
        self.states.forget()
        await self.marks.load(owned.tp for owned in gained)
        for owned in await self._recommit(gained):
            self._owned[owned.tp] = owned
            self.delivery.own(owned)
            owned.active = owned.replay is None
            if owned.replay is not None:
                self._replaying.add(owned.tp)

    async def _recommit(self, gained: Sequence[Owned]) -> Sequence[Owned]:
        """Unclean from here on: whoever comes after a kill must not trust the former owner's clean mark.

        Returns those that are still ours.
        """
        while gained:
            try:
                await self._consumer.commit({owned.tp: owned.unclean() for owned in gained})
                break
            except PartitionLost as error:
                gained = [owned for owned in gained if owned.tp not in error.lost]
                break
            except LogError as error:
                self._observer.trouble(f"the log does not take commits: {error}; trying again")
                await asyncio.sleep(_AGAIN_AFTER)
        return gained

    async def revoked(self, tps: Sequence[TopicPartition]) -> None:
        going = [self._owned[tp] for tp in tps if tp in self._owned]
        for owned in going:
            owned.active = False
        try:
            await self._settle(going)
        finally:
            # whatever happens to this call, the next owner must not meet a request of ours, nor we what waited here
            for owned in going:
                owned.held = False
                for task in list(owned.in_flight):
                    task.cancel()
                self.delivery.drop(owned.tp)
                for entry in owned.tracker.entries:
                    self.settling.forget(entry)
                if self._owned.get(owned.tp) is owned:
                    del self._owned[owned.tp]
            self.marks.forget(tps)
            self.states.forget()

    async def _settle(self, going: Sequence[Owned]) -> None:
        """End or cut off what was begun, answer what no owner may attempt any more, commit what is settled as clean."""
        try:
            async with asyncio.timeout(self._settings.settle):
                async with self._letting_in:  # a batch that was read is let in whole, so that none of it is overtaken
                    pass
                await self._ended(going)
        except TimeoutError:
            for owned in going:
                for task in list(owned.in_flight):
                    task.cancel()
            await self._ended(going)
        self._answer_overtaken(going)
        await self.states.flush()
        await self.settling.outcomes.flush()
        await self.settling.commit({owned.tp: owned.clean() for owned in going if owned.replay is None})

    @staticmethod
    async def _ended(going: Sequence[Owned]) -> None:
        """What is in flight of these has ended."""
        while in_flight := [task for owned in going for task in owned.in_flight]:
            await asyncio.wait(in_flight)

    def _answer_overtaken(self, going: Sequence[Owned]) -> None:
        """A directed push that waits, but stands before one that was begun: no owner may attempt it any more."""
        tps = {owned.tp: owned for owned in going}
        for lane in self.delivery.lanes.values():
            for slot in list(lane.slots.values()):
                owned = tps.get(slot.tp)
                if owned is None:
                    continue
                for item in [item for item in slot.queue if isinstance(item, Directed)]:
                    if item.entry.position <= owned.begun:
                        slot.queue.remove(item)
                        self.delivery.give_up(item, owned, "the hub was restarted before its turn came")
