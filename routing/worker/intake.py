"""Intake: what was read goes in at once where that needs no store; what needs it waits, and its partition with it.

A partition whose records wait is read no further once enough of them do, so a store that is away costs a bounded
part of memory, and the others go on. Everything within one partition goes in in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Final

from routing.clock import Clock
from routing.log.port import Consumer, Record, TopicPartition
from routing.policy import DeliverySettings
from routing.store.port import StoreAway
from routing.worker.admission import Admission
from routing.worker.delivery import Delivery
from routing.worker.marks import Marks
from routing.worker.owned import Item, Owned
from routing.worker.ports import Observer, Resolver
from routing.worker.reach import AGAIN_AFTER, Reach
from routing.worker.reading_order import ReadingOrder
from routing.worker.settling import Settling
from routing.worker.states import States
from routing.worker.takeover import conclude, let_go, needs_store, needs_store_in_turns

MOST_WAITING: Final = 1000
MOST_WAITING_BYTES: Final = 4 * 1024 * 1024
_A_ROUND: Final = 1000
_A_TURN: Final = 16
_RELIEF: Final = 0.1
_GATHER: Final = 0.01
_PATIENCE: Final = 1.0
"""Seconds that a directed push waits for a store that fails before it is refused."""


class Intake:
    """One instance a worker; `owned` is the worker's own."""

    def __init__(
        self,
        *,
        owned: dict[TopicPartition, Owned],
        admission: Admission,
        delivery: Delivery,
        states: States,
        marks: Marks,
        settling: Settling,
        reach: Reach,
        resolver: Resolver,
        consumer: Consumer,
        observer: Observer,
        clock: Clock,
        settings: DeliverySettings,
    ) -> None:
        self._owned = owned
        self._admission = admission
        self._delivery = delivery
        self._states = states
        self._marks = marks
        self._settling = settling
        self._reach = reach
        self._resolver = resolver
        self._consumer = consumer
        self._observer = observer
        self._clock = clock
        self._settings = settings
        self._pending: dict[Owned, None] = {}
        self._waiting = 0
        self._waiting_bytes = 0
        self._failing: float | None = None
        self._wake = asyncio.Event()
        self._order = ReadingOrder(consumer, settings)

    @property
    def failing(self) -> bool:
        """Whether the store did not do what the last round needed."""
        return self._failing is not None

    # --- what the reader gives ---------------------------------------------------------------------------------------

    def take(self, records: Sequence[Record]) -> None:
        """Records in order within each partition; those of partitions that are not ours are left alone."""
        read_on = False
        for record in records:
            owned = self._owned.get(record.tp)
            if owned is not None and not owned.leaving and record.position >= owned.tracker.read_to:
                read_on = read_on or owned.replay is not None
                item = self._admission.open(owned, record)
                if item is not None and (owned.backlog or owned.placing or not self._at_once(owned, item)):
                    self._add(owned, item)
        if read_on and self._settings.undelivered_bytes - self._settling.undelivered > MOST_WAITING_BYTES:
            self._delivery.releasing.read_on()
        for owned in [owned for owned in self._owned.values() if owned.replay is not None]:
            if not owned.queued and self._order.is_read(owned) and not owned.backlog:
                self._conclude_now(owned)
        self._pace()
        if self._pending:
            self._wake.set()

    def _at_once(self, owned: Owned, item: Item) -> bool:
        try:
            return self._admission.at_once(owned, item)
        except Exception as error:  # noqa: BLE001  # one event that breaks its handler must not stop the others
            self._admission.broken(item, error)
            return True

    def _add(self, owned: Owned, item: Item) -> None:
        if self._failing is not None and self._admission.refuse(owned, item, failing=self._is_away()):
            return
        owned.backlog.append(item)
        self._waiting += 1
        self._waiting_bytes += len(item.record.value)
        self._pending[owned] = None

    def _conclude_now(self, owned: Owned) -> None:
        if self._gathered(owned) or owned.placing or needs_store(owned, self._delivery):
            self._pending[owned] = None
        else:
            let_go(owned, self._delivery)
            self._settling.moved(owned.tp)  # what was settled while the window was read could not be committed yet

    def own(self, gained: Sequence[Owned]) -> None:
        """Partitions became ours: their marks are read before anything that they may cover is let in."""
        self._pending |= dict.fromkeys(gained)
        self._order.own(gained)
        self._pace()
        self._wake.set()

    def leave(self, owned: Owned) -> None:
        """A partition is not ours any more: what waits of it is the log's again."""
        while owned.backlog:
            self._gone(owned, owned.backlog[0])
        self._pending.pop(owned, None)
        self._order.leave(owned)

    def _gone(self, owned: Owned, item: Item) -> None:
        if owned.backlog and owned.backlog[0] is item:
            owned.backlog.popleft()
        elif item in owned.backlog:
            owned.backlog.remove(item)
        else:
            return
        self._waiting -= 1
        self._waiting_bytes -= len(item.record.value)

    def _pace(self) -> None:
        """Read no further where enough waits, and on where nothing does."""
        enough = self._failing is not None or self._waiting >= MOST_WAITING or self._waiting_bytes >= MOST_WAITING_BYTES
        pause = [owned for owned in self._pending if enough and owned.backlog and not owned.paused]
        if pause:
            self._consumer.pause([owned.tp for owned in pause])
            for owned in pause:
                owned.paused = True
        self._order.go_on()
        resume = [owned for owned in self._owned.values() if owned.paused and not (owned.queued or owned.backlog)]
        if resume:
            self._consumer.resume([owned.tp for owned in resume])
            for owned in resume:
                owned.paused = False

    # --- rounds ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Let in what waits, round by round, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                pause = await self._round()
            except Exception as error:  # noqa: BLE001  # whatever it was, it must not end the worker
                self._observer.trouble(f"a round of letting in failed: {type(error).__name__}: {error}; trying again")
                pause = AGAIN_AFTER
            if self._pending:
                self._wake.set()
            await asyncio.sleep(pause)

    async def _round(self) -> float:
        """One round; the seconds until the next one may begin."""
        pending = [owned for owned in self._pending if _stays(owned)]
        items = list(islice((item for owned in pending for item in owned.backlog), _A_ROUND))
        gated = self._settling.undelivered > self._settings.undelivered_bytes
        away: StoreAway | None = None
        if gated:
            try:
                gated = await self._relieve()
            except StoreAway as error:
                away = error
        away = away or await self._prepare(pending, items, write=not gated)
        before = self._waiting
        for owned in pending:
            try:
                await self._let_in(owned, ask=away is None)
            except StoreAway as error:
                away = error
        if away is not None:
            self._missed(away)
            return AGAIN_AFTER
        self._failing = None
        self._pace()
        if gated or (self._pending and self._waiting >= before):
            return _RELIEF  # marks are being made durable, or what is left is in flight
        broadcasts = sum(item.written for item in items)
        # broadcasts have no caller waiting: a moment more of them in one write of their states costs less
        return _GATHER if 0 < broadcasts < _A_ROUND // 4 else 0.0

    async def _prepare(self, pending: Sequence[Owned], items: Sequence[Item], *, write: bool) -> StoreAway | None:
        """Ask and tell the store all that these need; why that was not possible."""
        if self._reach.away:
            return StoreAway("it cannot be used now")
        try:
            await self._load_marks(pending)
            await self._refresh(items)
            if write:
                await self._admission.write(items)
        except StoreAway as error:
            return error
        return None

    def _missed(self, error: StoreAway) -> None:
        """The store could not be asked or told: what waits is read no further, and callers hear of it."""
        self._reach.missed(error)
        if self._failing is None:
            self._failing = self._clock.monotonic()
        self._pace()
        away = self._is_away()
        for owned in list(self._pending):
            for item in [item for item in owned.backlog if item.event is not None and item.event.audience is not None]:
                if not owned.leaving and self._admission.refuse(owned, item, failing=away):
                    self._gone(owned, item)

    def _is_away(self) -> bool:
        failing = self._failing
        return failing is not None and (self._reach.away or self._clock.monotonic() - failing > _PATIENCE)

    async def _load_marks(self, pending: Sequence[Owned]) -> None:
        unknown = [owned for owned in pending if not owned.marked]
        if unknown:
            await self._marks.claim(owned.tp for owned in unknown)
            for owned in unknown:
                owned.marked = True

    async def _refresh(self, items: Sequence[Item]) -> None:
        """Bring the directory up to what the edges saw of it when they accepted these."""
        newest = max((item.event.revision for item in items if item.event is not None), default=-1)
        if newest <= self._admission.refreshed or not self._resolver.behind(newest):
            return
        try:
            await self._reach.once(self._resolver.refresh)
        except StoreAway:
            raise
        except Exception as error:  # noqa: BLE001  # no event's fault: what can be read of the directory has to do
            self._observer.trouble(f"the directory cannot be read: {type(error).__name__}: {error}")
        self._admission.refreshed = newest

    async def _let_in(self, owned: Owned, *, ask: bool) -> None:
        """Let in what is ready of a partition, in order; without `ask` only what needs no store. Raises StoreAway."""
        turn = 0
        while owned.backlog and _stays(owned):
            item = owned.backlog[0]
            if not item.aside and not self._admission.ready(owned, item):
                return
            try:
                done = await self._admission.let_in(owned, item, ask=ask)
            except StoreAway:
                raise
            except Exception as error:  # noqa: BLE001  # one event that breaks its handler must not stop the others
                self._admission.broken(item, error)
                done = True
            if not done or not _stays(owned):
                return
            self._gone(owned, item)
            turn += 1
            if turn % _A_TURN == 0:
                await asyncio.sleep(0)  # who has a caller waiting gets its turn
        if owned.replay is not None and _stays(owned) and self._order.is_read(owned):
            await self._conclude(owned, ask=ask)
        if owned.marked and not owned.backlog and not (owned.replay is not None and self._order.is_read(owned)):
            self._pending.pop(owned, None)

    async def _conclude(self, owned: Owned, *, ask: bool) -> None:
        """The window was read whole: let what it left go its way. Raises StoreAway."""
        if self._gathered(owned) and ask:
            await self._admission.gathering.place(owned)
        if self._gathered(owned) or not _stays(owned):
            return
        owned.placing = True  # what comes meanwhile waits
        open_still = await needs_store_in_turns(owned, self._delivery)
        if not _stays(owned):
            return
        if not open_still:
            let_go(owned, self._delivery)
        elif ask:
            await conclude(owned, self._delivery, self._states, self._marks)
        self._settling.moved(owned.tp)  # what was settled while the window was read could not be committed yet

    def _gathered(self, owned: Owned) -> bool:
        """Whether the window that was read holds anything, or left states to be written."""
        return bool(owned.window) or self._states.keeps(owned.tp)

    async def _relieve(self) -> bool:
        """Too many bodies wait: those of the slowest platform become a mark, or those of the largest window.

        Whether anything will get less by it. Raises StoreAway.
        """
        lane = self._delivery.slowest()
        windows = [owned for owned in self._owned.values() if owned.window and _stays(owned)]
        largest = max(windows, key=lambda owned: len(owned.window or ()), default=None)
        if lane is not None and (largest is None or lane.waiting >= len(largest.window or ())):
            for tp in lane.partitions():
                self._delivery.mark_soon(lane, tp, "the hub held too many undelivered bodies")
        elif largest is not None and await self._admission.gathering.mark(largest):
            return True
        waiting = {tp for lane in self._delivery.lanes.values() for tp in lane.partitions()}
        return any(self._owned[tp].active for tp in waiting if tp in self._owned)


def _stays(owned: Owned) -> bool:
    """Whether it is ours and stays so, as far as is known."""
    return owned.held and not owned.leaving
