"""The worker's life: read, let in, settle, commit; partitions that come and go."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from connectors.values import Module, PartyId
from routing.clock import Clock
from routing.log.port import Assignment, Log, LogError, PartitionLost, TopicPartition
from routing.policy import DeliverySettings, Outcome
from routing.rates import Rates
from routing.reading import Nobody, Owners
from routing.store.port import Store
from routing.worker.admission import Admission
from routing.worker.again import Agains
from routing.worker.aside import Aside
from routing.worker.asking import Asking
from routing.worker.attempts import Attempts
from routing.worker.custody import Custodian
from routing.worker.delivery import Delivery
from routing.worker.directed import DirectedPushes
from routing.worker.gap import Gaps
from routing.worker.intake import Intake
from routing.worker.keeping import Keeping
from routing.worker.leaving import Leaving
from routing.worker.marks import Marks
from routing.worker.owned import Owned
from routing.worker.ports import Hold, Locate, Observer, Resolver, Sender
from routing.worker.reach import Reach
from routing.worker.reads import Reads
from routing.worker.resync import Resync
from routing.worker.resync_topic import Around
from routing.worker.settling import Settling
from routing.worker.slot import Line
from routing.worker.states import States
from routing.worker.stubborn import Stubborn
from routing.worker.tracker import Entry
from routing.worker.widths import Feeling, Widths

GROUP = "ocpi-hub.routing"
_READ_RECORDS = 16  # in one turn of the event loop, which others wait for
_READ_BYTES = 4 * 1024 * 1024
_READ_BYTES_FAILING = 256 * 1024  # while the store is away what was read may wait for long
_READ_WAIT = 1.0
_RELIEF = 0.1
_SWEEP_EVERY = 1.0
_AGAIN_AFTER = 0.5
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
        hold: Hold,
        clock: Clock,
        random: Random,
        observer: Observer,
        owners: Owners | None = None,
        settings: DeliverySettings | None = None,
        rates: Rates | None = None,
        widths: Widths | None = None,
        member: str = "worker",
    ) -> None:
        self._settings = settings = settings or DeliverySettings()
        self._clock = clock
        self._observer = observer
        self._owned: dict[TopicPartition, Owned] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._stop_by = math.inf
        self._holds_since: float | None = None
        self.failure: str | None = None
        """Why the worker does not work any more, though nobody stopped it: a defect (readiness says so)."""
        self.behind = 0.0
        """How many seconds the last record had been on the log when it was read; 0 where there was none to read."""
        self._consumer = log.consumer(GROUP, topics, member=member)
        self._reach = reach = Reach(store, trouble=observer.trouble)
        self.widths = widths = widths or Widths(settings, clock)
        rates = rates or Rates(lambda platform: None, lambda: 1, clock.monotonic)
        self.states = States(reach, most=settings.unwritten_most, most_bytes=settings.unwritten_bytes)
        self.marks = Marks(reach, clock)
        self.settling = Settling(log=log, consumer=self._consumer, owned=self._owned, observer=observer)
        self.aside = Aside(
            reach=reach, consumer=self._consumer, clock=clock, trouble=observer.trouble, counted=observer.set_aside
        )
        attempts = Attempts(
            reach=reach, resolver=resolver, sender=Feeling(sender, widths, rates, Line.BROADCASTS), locate=locate,
            clock=clock, random=random, observer=observer,
            told=lambda end: self.custody.ended(end),  # noqa: PLW0108 - it comes later
        )  # fmt: skip
        keeping = Keeping(
            reach=reach, resolver=resolver, hold=hold, clock=clock, random=random, observer=observer,
            told=lambda recipient: self.custody.expect(recipient),  # noqa: PLW0108 - as above
        )  # fmt: skip
        self.directed = DirectedPushes(
            log=log, reach=reach, states=self.states, sender=Feeling(sender, widths, rates, Line.URGENT),
            resolver=resolver, locate=locate, clock=clock, settings=settings, hub=hub, keeping=keeping,
            trouble=observer.trouble,
        )  # fmt: skip
        self.asking = Asking(log=log, owners=owners or Nobody(), clock=clock, observer=observer)
        self.delivery = Delivery(
            hub=hub, directed=self.directed, attempts=attempts, sender=sender, resolver=resolver, marks=self.marks,
            settings=settings, clock=clock, random=random, observer=observer, ended=self.settling.end,
            broken=self._broken, states=self.states, asking=self.asking, store_away=lambda: reach.away,
            holds=self._consumer.holds, widths=widths, rates=rates,
        )  # fmt: skip
        self.custody = Custodian(
            log=log, reach=reach, attempts=attempts, delivery=self.delivery, resolver=resolver, owned=self._owned,
            states=self.states, settling=self.settling, observer=observer, clock=clock, settings=settings,
        )  # fmt: skip
        agains = Agains(
            reach=reach, delivery=self.delivery, resolver=resolver, settling=self.settling, clock=clock,
            others={Module.CDRS: self.custody.again}, broken=self._broken,
        )  # fmt: skip
        admission = Admission(
            states=self.states, marks=self.marks, delivery=self.delivery, directed=self.directed, resolver=resolver,
            settling=self.settling, aside=self.aside, reads=Reads(consumer=self._consumer, observer=observer),
            agains=agains, asking=self.asking, clock=clock, settings=settings,
        )  # fmt: skip
        self._gaps = Gaps(marks=self.marks, resolver=resolver, settling=self.settling, observer=observer)
        self.intake = Intake(
            owned=self._owned, admission=admission, delivery=self.delivery, states=self.states, marks=self.marks,
            settling=self.settling, reach=reach, resolver=resolver, consumer=self._consumer, observer=observer,
            clock=clock, settings=settings,
        )  # fmt: skip
        self.resync = Resync(
            Around(
                log, reach, self.marks, self.delivery, resolver, owned=self._owned,
                holds=self._consumer.holds, outcomes=self.settling.outcomes, observer=observer, clock=clock,
                settings=settings, stubborn=Stubborn(settings.resync_rounds),
            )
        )  # fmt: skip
        self._leaving = Leaving(
            delivery=self.delivery, states=self.states, settling=self.settling, reach=reach, observer=observer,
            until=lambda began: min(began + self._settings.settle, self._stop_by), holds=self._consumer.holds,
        )  # fmt: skip

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Join the group; returns once this member takes part."""
        await self._consumer.start(self)
        loop = asyncio.get_running_loop()
        runs = (
            self.states.run,
            self.settling.outcomes.run,
            self.settling.run,
            self.intake.run,
            self.aside.run,
            self.resync.run,
            self.custody.run,
            self.asking.run,
            self._sweep_often,
            self._look_often,
        )
        self._tasks = [loop.create_task(self._read()), *(loop.create_task(self._on_and_on(run)) for run in runs)]
        for task in self._tasks:
            task.add_done_callback(self._task_ended)

    async def stop(self, *, settle: float | None = None) -> None:
        """Leave in order: begin nothing, end or cut off what was begun, commit what is settled and mark it clean.

        `settle` are the seconds that what was begun has to end, else those of the settings.
        """
        self._stopping = True
        settle = self._settings.settle if settle is None else settle
        self._stop_by = asyncio.get_running_loop().time() + settle
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

    async def _on_and_on(self, run: Callable[[], Awaitable[None]]) -> None:
        """Whatever a task meets, it goes on: what it serves would wait for ever without it."""
        while True:
            try:
                await run()
            except Exception as error:  # noqa: BLE001  # as it says above
                self._observer.trouble(f"a defect of the worker: {type(error).__name__}: {error}; it goes on")
                await asyncio.sleep(_AGAIN_AFTER)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = f"the worker stopped: {type(error).__name__}: {error}"
            self._observer.trouble(self.failure)

    def _broken(self, entry: Entry, party: PartyId, error: BaseException) -> None:
        """An event that could not be handled for one recipient: set aside, and then it ended so for that one."""
        reason = f"its handling for {party} failed: {type(error).__name__}: {error}"

        def done() -> None:
            self.settling.end(entry, party, Outcome.POISON, reason, 0.0)

        self.aside.put(entry.tp, entry.position, entry.key, reason, done)

    def kill(self) -> None:
        """End without any order, as a killed process does (for simulations)."""
        for owned in self._owned.values():
            owned.active = owned.held = False
            for task in (*owned.in_flight, *owned.storing):
                task.cancel()
        for running in self._tasks:
            running.cancel()
        self.resync.kill()
        self.custody.kill()
        self.asking.kill()

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while not self._stopping:
            most = _READ_BYTES_FAILING if self.intake.failing else _READ_BYTES
            try:
                records = await self._consumer.read(max_records=_READ_RECORDS, max_bytes=most, wait=_READ_WAIT)
            except LogError as error:
                self._observer.trouble(f"the log cannot be read: {error}; trying again")
                await asyncio.sleep(_AGAIN_AFTER)
                continue
            self.behind = max((self._clock.utc() - records[-1].append_time) / 1000, 0.0) if records else 0.0
            if not records and not self._consumer.holds():
                await asyncio.sleep(_AGAIN_AFTER)  # cut off, or ended by others: it may give nothing at once
            self.intake.take(records)
            if records:
                await asyncio.sleep(0)  # the log may have more at once, and everybody else would wait for all of it
            while self.settling.waited_for > self._settings.undelivered_bytes:  # noqa: ASYNC110  # it is a sum
                await asyncio.sleep(_RELIEF)  # each of these ends within its caller's deadline

    async def _sweep_often(self) -> None:
        sweeps = 0
        while True:
            await asyncio.sleep(_SWEEP_EVERY)
            await self._sweep()
            sweeps += 1
            if sweeps % _FORWARD_EVERY == 0:
                self.settling.forward()

    async def _look_often(self) -> None:
        """Cut off what is in flight before another owner can begin, when the log has not heard of us for too long."""
        held = True
        self._holds_since = self._clock.monotonic()
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            holds = self._consumer.holds()
            if holds is not held:
                held = holds
                self._holds_since = self._clock.monotonic() if holds else None
                self.delivery.go_on() if holds else self.delivery.cut_off()

    async def _sweep(self) -> None:
        """Nothing stays unsettled for long: who holds the oldest event of a partition is marked.

        The time in which the log was away, and nothing could be begun, is nobody's slowness.
        """
        limit = self._clock.monotonic() - self._settings.unsettled_most
        if self._holds_since is None or self._holds_since > limit:
            return
        for owned in list(self._owned.values()):
            oldest = owned.tracker.oldest()
            if owned.active and oldest is not None and oldest.held and oldest.since < limit:
                for platform in dict.fromkeys(oldest.leader.open.values()):
                    lane = self.delivery.lanes.get(platform)
                    if lane is not None and oldest.held and self._owned.get(owned.tp) is owned:
                        self.delivery.mark_soon(lane, owned.tp, "it was too slow")
                        await asyncio.sleep(0)  # much may wait there: who has a caller waiting gets its turn

    # --- partitions that come and go (the Listener of the log port) --------------------------------------------------

    async def assigned(self, assignments: Sequence[Assignment]) -> None:
        gained = [Owned(assignment) for assignment in assignments]
        self.states.forget()
        ours = await self._recommit(gained)
        for owned in ours:
            self._owned[owned.tp] = owned
            self.delivery.own(owned)
            owned.active = owned.replay is None
            if owned.gap is not None:
                self.delivery.store_soon(owned, self._gaps.found(owned, owned.gap))
        self.intake.own(ours)

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
                if self._stopping:
                    return []
                await asyncio.sleep(_AGAIN_AFTER)
        return gained

    async def revoked(self, tps: Sequence[TopicPartition]) -> None:
        going = [self._owned[tp] for tp in tps if tp in self._owned]
        for owned in going:
            owned.active, owned.leaving = False, True
        try:
            await self._leaving.settle(going)
        finally:
            # whatever happens to this call, the next owner must not meet a request of ours, nor we what waited here
            for owned in going:
                owned.held = False
                for task in (*owned.in_flight, *owned.storing):
                    task.cancel()
                self.intake.leave(owned)
                self.delivery.drop(owned.tp)
                for entry in owned.tracker.entries:
                    self.settling.forget(entry)
                if self._owned.get(owned.tp) is owned:
                    del self._owned[owned.tp]
            self.marks.forget(tps)
            self.states.forget(tps)
            self.asking.forget(tps)
