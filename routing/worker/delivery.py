"""Delivery: the lanes of every platform, and the tasks that serve their slots.

A slot is served by one task at a time and gives up its place after each item, so that objects take turns. What only
waits for the store (a mark, the record of a CDR) takes no place in a lane and is not cut off with what is in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from random import Random
from typing import Any

from connectors.errors import NotConnected, OutcomeUnknown
from connectors.values import PartyId
from routing.clock import Clock
from routing.event import Event
from routing.fold import Request
from routing.log.port import Position, TopicPartition
from routing.policy import DeliverySettings, Outcome
from routing.rates import Rates
from routing.store.port import CdrRecord
from routing.worker import aftermath
from routing.worker.aftermath import Aftermath
from routing.worker.asking import Asking
from routing.worker.attempts import Attempts
from routing.worker.directed import DirectedPushes, Served
from routing.worker.lane import Lane
from routing.worker.marking import Ended, Marking
from routing.worker.marks import Marks
from routing.worker.newest import Newests
from routing.worker.owned import Owned
from routing.worker.ports import Observer, Resolver, Sender
from routing.worker.releasing import Releasing
from routing.worker.slot import Barrier, Directed, Kept, Line, Newest, Slot, SlotKey, Waiting, Wave, object_name
from routing.worker.states import States, Update
from routing.worker.tracker import Entry
from routing.worker.turns import Turns
from routing.worker.waves import Waves
from routing.worker.widths import Feeling, Widths

Recording = Coroutine[Any, Any, None]

Broken = Callable[[Entry, PartyId, BaseException], None]
"""Told of an event whose handling is a defect of the hub, and of the recipient whom it was being handled for."""


class Delivery:
    """Takes what the worker admits, and reports each event's end for each recipient through `ended`."""

    def __init__(
        self,
        *,
        hub: PartyId,
        directed: DirectedPushes,
        attempts: Attempts,
        sender: Sender,
        resolver: Resolver,
        marks: Marks,
        settings: DeliverySettings,
        clock: Clock,
        random: Random,
        observer: Observer,
        ended: Ended,
        broken: Broken,
        states: States,
        asking: Asking,
        store_away: Callable[[], bool],
        holds: Callable[[], bool],
        widths: Widths,
        rates: Rates,
    ) -> None:
        self._turns = Turns(
            settings, may_begin=self._may_begin, begin=self._begin, reading=lambda: self.releasing.reading,
            widths=widths, rates=rates,
        )  # fmt: skip
        self.releasing = Releasing(
            turns=self._turns, ours=lambda owned: self._owned.get(owned.tp) is owned, most=settings.unsettled_most / 2
        )
        sender = Feeling(sender, widths, rates, Line.BROADCASTS)
        self._waves = Waves(
            hub=hub, sender=sender, resolver=resolver, marks=marks, states=states, asking=asking, settings=settings,
            clock=clock, random=random, ended=ended, turns=self._turns, active=self._active, permit=self._permit,
            mark=self._mark_wave, cover=self._cover_wave, store_away=store_away,
        )  # fmt: skip
        self._newests = Newests(
            hub=hub, sender=sender, resolver=resolver, states=states, asking=asking, clock=clock, permit=self._permit,
            let_in_to=self._let_in_to, mark=self._mark_slot,
        )  # fmt: skip
        self.marking = Marking(marks, ended)
        self._directed = directed
        self._attempts = attempts
        self._widths = widths
        self._marks = marks
        self._settings = settings
        self._observer = observer
        self._ended = ended
        self._broken = broken
        self._states = states
        self._store_away = store_away
        self._holds = holds
        self._owned: dict[TopicPartition, Owned] = {}

    @property
    def lanes(self) -> dict[str, Lane]:
        """By platform id."""
        return self._turns.lanes

    # --- letting in --------------------------------------------------------------------------------------------------

    def own(self, owned: Owned) -> None:
        """Begin with nothing: what was let in while the partition was being lost is the log's again."""
        self.drop(owned.tp)
        self._owned[owned.tp] = owned
        self.releasing.own(owned)

    def broadcast(
        self, entry: Entry, event: Event, name: str, platform: str, party: PartyId,
        first: tuple[Request, ...], memo: dict[int, tuple[Request, ...]],
    ) -> None:  # fmt: skip
        """Let a broadcast into the slot of its object and this recipient; a full lane becomes a mark.

        `name` is the object's; `first` is what the event asks for; `memo` is shared by all its recipients.
        """
        lane = self._turns.lane(platform)
        slot = self._slot(lane, entry, event, SlotKey(name, party))
        wave = slot.offer(entry, first, memo)
        slot.event = event
        if wave is None:
            return  # folded into one that stands in line already
        wave.lacking = entry.tp in lane.lacking and entry.position < lane.lacking[entry.tp]
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

    def newest(self, event: Event, tp: TopicPartition, platform: str, party: PartyId) -> Newest:
        """Let an object's newest state into its slot; what is returned tells how that ends."""
        lane = self._turns.lane(platform)
        key = SlotKey(object_name(event), party)
        slot = lane.slots.get(key) or lane.add(Slot(key, tp, event))
        item = Newest(event, asyncio.get_running_loop().create_future())
        slot.queue.append(item)
        self._turns.wake(lane, slot)
        return item

    def again(self, platform: str, party: PartyId, asked: Mapping[TopicPartition, int]) -> None:
        """Everything of these partitions goes to this party once more, though it was sent before it was `asked` for."""
        self._turns.lane(platform).send_again(party, asked)

    def kept(self, record: CdrRecord, event: Event, tp: TopicPartition, platform: str) -> asyncio.Future[None]:
        """Let a CDR in custody into its slot; over once its attempt has ended and that is written, or it was none."""
        lane = self._turns.lane(platform)
        key = SlotKey(object_name(event), record.key.recipient)
        slot = lane.slots.get(key) or lane.add(Slot(key, tp, event))
        item = Kept(event, record, asyncio.get_running_loop().create_future())
        slot.queue.append(item)
        self._turns.wake(lane, slot)
        return item.done

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

    def _active(self, slot: Slot) -> bool:
        owned = self._owned.get(slot.tp)
        return owned is not None and owned.active

    def _may_begin(self, slot: Slot) -> bool:
        return self._active(slot) and self._holds()

    def _begin(self, lane: Lane, slot: Slot, line: Line) -> None:
        slot.busy = True
        owned, item = self._owned[slot.tp], slot.queue[0]
        if isinstance(item, Newest) and any(isinstance(behind, Directed) for behind in slot.queue):
            # the state may be newer than the push behind it, which has its own way to what it builds on
            slot.queue.append(slot.queue.pop(0))
            item = slot.queue[0]
        if isinstance(item, Directed):
            del slot.queue[0]
            owned.begin(item.entry.position)
        elif isinstance(item, Newest | Kept):
            del slot.queue[0]
        task = asyncio.get_running_loop().create_task(self._serve(lane, slot, item))
        owned.in_flight[task] = None
        # not in the task itself: one that is cut off before its first step would never come to it
        task.add_done_callback(partial(self._served, lane, slot, line, item, owned))

    def _let_in_to(self, tp: TopicPartition) -> Position | None:
        """From where on nothing of a partition was let in; None where nothing waits to be."""
        owned = self._owned.get(tp)
        return owned.backlog[0].entry.position if owned is not None and owned.backlog else None

    async def _serve(self, lane: Lane, slot: Slot, item: Waiting) -> Recording | None:
        if isinstance(item, Wave):
            await self._waves.serve(lane, slot, item)
        elif isinstance(item, Directed):
            return await self._serve_directed(lane, slot, item)
        elif isinstance(item, Newest):
            await self._newests.serve(lane, slot, item)
        elif isinstance(item, Kept):
            recording = await self._attempts.serve(item, self._permit(slot))
            if recording is not None:
                return self._keep(lane, slot, item, recording)
            item.end()
        elif slot.queue and slot.queue[0] is item:
            del slot.queue[0]  # nothing stands before it any more
        return None

    def _served(
        self, lane: Lane, slot: Slot, line: Line, item: Waiting, owned: Owned,
        task: asyncio.Task[Recording | None],
    ) -> None:  # fmt: skip
        owned.in_flight.pop(task, None)
        slot.busy = False
        if task.cancelled():
            if owned.held:
                self._was_cut(slot, item)
            elif isinstance(item, Newest):
                item.end(None)
            elif isinstance(item, Kept):
                item.end()
        elif (error := task.exception()) is not None:
            self._set_aside(lane, slot, item, error)
        elif (recording := task.result()) is not None:
            slot.busy = True
            self.store_soon(owned, recording, item.end if isinstance(item, Kept) else None)
        self._turns.ended(lane, slot, line)

    def cut_off(self) -> None:
        """Somebody else may own these partitions soon: end what is in flight, begin nothing."""
        for owned in self._owned.values():
            for task in owned.in_flight:
                task.cancel()

    def go_on(self) -> None:
        """The partitions stayed ours: begin again."""
        for owned in self._owned.values():
            self.releasing.go_on(owned)

    def _was_cut(self, slot: Slot, item: Waiting) -> None:
        if isinstance(item, Wave):
            item.frozen = False
        elif isinstance(item, Newest):
            item.end(None)
        elif isinstance(item, Kept):
            item.end()  # what it was cut off in is found as an attempt that nobody makes
        elif isinstance(item, Directed):
            error = OutcomeUnknown("this push was cut off while it was under way: it may have arrived; repeat it")
            self._directed.refuse(item.event, error)
            left = aftermath.touched(item.event, item.entry.position, unconfirmed=True)
            self._leave(item, Served(Outcome.UNKNOWN, error.message, left=left), left)

    def _set_aside(self, lane: Lane, slot: Slot, item: Waiting, error: BaseException) -> None:
        """A defect of the hub: say so, and go on without this item."""
        party = slot.key.recipient
        if isinstance(item, Wave) and slot.queue and slot.queue[0] is item:
            del slot.queue[0]
            lane.waiting -= 1
            for entry in item.entries:
                self._broken(entry, party, error)
        elif isinstance(item, Directed):
            self._directed.refuse(item.event, OutcomeUnknown("the hub failed while it handled this push"))
            self._broken(item.entry, party, error)
        else:
            self._observer.trouble(f"a push could not be handled: {type(error).__name__}: {error}")
            if isinstance(item, Newest):
                item.end(Outcome.POISON)
            elif isinstance(item, Kept):
                item.end()

    def _permit(self, slot: Slot) -> Callable[[], bool]:
        owned = self._owned[slot.tp]
        return lambda: owned.active and self._holds()

    async def _serve_directed(self, lane: Lane, slot: Slot, item: Directed) -> Recording | None:
        """Serve it; what is returned still has to be done before its slot may serve another."""
        if item.catch_up:
            position = item.catch_up[-1].position
            begun, whole = lane.begun.get(slot.key), lane.whole(slot.tp, slot.key)
            if whole is not None and whole >= position:
                item.catch_up = ()  # something as new was sent since it was let in
            elif begun is not None and begun > position:
                self.give_up(item, self._owned[slot.tp], "what it missed before this can no longer be sent to it")
                return None
        served = await self._directed.serve(item, self._permit(slot))
        if served.outcome is not Outcome.NOT_SENT and self._marks.reaches(lane.platform, slot.tp) is not None:
            lane.remember(slot, item.entry.position)
            if item.catch_up and served.outcome is Outcome.ANSWERED:
                lane.remember(slot, item.catch_up[-1].position, whole=True)
        if served.recording is None:
            self._leave(item, served, served.left)
            return None
        return self._record(lane, slot, item, served)

    async def _record(self, lane: Lane, slot: Slot, item: Directed, served: Served) -> None:
        """Its recipient has answered: that is recorded before its caller hears of it, however long that takes."""
        assert served.recording is not None  # noqa: S101  # what this is for
        try:
            await served.recording()
            self._leave(item, served, served.left)
        except Exception as error:  # noqa: BLE001  # as in _serve
            self._set_aside(lane, slot, item, error)
        slot.busy = False
        self._turns.wake(lane, slot)

    async def _keep(self, lane: Lane, slot: Slot, item: Kept, recording: Callable[[], Awaitable[None]]) -> None:
        """Its attempt has ended: that is written before its slot may serve another."""
        try:
            await recording()
        except Exception as error:  # noqa: BLE001  # as in _serve
            self._set_aside(lane, slot, item, error)
        slot.busy = False
        self._turns.wake(lane, slot)

    def _leave(self, item: Directed, served: Served, left: Aftermath | None) -> None:
        """It ended; settled once the state that it leaves is written."""
        entry, party = item.entry, item.event.audience
        assert party is not None  # noqa: S101  # what makes it directed
        if left is None:
            self._ended(entry, party, served.outcome, served.detail, served.ms)
            return
        self._states.later(
            Update(
                left, entry.tp, lambda: self._ended(entry, party, served.outcome, served.detail, served.ms),
                lambda error: self._broken(entry, party, error),
            )
        )  # fmt: skip

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

    # --- marks -------------------------------------------------------------------------------------------------------

    def _mark_wave(self, lane: Lane, slot: Slot, wave: Wave, why: str) -> None:
        """Attempts are used up: this wave, and all else that waits of this platform and partition, is marked."""
        del slot.queue[0]
        lane.waiting -= 1
        if slot.queue and isinstance(slot.queue[0], Directed):
            self._drop_behind(slot)
        self._mark(self._owned[slot.tp], lane, [(slot, wave)], why)

    def _cover_wave(self, lane: Lane, slot: Slot, wave: Wave, why: str) -> None:
        """This wave was sent, and is marked all the same."""
        del slot.queue[0]
        lane.waiting -= 1
        owned = self._owned[slot.tp]
        covering = self.marking.mark(lane, slot.tp, [(slot, wave)], why, alone=True)
        if covering is not None:
            self.store_soon(owned, covering)

    def _mark_slot(self, lane: Lane, slot: Slot, why: str) -> None:
        """The waves of this slot, and all else that waits of this platform and partition, are marked."""
        waves = [item for item in slot.queue if isinstance(item, Wave)]
        owned = self._owned.get(slot.tp)
        if not waves or owned is None:
            return
        slot.queue = [item for item in slot.queue if not isinstance(item, Wave)]
        lane.waiting -= len(waves)
        self._drop_behind(slot)
        self._mark(owned, lane, [(slot, wave) for wave in waves], why)

    def _drop_behind(self, slot: Slot) -> None:
        owned = self._owned[slot.tp]
        while slot.queue and isinstance(slot.queue[0], Directed):
            item = slot.queue.pop(0)
            assert isinstance(item, Directed)  # noqa: S101
            self.give_up(item, owned, "the recipient did not take the broadcast of this object that stood before it")

    def at_once(self, platform: str) -> int:
        """How many broadcasts may be in flight towards a platform, as it bears them."""
        return self._widths.at_once(platform, Line.BROADCASTS)

    def slowest(self) -> Lane | None:
        """The platform that holds most of what waits."""
        return self._turns.slowest()

    def mark_soon(self, lane: Lane, tp: TopicPartition, why: str) -> None:
        """Mark what waits of this platform and partition, where there is a store to mark it in."""
        owned = self._owned.get(tp)
        if owned is not None and owned.active and not self._store_away():
            self._mark(owned, lane, [], why)

    def _mark(self, owned: Owned, lane: Lane, waves: list[tuple[Slot, Wave]], why: str) -> None:
        covering = self.marking.mark(lane, owned.tp, waves, why)
        if covering is not None:
            self.store_soon(owned, covering)

    @staticmethod
    def store_soon(owned: Owned, storing: Coroutine[Any, Any, None], then: Callable[[], None] | None = None) -> None:
        """Let it wait for the store beside everything else; it ends with the partition at the latest, `then` too."""
        task = asyncio.get_running_loop().create_task(storing)
        owned.storing[task] = None
        task.add_done_callback(lambda ended: owned.storing.pop(ended, None))
        if then is not None:
            task.add_done_callback(lambda _: then())

    # --- partitions that come and go ---------------------------------------------------------------------------------

    def drop(self, tp: TopicPartition) -> None:
        """Forget what waits of a partition that is no longer ours."""
        self._owned.pop(tp, None)
        self.releasing.drop(tp)
        for lane in self.lanes.values():
            lane.lose(tp)
            for slot in lane.of(tp):
                lane.waiting -= sum(isinstance(item, Wave) for item in slot.queue)
                for item in slot.queue:
                    if isinstance(item, Newest):
                        item.end(None)
                    elif isinstance(item, Kept):
                        item.end()
                slot.queue.clear()
                lane.drop(slot)

    def last_begun(self, event: Event, tp: TopicPartition, platform: str) -> tuple[Position | None, Position | None]:
        """What was begun last of an object at a directed push's recipient while a mark stood, and what came whole."""
        lane = self.lanes.get(platform)
        if lane is None or event.audience is None:
            return None, None
        key = SlotKey(object_name(event), event.audience)
        return lane.begun.get(key), lane.whole(tp, key)
