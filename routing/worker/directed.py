"""Directed pushes: one attempt within the caller's deadline, and the recipient's answer is the caller's.

A CDR is remembered before its caller reads the answer (P5): a repetition gets the recorded one, at the same moment
too, because both stand in one slot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from connectors.errors import NotConnected, OcpiError, OutcomeUnknown
from connectors.values import Module, PartyId
from routing import cdrs, replies
from routing.clock import Clock
from routing.directory import Hosted
from routing.event import Event
from routing.fold import Request
from routing.log.port import Log, Position
from routing.outbound import Answered
from routing.policy import DeliverySettings, Outcome, ended
from routing.replies import Reply
from routing.state import ObjectState, after, key_of, needs_base
from routing.store.port import CdrKey, CdrRecord, Store
from routing.worker.patience import until_there
from routing.worker.ports import Locate, Observer, Push, Resolver, Sender
from routing.worker.slot import Directed
from routing.worker.states import States

Permit = Callable[[], bool]


class DirectedPushes:
    """Serves one directed push at a time of each slot, and says how it ended."""

    def __init__(
        self,
        *,
        log: Log,
        store: Store,
        states: States,
        sender: Sender,
        resolver: Resolver,
        locate: Locate,
        clock: Clock,
        settings: DeliverySettings,
        observer: Observer,
        hub: PartyId,
    ) -> None:
        self._log = log
        self._store = store
        self._states = states
        self._sender = sender
        self._resolver = resolver
        self._locate = locate
        self._clock = clock
        self._settings = settings
        self._observer = observer
        self._hub = hub

    def left(self, event: Event) -> float:
        """Seconds until its caller stops waiting."""
        return ((event.deadline or 0) - self._clock.utc()) / 1000

    def latest_start(self, event: Event) -> float:
        """Seconds until it is too late to begin."""
        return self.left(event) - self._settings.connect - self._settings.spare

    async def serve(self, item: Directed, permit: Permit) -> tuple[Outcome, str, float, ObjectState | None]:
        """Attempt, answer, remember. Returns outcome, detail, milliseconds, and the state to be written if any."""
        event, position = item.event, item.entry.position
        try:
            if event.module == Module.CDRS:
                return await self._serve_cdr(event, position, permit)
            answered = await self._attempt(item, permit)
        except OcpiError as error:
            self.refuse(event, error)
            detail = f"{error.status_code} {error.message}"
            if isinstance(error, NotConnected):
                return Outcome.NOT_SENT, detail, 0.0, None
            return Outcome.UNKNOWN, detail, 0.0, await self.unconfirmed(event, position)
        self.reply(event, self._passed(event, answered, None))
        return Outcome.ANSWERED, str(answered.status_code), answered.ms, await self._left(event, position, answered)

    def refuse(self, event: Event, error: OcpiError) -> None:
        """Answer with the hub's own sentence."""
        self.reply(event, Reply(event.id, error.http_status, error.status_code, message=error.message))

    def reply(self, event: Event, reply: Reply) -> None:
        if event.reply_to is not None:
            self._log.reply(event.reply_to, *replies.encode(reply))

    async def unattempted(self, event: Event, position: Position) -> ObjectState | None:
        """A directed push of the replay window: the former owner may have sent it, so its outcome is not known.

        Its caller reads what is recorded of a CDR, else 4002. The object is unconfirmed at this audience.
        """
        if event.module == Module.CDRS:
            record = await self._recorded(event)
            if record is not None and record.status_code is not None and record.payload == event.payload:
                self.reply(event, _repeated(event, record))
                return None
        message = "the hub was restarted while this push was under way: it may have arrived; repeat it or read back"
        self.reply(event, Reply(event.id, 200, OutcomeUnknown.status_code, message=message))
        return await self.unconfirmed(event, position)

    async def unconfirmed(self, event: Event, position: Position) -> ObjectState:
        """The state after a push whose outcome is not known."""
        return replace(await self._touched(event, position), unconfirmed=True)

    # --- one attempt -----------------------------------------------------------------------------------------------

    async def _attempt(self, item: Directed, permit: Permit) -> Answered:
        event = item.event
        to = self._ready(event)
        for request in item.catch_up:
            await self._catch_up(event, to, request, permit)
        return await self._send(event, to, permit)

    def _ready(self, event: Event) -> Hosted:
        if self.latest_start(event) <= 0:
            raise NotConnected(
                "too little of your waiting time was left to send this push when its turn came; send it again"
            )
        return self._resolver.directed(event)

    async def _send(self, event: Event, to: Hosted, permit: Permit) -> Answered:
        push = Push(
            to, event.sender, event.module, event.operation, event.path, event.query, event.payload,
            event.correlation_id,
        )  # fmt: skip
        try:
            return await self._sender.push(push, within=self.left(event), permit=permit)
        except NotConnected as error:
            if not error.refused or self.latest_start(event) <= 0:
                raise
        return await self._sender.push(push, within=self.left(event), permit=permit)

    async def _catch_up(self, event: Event, to: Hosted, request: Request, permit: Permit) -> None:
        """The newest broadcast state goes first; a push whose predecessor did not get through is not sent."""
        push = Push(
            to, self._hub, event.module, request.operation, event.path[:3] + request.path,
            event.query, request.body, event.correlation_id,
        )  # fmt: skip
        try:
            answered = await self._sender.push(push, within=self.left(event), permit=permit)
        except OcpiError as error:
            raise _not_caught_up(to, error.message) from error
        if ended(answered) is None:
            raise _not_caught_up(to, f"it answered HTTP {answered.http_status}, OCPI {answered.status_code}")
        if self.latest_start(event) <= 0:
            raise NotConnected(f"{to.party.id} was too slow with what it missed of this object; send this push again")

    # --- CDRs ------------------------------------------------------------------------------------------------------

    async def _serve_cdr(
        self, event: Event, position: Position, permit: Permit
    ) -> tuple[Outcome, str, float, ObjectState | None]:
        record = await self._recorded(event)
        match cdrs.decide(record, event.payload):
            case cdrs.Repetition(record=known):
                self.reply(event, _repeated(event, known))
                return Outcome.ANSWERED, f"{known.status_code} recorded", 0.0, None
            case cdrs.Contradiction(paths=paths):
                message = f"a CDR with this id was accepted with other content; it differs at {', '.join(paths)}"
                self.reply(event, Reply(event.id, 200, 2001, message=message))
                return Outcome.NOT_SENT, "2001 contradicts the accepted CDR", 0.0, None
            case cdrs.Attempt():
                pass
        to = self._ready(event)
        answered = await self._send(event, to, permit)
        location = answered.headers.get("Location")
        if location is not None:
            location = await self._locate(event, to, location)
        new = CdrRecord(
            _cdr_key(event), event.payload, position, self._clock.utc(), answered.http_status,
            answered.status_code, answered.body, location,
        )  # fmt: skip
        await until_there(lambda: self._store.write_cdr(new), trouble=self._observer.trouble)
        self.reply(event, self._passed(event, answered, location))
        return Outcome.ANSWERED, str(answered.status_code), answered.ms, await self._left(event, position, answered)

    async def _recorded(self, event: Event) -> CdrRecord | None:
        return await until_there(lambda: self._store.read_cdr(_cdr_key(event)), trouble=self._observer.trouble)

    # --- what is left behind ---------------------------------------------------------------------------------------

    @staticmethod
    def _passed(event: Event, answered: Answered, location: str | None) -> Reply:
        headers = {name: answered.headers[name] for name in replies.PASSED if name in answered.headers}
        return Reply(
            event.id, answered.http_status, answered.status_code, answered.body, headers=headers, location=location
        )

    async def _left(self, event: Event, position: Position, answered: Answered) -> ObjectState:
        """The state at this audience after an answer: what it took, or what it had."""
        if 1000 <= answered.status_code < 2000:
            return await self._state(event, position)
        return await self._touched(event, position)

    async def _state(self, event: Event, position: Position) -> ObjectState:
        """A part is laid over the newer of what everybody and what this audience was told."""
        before = None
        if needs_base(event):
            mine, everybody = key_of(event, event.audience), key_of(event, None)
            known = [state for state in (await self._states.read([mine, everybody])).values() if not state.empty]
            before = max(known, key=lambda state: state.position, default=None)
        return after(before, event, position, audience=event.audience, last_updated=event.last_updated)

    async def _touched(self, event: Event, position: Position) -> ObjectState:
        """What this audience had before, as of now: something as new was begun, so nothing older may follow it."""
        key = key_of(event, event.audience)
        known = (await self._states.read([key])).get(key)
        if known is None:
            return ObjectState(key, position, event.version)
        return replace(known, position=max(known.position, position))


def _cdr_key(event: Event) -> CdrKey:
    assert event.audience is not None  # noqa: S101  # the edge lets a CDR in only as a directed push
    return CdrKey(event.owner, event.object_id.upper(), event.audience)


def _repeated(event: Event, record: CdrRecord) -> Reply:
    return Reply(
        event.id, record.http_status or 200, record.status_code or 0, record.answer,
        headers={"Content-Type": "application/json"}, location=record.location,
    )  # fmt: skip


def _not_caught_up(to: Hosted, why: str) -> NotConnected:
    return NotConnected(
        f"{to.party.id} did not take what it missed of this object ({why}), so this push was not sent; send it again"
    )
