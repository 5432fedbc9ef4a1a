"""Admission: what was read becomes entries; state is written before the fan-out; every slot gets its share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.errors import EngineAway, NotConnected, OcpiError, OutcomeUnknown
from connectors.values import Module, PartyId
from routing.classify import FOR_EVERYONE
from routing.clock import Clock
from routing.directory import Hosted
from routing.event import Event, Poison, decode
from routing.fold import Request, request_of
from routing.log.port import Position, Record
from routing.policy import DeliverySettings, Outcome
from routing.pulled import read_key
from routing.reading import Sought
from routing.state import ObjectState, StateKey, key_of, needs_base, untold, whole_for
from routing.store.port import CdrRecord, StoreAway
from routing.worker import aftermath
from routing.worker.again import Agains
from routing.worker.aside import Aside
from routing.worker.asking import Asking
from routing.worker.delivery import Delivery
from routing.worker.directed import DirectedPushes
from routing.worker.gathering import Gathering, next_state
from routing.worker.marks import Marks
from routing.worker.owned import Item, Owned
from routing.worker.ports import Resolver
from routing.worker.reads import Reads, being_told
from routing.worker.settling import Settling
from routing.worker.slot import object_name
from routing.worker.states import States, Update
from routing.worker.tracker import Entry

_BEFORE_US = "may have been attempted by the owner before"


class Admission:
    """Lets one record in at a time: at once where that needs no store, else by `let_in`."""

    def __init__(
        self,
        *,
        states: States,
        marks: Marks,
        delivery: Delivery,
        directed: DirectedPushes,
        resolver: Resolver,
        settling: Settling,
        aside: Aside,
        reads: Reads,
        agains: Agains,
        asking: Asking,
        clock: Clock,
        settings: DeliverySettings,
    ) -> None:
        self.gathering = Gathering(
            states=states, marks=marks, settling=settling, aside=aside, resolver=resolver, clock=clock,
            settings=settings, fan_out=self._fan_out,
        )  # fmt: skip
        self._states = states
        self._marks = marks
        self._delivery = delivery
        self._directed = directed
        self._resolver = resolver
        self._settling = settling
        self._aside = aside
        self._reads = reads
        self._agains = agains
        self._asking = asking
        self._clock = clock
        self.refreshed = -1
        """The newest directory revision that the store was asked for."""

    def open(self, owned: Owned, record: Record) -> Item | None:
        """The record as something to be let in; None for what was never accepted."""
        now = self._clock.monotonic()
        try:
            event = decode(record.headers, record.value)
        except Poison as error:
            entry = Entry(record, None, now)
            owned.tracker.add(entry)
            return Item(owned, entry, None, record, str(error))
        entry = Entry(record, event, now)
        owned.tracker.add(entry)
        if record.append_time > event.expires:
            # its edge has said 503: it was never accepted
            self._settling.end_all(entry, Outcome.EXPIRED, "appended after its expiry")
            return None
        return Item(owned, entry, event, record)

    # --- without the store -------------------------------------------------------------------------------------------

    def at_once(self, owned: Owned, item: Item) -> bool:
        """Let it in now; False where the store has to be asked or told first."""
        entry, event = item.entry, item.event
        if event is None:
            return self._unreadable(item)
        if event.audience is None:
            return event.read is None and not self.behind(event) and self.gathering.at_once(owned, item, event)
        if event.again is not None:
            return self._again(owned, item, event)
        if not _attemptable(owned, entry):
            if event.module == Module.CDRS or not self._knows(owned, event):
                return False  # what is recorded of a CDR is looked up first
            self._unattempted(item, event, event.audience, None)
            return True
        return self.refuse(owned, item) or (
            self.ready(owned, item) and self._direct(owned, item, event, event.audience)
        )

    def refuse(self, owned: Owned, item: Item, *, failing: bool = False) -> bool:
        """Answer 4000 to a directed push that cannot be sent while the store is away; whether that was done.

        `failing`: the store did not do what letting it in needs, whatever else it can.
        """
        event = item.event
        if event is None or event.audience is None or event.again is not None or not _attemptable(owned, item.entry):
            return False
        refusal = self._directed.refusal(event)
        if refusal is None and failing:
            refusal = EngineAway("the hub's store is away, so this push was not sent; repeat it")
        if refusal is None:
            return False
        self._not_sent(owned, item, event, event.audience, refusal)
        return True

    def ready(self, owned: Owned, item: Item) -> bool:
        """Whether all that has to be asked or told before it is let in was: directory, marks, states."""
        event = item.event
        if event is None:
            return True
        if self.behind(event) or not self._knows(owned, event):
            return False
        return event.audience is not None or item.written

    def behind(self, event: Event) -> bool:
        """Whether the event was accepted by a newer directory than ours, which the store was not asked for yet."""
        return event.revision > self.refreshed and self._resolver.behind(event.revision)

    @staticmethod
    def _knows(owned: Owned, event: Event) -> bool:
        """Whether it is known what the marks cover, as far as it matters to this event."""
        return owned.marked or event.module not in FOR_EVERYONE

    # --- with the store ----------------------------------------------------------------------------------------------

    async def write(self, items: Sequence[Item]) -> None:
        """Write the states of broadcasts before any recipient is sent them, and those of what was read from owners.

        Those of a window are kept for later.

        Raises StoreAway.
        """
        broadcasts = [
            (item, item.event) for item in items
            if item.event is not None and item.event.audience is None and not item.written
        ]  # fmt: skip
        if not broadcasts:
            return
        told = {item for item, event in broadcasts if being_told(item, event)}  # asked before their states are read
        bases = await self._states.read(
            {read_key(event) for _, event in broadcasts if needs_base(event) or event.read is not None}
        )
        newest: dict[StateKey, ObjectState] = {}
        of: dict[StateKey, Owned] = {}
        wrong: dict[Item, Exception] = {}
        applied: dict[Item, Position] = {}
        for item, event in broadcasts:
            key, position = read_key(event), item.entry.position
            try:
                before = newest.get(key) or bases.get(key)
                if item in told:
                    state = None
                elif event.read is not None:
                    state, has_it = await self._reads.next_state(item, event, before)
                    if has_it:
                        applied[item] = event.read
                else:
                    state = next_state(before, event, position)
            except Exception as error:  # noqa: BLE001  # one event that breaks its handler must not stop the others
                wrong[item] = error
            else:
                if state is not None:
                    newest[key], of[key] = state, item.owned
        failed = await self._states.write([state for key, state in newest.items() if of[key].window is None])
        for key, state in newest.items():
            if of[key].window is not None and of[key].held:
                self._states.keep(of[key].tp, state)
        for item, event in broadcasts:
            item.written = True
            reason = wrong.get(item) or failed.get(read_key(event))
            if reason is not None:
                self.broken(item, reason)
            elif item in applied:
                self._asking.applied(key_of(event, None), applied[item])

    async def let_in(self, owned: Owned, item: Item, *, ask: bool) -> bool:
        """Let in what is `ready`; whether that was possible: without `ask` the store is asked nothing more.

        Raises StoreAway. Where the partition is to be given up meanwhile nothing is done.
        """
        entry, event = item.entry, item.event
        if item.aside:
            return True  # while its state was written
        if event is None:
            return self._unreadable(item)
        if event.read is not None:
            for key in self._marks.worked_off(owned.tp) if event.kept_for is None else ():
                # nothing else brings it: it is for nobody, and may stand above where that began
                await self._marks.cover_beside(key, entry.position, "its owner had another state")
            # its state is written, or kept until the window is left, before which nothing is committed
            if owned.window is not None and event.kept_for is None:
                known = self._states.known(key_of(event, None))
                if known is None or known.position >= entry.position:
                    owned.window.read(event)
            self._settling.settle(entry)
        elif event.again is not None:
            return self._again(owned, item, event)
        elif event.audience is None and owned.window is not None:
            self.gathering.let_in(owned, entry, event)
        elif event.audience is None:
            self._fan_out(entry, event, (request_of(event, entry.position),))
        elif not _attemptable(owned, entry):
            record = await self._recorded(event) if ask else None
            if not owned.leaving:
                self._unattempted(item, event, event.audience, record)
        elif not self.refuse(owned, item) and not self._direct(owned, item, event, event.audience):
            if not ask:
                return False
            await self._after_what_it_missed(owned, item, event, event.audience)
        return True

    def _again(self, owned: Owned, item: Item, event: Event) -> bool:
        """Something that an operator has sent again; it waits while it is not known who its recipient is."""
        if self.behind(event):
            return False
        self._agains.let_in(owned, item.entry, event)
        return True

    async def _recorded(self, event: Event) -> CdrRecord | None:
        if event.module != Module.CDRS:
            return None
        try:
            return await self._directed.recorded(event)
        except StoreAway:
            return None  # then nobody knows, and that is what its caller is told

    async def _after_what_it_missed(self, owned: Owned, item: Item, event: Event, party: PartyId) -> None:
        try:
            hosted = self._resolver.directed(event)
            catch_up = await self._missed(event, item.entry, hosted.platform.id)
        except OcpiError as error:
            if not owned.leaving:
                self._not_sent(owned, item, event, party, error)
            return
        if not owned.leaving:
            self._push(item, event, party, hosted, catch_up)

    async def _missed(self, event: Event, entry: Entry, platform: str) -> tuple[Request, ...]:
        """What this recipient missed of the object, where the platform's mark covers it: it goes first."""
        from_there = self._marks.reaches(platform, entry.tp)
        if from_there is None or from_there >= entry.position:
            return ()
        everybody, mine = key_of(event, None), key_of(event, event.audience)
        known = await self._states.read([everybody, mine])
        missed = known.get(everybody)
        if missed is None or untold(missed) or not from_there <= missed.position < entry.position:
            return ()
        begun, whole_there = self._delivery.last_begun(event, entry.tp, platform)
        told = [whole_there, known[mine].position if mine in known else None]
        if any(there is not None and there >= missed.position for there in told):
            return ()
        whole = whole_for(missed, known.get(mine))
        if whole is None or (begun is not None and begun > missed.position):
            raise NotConnected(
                f"{event.audience} missed parts of this object and its whole is not known to the hub, so nothing newer "
                "may be sent before: PUT the whole object"
            )
        return (whole,)

    # --- what becomes of them ----------------------------------------------------------------------------------------

    def _fan_out(self, entry: Entry, event: Event, requests: tuple[Request, ...]) -> None:
        recipients = self._resolver.broadcast(event)
        for hosted in recipients:
            entry.opened(hosted.party.id, hosted.platform.id)
        entry.sealed = True
        self._settling.admitted(entry, self._clock.monotonic())
        if not entry.open:
            self._settling.close(entry)
            return
        if needs_base(event):
            self._ask_owner(event)
        memo: dict[int, tuple[Request, ...]] = {}
        name = object_name(event)
        for hosted in recipients:
            self._delivery.broadcast(entry, event, name, hosted.platform.id, hosted.party.id, requests, memo)

    def _ask_owner(self, event: Event) -> None:
        """An update of what the hub does not know is sent as it is; what it belongs to is read meanwhile."""
        state = self._states.known(key_of(event, None))
        if state is not None and state.body is None and state.parts:
            self._asking.wants(
                Sought(event.owner, event.module, event.object_id, event.variant, since=event.last_updated)
            )

    def _direct(self, owned: Owned, item: Item, event: Event, party: PartyId) -> bool:
        """Let a directed push in; False where its recipient may have missed what must go first."""
        try:
            hosted = self._resolver.directed(event)
        except OcpiError as error:
            kept = self._resolver.custodian(event) if isinstance(error, NotConnected) else None
            if kept is None:
                self._not_sent(owned, item, event, party, error)
                return True
            hosted = kept
        if event.module in FOR_EVERYONE:
            from_there = self._marks.reaches(hosted.platform.id, item.entry.tp)
            if from_there is not None and from_there < item.entry.position:
                return False
        self._push(item, event, party, hosted, ())
        return True

    def _push(self, item: Item, event: Event, party: PartyId, hosted: Hosted, catch_up: tuple[Request, ...]) -> None:
        self._opened(item.entry, party, hosted.platform.id)
        self._in_its_place(item, event, lambda: self._delivery.push(item.entry, event, hosted.platform.id, catch_up))

    def _not_sent(self, owned: Owned, item: Item, event: Event, party: PartyId, error: OcpiError) -> None:
        """Answer the hub's own no: it was not begun, and no owner may begin it any more."""
        owned.begin(item.entry.position)
        self._opened(item.entry, party)
        self._directed.refuse(event, error)
        self._settling.end_all(item.entry, Outcome.NOT_SENT, error.message)

    def _unattempted(self, item: Item, event: Event, party: PartyId, record: CdrRecord | None) -> None:
        """A directed push that the owner before us may have sent: nothing older may go to its audience any more."""
        entry = item.entry
        self._opened(entry, party)
        self._in_its_place(item, event, lambda: self._delivery.barrier(event, entry.tp))
        if not self._directed.unattempted(event, record):
            self._settling.end_all(entry, Outcome.UNKNOWN, _BEFORE_US)
            return
        left = aftermath.touched(event, entry.position, unconfirmed=True)

        def done() -> None:
            self._settling.end_all(entry, Outcome.UNKNOWN, _BEFORE_US)

        self._states.later(Update(left, entry.tp, done, lambda error: self.broken(item, error)))

    def _in_its_place(self, item: Item, event: Event, let_in: Callable[[], None]) -> None:
        """Let a directed push into its slot, behind what a window that is being read holds of its object."""

        def when_its_turn_comes() -> None:
            try:
                let_in()
            except Exception as error:  # noqa: BLE001  # one event that breaks its handler must not stop the others
                self.broken(item, error)

        window = item.owned.window
        if window is None or not window.directed(event, when_its_turn_comes):
            let_in()

    def _opened(self, entry: Entry, party: PartyId, platform: str = "") -> None:
        entry.opened(party, platform)
        entry.sealed = True
        self._settling.admitted(entry, self._clock.monotonic())

    # --- what cannot be handled --------------------------------------------------------------------------------------

    def broken(self, item: Item, error: Exception) -> None:
        """Its handling is a defect of the hub: it is set aside, what is open of it ends so, the next one goes on."""
        event = item.event
        if event is not None and event.audience is not None:
            self._directed.refuse(event, OutcomeUnknown("the hub failed while it handled this push"))
        self._set_aside(item, f"its handling failed: {type(error).__name__}: {error}")

    def _unreadable(self, item: Item) -> bool:
        if self._aside.full:
            return False
        self._set_aside(item, item.reason)
        return True

    def _set_aside(self, item: Item, reason: str) -> None:
        if item.aside:
            return
        item.aside = True
        entry = item.entry

        def done() -> None:
            self._settling.end_all(entry, Outcome.POISON, reason)

        self._aside.put(entry.tp, entry.position, entry.key, reason, done, item.record)


def _attemptable(owned: Owned, entry: Entry) -> bool:
    """Whether a directed push may be sent by this owner, as far as the replay window says."""
    replay = owned.replay
    return replay is None or entry.position >= replay.end or replay.may_attempt(entry.position)
