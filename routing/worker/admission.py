"""Admission: what was read becomes entries; state is written before the fan-out; every slot gets its share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from connectors.errors import NotConnected, OcpiError
from routing.clock import Clock
from routing.event import Event, Poison, decode
from routing.fold import Request, request_of
from routing.log.port import Position, Record, TopicPartition
from routing.policy import Outcome
from routing.state import ObjectState, StateKey, after, key_of, needs_base, whole_for
from routing.worker.delivery import Delivery
from routing.worker.directed import DirectedPushes
from routing.worker.marks import Marks
from routing.worker.owned import Owned
from routing.worker.ports import Observer, Resolver
from routing.worker.slot import object_name
from routing.worker.states import States
from routing.worker.tracker import Entry


class Admission:
    """Lets read records in, in order within each partition."""

    def __init__(
        self,
        *,
        states: States,
        marks: Marks,
        delivery: Delivery,
        directed: DirectedPushes,
        resolver: Resolver,
        clock: Clock,
        observer: Observer,
        ended: Callable[[Entry, Outcome, str], None],
        closed: Callable[[Entry], None],
        admitted: Callable[[Entry], None],
    ) -> None:
        self._states = states
        self._marks = marks
        self._delivery = delivery
        self._directed = directed
        self._resolver = resolver
        self._clock = clock
        self._observer = observer
        self._ended = ended
        self._closed = closed
        self._admitted = admitted

    async def admit(self, owned: dict[TopicPartition, Owned], records: Sequence[Record]) -> bool:
        """Records of partitions that are not in `owned` any more are left alone. Whether there were broadcasts."""
        batches: dict[Owned, list[tuple[Entry, Event]]] = {}
        for record in records:
            partition = owned.get(record.tp)
            if partition is not None and record.position >= partition.tracker.read_to:
                opened = self._open(partition, record)
                if opened is not None:
                    batches.setdefault(partition, []).append(opened)
        waiting = {}
        for partition, batch in batches.items():
            # what needs no state first does not wait for the writing of what does
            if any(event.audience is None for _, event in batch):
                waiting[partition] = batch
            else:
                await self._distribute(partition, batch)
        await self._write(event for batch in waiting.values() for event in batch)
        for partition, batch in waiting.items():
            await self._distribute(partition, batch)
        return bool(waiting)

    def _open(self, owned: Owned, record: Record) -> tuple[Entry, Event] | None:
        now = self._clock.monotonic()
        try:
            event = decode(record.headers, record.value)
        except Poison as error:
            entry = Entry(record, None, now)
            owned.tracker.add(entry)
            self._observer.trouble(f"set aside {record.topic}/{record.partition} at {record.position.offset}: {error}")
            self._ended(entry, Outcome.POISON, str(error))
            return None
        entry = Entry(record, event, now)
        owned.tracker.add(entry)
        self._admitted(entry)
        if record.append_time > event.expires:
            # its edge has said 503: it was never accepted
            self._ended(entry, Outcome.EXPIRED, "appended after its expiry")
            return None
        return entry, event

    async def _write(self, batch: Iterable[tuple[Entry, Event]]) -> None:
        """Write the state of every broadcast before any recipient is sent it."""
        broadcasts = [(entry, event) for entry, event in batch if event.audience is None]
        if not broadcasts:
            return
        bases = await self._states.read({key_of(event, None) for _, event in broadcasts if needs_base(event)})
        newest: dict[StateKey, ObjectState] = {}
        for entry, event in broadcasts:
            key = key_of(event, None)
            before = newest.get(key) or bases.get(key)
            if before is not None and before.position >= entry.position:
                continue  # written by the owner before us
            try:
                newest[key] = after(before, event, entry.position, audience=None, last_updated=event.last_updated)
            except Exception as error:  # noqa: BLE001  # one event that breaks its handler must not stop the others
                self._set_aside(entry, error)
        await self._states.write(list(newest.values()))

    async def _distribute(self, owned: Owned, batch: Sequence[tuple[Entry, Event]]) -> None:
        for entry, event in batch:
            if not owned.held:
                return  # revoked meanwhile: the next owner reads it again
            if entry.sealed:
                continue  # set aside while its state was written
            try:
                if self._resolver.behind(event.revision):
                    await self._resolver.refresh()
                if event.audience is None:
                    self._fan_out(entry, event)
                else:
                    await self._let_in(owned, entry, event)
            except Exception as error:  # noqa: BLE001  # as above
                self._set_aside(entry, error)

    def _set_aside(self, entry: Entry, error: Exception) -> None:
        """An event whose handling is a defect of the hub: say so, with its position, and go on with the next."""
        where = f"{entry.tp.topic}/{entry.tp.partition} at {entry.position.offset}"
        self._observer.trouble(f"the event of {where} could not be handled: {type(error).__name__}: {error}")
        self._ended(entry, Outcome.POISON, type(error).__name__)

    def _fan_out(self, entry: Entry, event: Event) -> None:
        recipients = self._resolver.broadcast(event)
        for hosted in recipients:
            entry.opened(hosted.party.id, hosted.platform.id)
        entry.sealed = True
        if not entry.open:
            self._closed(entry)
            return
        first = (request_of(event, entry.position),)
        memo: dict[int, tuple[Request, ...]] = {}
        name = object_name(event)
        for hosted in recipients:
            self._delivery.broadcast(entry, event, name, hosted.platform.id, hosted.party.id, first, memo)

    async def _let_in(self, owned: Owned, entry: Entry, event: Event) -> None:
        assert event.audience is not None  # noqa: S101  # what makes it directed
        entry.opened(event.audience, "")
        entry.sealed = True
        if (
            owned.replay is not None
            and entry.position < owned.replay.end
            and not owned.replay.may_attempt(entry.position)
        ):
            self._delivery.barrier(event, entry.tp)
            state = await self._directed.unattempted(event, entry.position)
            if state is not None:
                await self._states.write([state])
            self._ended(entry, Outcome.UNKNOWN, "may have been attempted by the owner before")
            return
        try:
            hosted = self._resolver.directed(event)
            catch_up = await self._missed(event, entry.position, entry.tp, hosted.platform.id)
        except OcpiError as error:
            owned.begin(entry.position)
            self._directed.refuse(event, error)
            self._ended(entry, Outcome.NOT_SENT, error.message)
            return
        entry.open[event.audience] = hosted.platform.id
        self._delivery.push(entry, event, hosted.platform.id, catch_up)

    async def _missed(self, event: Event, position: Position, tp: TopicPartition, platform: str) -> tuple[Request, ...]:
        """What this recipient missed of the object, where the platform's mark covers it: it goes first."""
        mark = self._marks.get(platform, tp)
        if mark is None or mark.position >= position:
            return ()
        everybody, mine = key_of(event, None), key_of(event, event.audience)
        known = await self._states.read([everybody, mine])
        missed = known.get(everybody)
        if missed is None or not mark.position <= missed.position < position:
            return ()
        begun = [self._delivery.last_begun(event, platform), known[mine].position if mine in known else None]
        if any(there is not None and there >= missed.position for there in begun):
            return ()
        whole = whole_for(missed, known.get(mine))
        if whole is None:
            raise NotConnected(
                f"{event.audience} missed parts of this object and its whole is not known to the hub, so nothing newer "
                "may be sent before: PUT the whole object"
            )
        return (whole,)
