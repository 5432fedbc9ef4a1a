"""Serving newest states: what a platform may have missed of one object goes out in one piece."""

from __future__ import annotations

from collections.abc import Callable

from connectors.errors import OcpiError
from connectors.values import PartyId
from routing import resync
from routing.clock import Clock
from routing.directory import Hosted
from routing.fold import Request, replaces_all
from routing.log.port import Position, TopicPartition
from routing.outbound import speaker
from routing.policy import Outcome, ended
from routing.state import ObjectState, StateKey
from routing.store.port import StoreAway
from routing.worker.asking import Asking
from routing.worker.lane import Lane
from routing.worker.ports import Push, Resolver, Sender
from routing.worker.slot import Newest, Slot, Wave
from routing.worker.states import States
from routing.worker.tracker import attempt


class Newests:
    """`let_in_to` says from where on nothing of a partition was let in yet; `mark` has a mark cover a slot's waves."""

    def __init__(
        self,
        *,
        hub: PartyId,
        sender: Sender,
        resolver: Resolver,
        states: States,
        asking: Asking,
        clock: Clock,
        permit: Callable[[Slot], Callable[[], bool]],
        let_in_to: Callable[[TopicPartition], Position | None],
        mark: Callable[[Lane, Slot, str], None],
    ) -> None:
        self._hub = hub
        self._sender = sender
        self._resolver = resolver
        self._states = states
        self._asking = asking
        self._clock = clock
        self._permit = permit
        self._let_in_to = let_in_to
        self._mark = mark

    async def serve(self, lane: Lane, slot: Slot, item: Newest) -> None:
        """Send what the object is now; it has left its slot, which is busy with it."""
        item.end(await self._serve(lane, slot, item))

    async def _serve(self, lane: Lane, slot: Slot, item: Newest) -> Outcome | None:
        event, party = item.event, slot.key.recipient
        hosted = self._resolver.still(event, party, lane.platform)
        if hosted is None:
            return Outcome.SKIPPED
        keys = [StateKey(event.owner, event.module, event.object_id.upper(), event.variant, to) for to in (None, party)]
        try:
            known = await self._states.read(keys)
        except StoreAway:
            return None
        state, mine = known.get(keys[0]), known.get(keys[1])
        if state is None:
            return Outcome.SUPERSEDED
        let_in_to, whole, begun = self._let_in_to(slot.tp), lane.whole(slot.tp, slot.key), lane.begun.get(slot.key)
        if (let_in_to is not None and state.position >= let_in_to) or (whole is not None and whole >= state.position):
            return Outcome.SUPERSEDED  # it is on its way by itself, or has arrived
        requests = self._wanted(state, mine, begun)
        if not isinstance(requests, tuple):
            return requests
        _bring(slot, requests, state.position)  # however this ends, nothing older may be begun any more
        outcome: Outcome | None = None
        try:
            outcome = await self._send(slot, item, hosted, requests, state.position)
        finally:
            if outcome is not None:
                _bring(slot, (), state.position)
            elif not all(map(replaces_all, requests)):
                self._mark(lane, slot, "it did not take the parts of an object whose whole is not known")
        if outcome is Outcome.DELIVERED:
            lane.remember(slot, state.position, whole=True)
            lane.took = self._clock.monotonic()
        return outcome

    def _wanted(
        self, state: ObjectState, mine: ObjectState | None, begun: Position | None
    ) -> tuple[Request, ...] | Outcome:
        """What is to be sent; or UNKNOWN while its owner is asked, NOT_SENT where that does not know it either."""
        sought, asking = resync.sought(state), self._asking
        read = asking.known_at(state.key)
        requests = resync.wanted(state, mine, read)
        if requests is None or (begun is not None and begun > state.position and (read is None or begun >= read)):
            told = max(state.position, begun or state.position, state.position if mine is None else mine.position)
            if asking.lost(state.key, told):
                return Outcome.NOT_SENT
            asking.wants(sought, newer=told)
            return Outcome.UNKNOWN
        if state.parts and state.body is None and asking.may_tell(sought):
            asking.wants(sought)
            return Outcome.UNKNOWN
        return requests

    async def _send(
        self, slot: Slot, item: Newest, hosted: Hosted, requests: tuple[Request, ...], position: Position
    ) -> Outcome | None:
        event, party = item.event, slot.key.recipient
        within = self._resolver.terms(party, event.module).attempt_seconds
        correlation_id = resync.correlation_id(slot.tp, position)
        came = Outcome.DELIVERED
        for request in requests:
            push = Push(
                hosted, speaker(hosted.platform, event.owner, self._hub), event.module, request.operation,
                event.path + request.path, event.query, request.body, correlation_id,
            )  # fmt: skip
            item.method, item.position = request.operation, position
            begun = self._clock.utc()
            try:
                answered = await self._sender.push(push, within=within, permit=self._permit(slot))
            except OcpiError as error:
                item.attempts += (attempt(party, begun, error, self._clock.utc()),)
                return None
            item.attempts += (attempt(party, begun, answered, begun),)
            outcome = ended(answered)
            if outcome is None:
                return None
            if outcome is not Outcome.DELIVERED:
                came = outcome  # of the other parts it was not asked yet
        return came


def _bring(slot: Slot, requests: tuple[Request, ...], position: Position) -> None:
    """Let the waves that wait here bring these in place of all that is no newer than `position`."""
    for wave in (wave for wave in slot.queue if isinstance(wave, Wave)):
        wave.requests = requests + tuple(one for one in wave.requests if one.position > position)
