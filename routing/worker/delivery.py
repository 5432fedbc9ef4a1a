"""Delivery: the lanes of every platform, and the tasks that serve their slots.

A slot is served by one task at a time and gives up its place after each item, so that objects take turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random

from connectors.errors import NotConnected, OcpiError, OutcomeUnknown
from connectors.values import PartyId
from routing.clock import Clock
from routing.event import Event
from routing.fold import Request, fold_all
from routing.log.port import Position, TopicPartition
from routing.outbound import Answered
from routing.policy import DeliverySettings, Outcome, ended, pause, retry_after
from routing.state import ObjectState
from routing.worker.directed import DirectedPushes
from routing.worker.lane import Lane
from routing.worker.marking import Ended, Marking
from routing.worker.marks import Marks
from routing.worker.owned import Owned
from routing.worker.ports import Observer, Push, Resolver, Sender
from routing.worker.slot import Barrier, Directed, Line, Slot, SlotKey, Wave, object_name
from routing.worker.tracker import Entry
from routing.worker.turns import Turns

COMPOSED = "composed"
"""Marks, in the outcome record, a delivery whose body the hub put together by folding (P6)."""


class Delivery:
    """Takes what the worker admits, and reports each event's end for each recipient through `ended`."""

    def __init__(
        self,
        *,
        hub: PartyId,
        directed: DirectedPushes,
        sender: Sender,
        resolver: Resolver,
        marks: Marks,
        settings: DeliverySettings,
        clock: Clock,
        random: Random,
        observer: Observer,
        ended: Ended,
        write_later: Callable[[ObjectState, Callable[[], None]], None],
        holds: Callable[[], bool],
    ) -> None:
        self._turns = Turns(settings, may_begin=self._may_begin, begin=self._begin)
        self._marking = Marking(marks, ended)
        self._hub = hub
        self._directed = directed
        self._sender = sender
        self._resolver = resolver
        self._marks = marks
        self._settings = settings
        self._clock = clock
        self._random = random
        self._observer = observer
        self._ended = ended
        self._write_later = write_later
        self._holds = holds
        self._owned: dict[TopicPartition, Owned] = {}
        self._cutting = False

    @property
    def lanes(self) -> dict[str, Lane]:
        """By platform id."""
        return self._turns.lanes

    # --- letting in --------------------------------------------------------------------------------------------------

    def own(self, owned: Owned) -> None:
        """Begin with nothing: what was let in while the partition was being lost is the log's again."""
        self.drop(owned.tp)
        self._owned[owned.tp] = owned

    def broadcast(
        self, entry: Entry, event: Event, name: str, platform: str, party: PartyId,
        first: tuple[Request, ...], memo: dict[int, tuple[Request, ...]],
    ) -> None:  # fmt: skip
        """Let a broadcast into the slot of its object and this recipient; a full lane becomes a mark.

        `name` is the object's; `first` holds the event's own request; `memo` is shared by all recipients of the event.
        """
        lane = self._turns.lane(platform)
        slot = self._slot(lane, entry, event, SlotKey(name, party))
        wave = slot.offer(entry, first, memo)
        slot.event = event
        if wave is None:
            return  # folded into one that stands in line already
        lane.waiting += 1
        if lane.waiting > self._settings.waiting_most:
            self.overflow(lane, entry.tp)
        else:
            self._turns.wake(lane, slot)

    def push(self, entry: Entry, event: Event, platform: str, catch_up: tuple[Request, ...]) -> None:
        """Let a directed push in; one that is still waiting when it is too late to begin is 4003."""
        assert event.audience is not None  # noqa: S101  # what makes it directed
        lane = self._turns.lane(platform)
        slot = self._slot(lane, entry, event, SlotKey(object_name(event), event.audience))
        item = Directed(entry, event, catch_up)
        slot.queue.append(item)
        self._turns.wake(lane, slot)
        if item in slot.queue:
            delay = max(0.0, self._directed.latest_start(event)) + 0.001
            asyncio.get_running_loop().call_later(delay, self._too_late, lane, slot, item)

    def barrier(self, event: Event, tp: TopicPartition) -> None:
        """Nothing older of this object may go to this audience: a push that may have reached it stood here."""
        assert event.audience is not None  # noqa: S101  # what makes it directed
        for lane in self.lanes.values():
            slot = lane.slots.get(SlotKey(object_name(event), event.audience))
            if slot is not None and slot.tp == tp and slot.queue:
                slot.queue.append(Barrier())

    def overflow(self, lane: Lane, tp: TopicPartition) -> None:
        """A lane that is full: what waits of this partition becomes the platform's mark."""
        self.mark_soon(lane, tp, "its lane was full")

    @staticmethod
    def _slot(lane: Lane, entry: Entry, event: Event, key: SlotKey) -> Slot:
        return lane.slots.get(key) or lane.add(Slot(key, entry.tp, event))

    # --- serving -----------------------------------------------------------------------------------------------------

    def _may_begin(self, slot: Slot) -> bool:
        owned = self._owned.get(slot.tp)
        return owned is not None and owned.active and self._holds()

    def _begin(self, lane: Lane, slot: Slot, line: Line) -> None:
        slot.busy = True
        item = slot.queue[0]
        if isinstance(item, Directed):
            del slot.queue[0]
        task = asyncio.get_running_loop().create_task(self._serve(lane, slot, item, line))
        in_flight = self._owned[slot.tp].in_flight
        in_flight.add(task)
        task.add_done_callback(in_flight.discard)

    async def _serve(self, lane: Lane, slot: Slot, item: Wave | Directed | Barrier, line: Line) -> None:
        try:
            if isinstance(item, Wave):
                await self._serve_wave(lane, slot, item)
            elif isinstance(item, Directed):
                await self._serve_directed(lane, slot, item)
        except asyncio.CancelledError:
            if not self._cutting:
                raise
            await self._was_cut(slot, item)
        except Exception as error:  # noqa: BLE001  # one event that breaks its handler must not stop its lane
            self._set_aside(lane, slot, item, error)
        finally:
            slot.busy = False
            self._turns.ended(lane, slot, line)

    def cut_off(self) -> None:
        """Somebody else may own these partitions soon: end what is in flight, begin nothing."""
        self._cutting = True
        for owned in self._owned.values():
            for task in owned.in_flight:
                task.cancel()

    def go_on(self) -> None:
        """The partitions stayed ours: begin again."""
        self._cutting = False
        for owned in self._owned.values():
            self.release(owned)

    async def _was_cut(self, slot: Slot, item: Wave | Directed | Barrier) -> None:
        if isinstance(item, Wave):
            item.frozen = False
        elif isinstance(item, Directed):
            error = OutcomeUnknown("the hub lost its log while this push was under way: it may have arrived")
            self._directed.refuse(item.event, error)
            state = await self._directed.unconfirmed(item.event, item.entry.position)
            ended = partial(self._ended, item.entry, slot.key.recipient, Outcome.UNKNOWN, error.message, 0.0)
            self._write_later(state, ended)

    def _set_aside(self, lane: Lane, slot: Slot, item: Wave | Directed | Barrier, error: Exception) -> None:
        """A defect of the hub: say so, and go on without this item."""
        self._observer.trouble(f"a push could not be handled: {type(error).__name__}: {error}")
        if isinstance(item, Wave) and slot.queue and slot.queue[0] is item:
            self._finish(lane, slot, item, Outcome.POISON, type(error).__name__)
        elif isinstance(item, Directed):
            self._directed.refuse(item.event, OutcomeUnknown("the hub failed while it handled this push"))
            self._ended(item.entry, slot.key.recipient, Outcome.POISON, type(error).__name__, 0.0)

    def _permit(self, slot: Slot) -> Callable[[], bool]:
        owned = self._owned[slot.tp]
        return lambda: owned.active and self._holds()

    async def _serve_directed(self, lane: Lane, slot: Slot, item: Directed) -> None:
        self._owned[slot.tp].begin(item.entry.position)
        known = lane.begun.get(slot.key)
        if item.catch_up and known is not None and known >= item.catch_up[-1].position:
            item.catch_up = ()  # something as new was begun since it was let in
        outcome, detail, ms, state = await self._directed.serve(item, self._permit(slot))
        if outcome is not Outcome.NOT_SENT and self._marks.get(lane.platform, slot.tp) is not None:
            lane.remember(slot.key, item.entry.position)
        party = slot.key.recipient
        if state is None:
            self._ended(item.entry, party, outcome, detail, ms)
        else:
            self._write_later(state, lambda: self._ended(item.entry, party, outcome, detail, ms))

    def _too_late(self, lane: Lane, slot: Slot, item: Directed) -> None:
        owned = self._owned.get(slot.tp)
        if item not in slot.queue or owned is None or not owned.active:
            return
        slot.queue.remove(item)
        self.give_up(item, owned, "what waits before it for this recipient took too long")
        self._turns.wake(lane, slot)

    def give_up(self, item: Directed, owned: Owned, why: str) -> None:
        """Answer 4003: it was not begun, and never will be."""
        owned.begin(item.entry.position)
        error = NotConnected(f"not sent: {why}; send it again")
        self._directed.refuse(item.event, error)
        assert item.event.audience is not None  # noqa: S101  # what makes it directed
        self._ended(item.entry, item.event.audience, Outcome.NOT_SENT, error.message, 0.0)

    async def _serve_wave(self, lane: Lane, slot: Slot, wave: Wave) -> None:
        wave.frozen = True
        event, party = slot.event, slot.key.recipient
        started = self._clock.monotonic()
        composed = False
        while wave.requests:
            hosted = self._resolver.still(event, party, lane.platform)
            if hosted is None:
                return self._finish(lane, slot, wave, Outcome.SKIPPED, "not allowed or not there any more")
            request = wave.requests[0]
            composed = composed or request.composed
            push = Push(
                hosted, self._hub, event.module, request.operation, event.path[:3] + request.path, event.query,
                request.body, event.correlation_id,
            )  # fmt: skip
            failure: Answered | OcpiError
            try:
                failure = await self._sender.push(push, within=self._settings.attempt, permit=self._permit(slot))
            except OcpiError as error:
                failure = error
            else:
                outcome = ended(failure)
                if outcome is Outcome.REFUSED:
                    return self._finish(lane, slot, wave, outcome, str(failure.status_code))
                if outcome is not None:
                    if self._marks.get(lane.platform, slot.tp) is not None:
                        lane.remember(slot.key, request.position)
                    wave.requests = wave.requests[1:]
                    continue
            return await self._failed(lane, slot, wave, failure)
        ms = (self._clock.monotonic() - started) * 1000
        return self._finish(lane, slot, wave, Outcome.DELIVERED, COMPOSED if composed else "", ms)

    def _finish(self, lane: Lane, slot: Slot, wave: Wave, outcome: Outcome, detail: str = "", ms: float = 0.0) -> None:
        """The newest entry of a wave ended so; those folded into it were superseded by it."""
        del slot.queue[0]
        lane.waiting -= 1
        party = slot.key.recipient
        superseded = outcome is Outcome.DELIVERED
        for entry in wave.entries[:-1]:
            self._ended(entry, party, Outcome.SUPERSEDED if superseded else outcome, "" if superseded else detail, 0.0)
        self._ended(wave.entries[-1], party, outcome, detail, ms)

    async def _failed(self, lane: Lane, slot: Slot, wave: Wave, failure: Answered | OcpiError) -> None:
        owned = self._owned.get(slot.tp)
        if owned is None or not owned.active:
            return  # it goes with the partition: the next owner sends the newest state
        wave.attempts += 1
        wave.frozen = False
        later = slot.queue[1] if len(slot.queue) > 1 else None
        if isinstance(later, Wave):
            # what failed is carried by what came meanwhile
            wave.requests = fold_all(wave.requests, later.requests)
            wave.entries += later.entries
            del slot.queue[1]
            lane.waiting -= 1
        if wave.attempts >= self._settings.attempts:
            await self._mark_wave(lane, slot, wave, _why(failure))
            return
        delay = pause(self._settings, wave.attempts, retry_after(failure), self._random.random())
        slot.resting = True
        asyncio.get_running_loop().call_later(delay, self._rested, lane, slot)

    def _rested(self, lane: Lane, slot: Slot) -> None:
        slot.resting = False
        self._turns.wake(lane, slot)

    # --- marks -------------------------------------------------------------------------------------------------------

    async def _mark_wave(self, lane: Lane, slot: Slot, wave: Wave, why: str) -> None:
        """Attempts are used up: this wave, and all else that waits of this platform and partition, is marked."""
        del slot.queue[0]
        lane.waiting -= 1
        if slot.queue and isinstance(slot.queue[0], Directed):
            self._drop_behind(slot)
        await self._marking.mark(lane, slot.tp, [(slot, wave)], why)

    def _drop_behind(self, slot: Slot) -> None:
        owned = self._owned[slot.tp]
        while slot.queue and isinstance(slot.queue[0], Directed):
            item = slot.queue.pop(0)
            assert isinstance(item, Directed)  # noqa: S101
            self.give_up(item, owned, "the recipient did not take the broadcast of this object that stood before it")

    async def cover(self, lane: Lane, tp: TopicPartition, waves: list[tuple[Slot, Wave]], why: str) -> None:
        """Cover waves that were taken out of their slots by the platform's mark."""
        await self._marking.cover(lane, tp, waves, why)

    def slowest(self) -> Lane | None:
        """The platform that holds most of what waits."""
        return self._turns.slowest()

    def mark_soon(self, lane: Lane, tp: TopicPartition, why: str) -> None:
        """Mark what waits of this platform and partition, off the way of whoever noticed."""
        owned = self._owned.get(tp)
        if owned is None or not owned.active:
            return
        task = asyncio.get_running_loop().create_task(self._marking.mark(lane, tp, [], why))
        owned.in_flight.add(task)
        task.add_done_callback(owned.in_flight.discard)

    # --- partitions that come and go ---------------------------------------------------------------------------------

    def release(self, owned: Owned) -> None:
        """The replay window is read and folded: what it left may be sent."""
        for lane in list(self.lanes.values()):
            for slot in lane.of(owned.tp):
                self._turns.wake(lane, slot)

    def drop(self, tp: TopicPartition) -> None:
        """Forget what waits of a partition that is no longer ours."""
        self._owned.pop(tp, None)
        for lane in self.lanes.values():
            for slot in lane.of(tp):
                lane.waiting -= sum(isinstance(item, Wave) for item in slot.queue)
                slot.queue.clear()
                lane.drop(slot)

    def last_begun(self, event: Event, platform: str) -> Position | None:
        lane = self.lanes.get(platform)
        if lane is None or event.audience is None:
            return None
        return lane.begun.get(SlotKey(object_name(event), event.audience))


def _why(failure: Answered | OcpiError) -> str:
    if isinstance(failure, OcpiError):
        return f"{failure.status_code} {failure.message}"
    return f"it answered HTTP {failure.http_status}, OCPI {failure.status_code}"
