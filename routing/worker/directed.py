"""Directed pushes: one attempt within the caller's deadline, and the recipient's answer is the caller's.

A CDR is remembered before its caller reads the answer (P5): a repetition gets the recorded one, at the same moment
too, because both stand in one slot. What cannot be done without the store is not begun while it is away, and its
caller is told so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connectors.errors import EngineAway, NotConnected, OcpiError, OutcomeUnknown
from connectors.values import Module, PartyId
from routing import cdrs, custody, replies
from routing.clock import Clock
from routing.custody import Came
from routing.deadletters import attempted
from routing.directory import Hosted
from routing.event import Event
from routing.fold import Request
from routing.log.port import Log, Position
from routing.outbound import Answered, speaker
from routing.policy import GO_ON, DeliverySettings, Outcome, ended
from routing.repeat import may_repeat, saw
from routing.replies import Reply
from routing.store.port import CdrKey, CdrRecord, StoreAway
from routing.worker import aftermath
from routing.worker.aftermath import Aftermath
from routing.worker.keeping import Keeping, held
from routing.worker.ports import Locate, Push, Resolver, Sender
from routing.worker.reach import WITHIN, Reach
from routing.worker.slot import Directed
from routing.worker.states import States
from routing.worker.tracker import attempt

Permit = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Served:
    """How a directed push ended: for the outcome record, and the state that it leaves, if any.

    With `recording` its recipient has had it and the caller is not answered: that comes once this is awaited, which
    may take as long as the store is away.
    """

    outcome: Outcome
    detail: str
    ms: float = 0.0
    left: Aftermath | None = None
    recording: Callable[[], Awaitable[None]] | None = None


class DirectedPushes:
    """Serves one directed push at a time of each slot, and says how it ended."""

    def __init__(
        self,
        *,
        log: Log,
        reach: Reach,
        states: States,
        sender: Sender,
        resolver: Resolver,
        locate: Locate,
        clock: Clock,
        settings: DeliverySettings,
        hub: PartyId,
        keeping: Keeping,
        trouble: Callable[[str], None],
    ) -> None:
        self._log = log
        self._reach = reach
        self._states = states
        self._sender = sender
        self._resolver = resolver
        self._locate = locate
        self._clock = clock
        self._settings = settings
        self._hub = hub
        self._keeping = keeping
        self._trouble = trouble

    def left(self, event: Event) -> float:
        """Seconds until its caller stops waiting."""
        return ((event.deadline or 0) - self._clock.utc()) / 1000

    def latest_start(self, event: Event) -> float:
        """Seconds until it is too late to begin."""
        return self.left(event) - self._settings.connect - self._settings.spare

    def refusal(self, event: Event) -> EngineAway | None:
        """Why it cannot be sent now, for the store's sake; None when it can."""
        if event.module in GO_ON:
            if self._states.full:
                return _away(
                    event, "the hub's store does not take what pushes leave behind, and no more can wait for it"
                )
        elif self._reach.away:
            return _away(event, "the hub's store is away")
        return None

    async def serve(self, item: Directed, permit: Permit) -> Served:
        """Attempt and answer."""
        event, position = item.event, item.entry.position
        try:
            if (away := self.refusal(event)) is not None:
                raise away
            if event.module == Module.CDRS:
                return await self._serve_cdr(item, permit)
            answered = await self._attempt(item, permit)
        except OcpiError as error:
            self.refuse(event, error)
            detail = f"{error.status_code} {error.message}"
            if isinstance(error, (NotConnected, EngineAway)):
                return Served(Outcome.NOT_SENT, detail)
            return Served(Outcome.UNKNOWN, detail, left=aftermath.touched(event, position, unconfirmed=True))
        self.reply(event, self._passed(event, answered, None))
        left = aftermath.answered(event, position, answered)
        return Served(Outcome.ANSWERED, str(answered.status_code), answered.ms, left)

    def refuse(self, event: Event, error: OcpiError) -> None:
        """Answer with the hub's own sentence."""
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        self.reply(event, Reply(event.id, error.http_status, error.status_code, message=error.message, headers=headers))

    def reply(self, event: Event, reply: Reply) -> None:
        if event.reply_to is not None:
            self._log.reply(event.reply_to, *replies.encode(reply))

    def unattempted(self, event: Event, record: CdrRecord | None) -> bool:
        """Answer a directed push of the replay window: the former owner may have sent it, so nobody knows its outcome.

        Its caller reads what is recorded of a CDR, else 4002. Whether the object is unconfirmed at its audience now.
        """
        if record is not None and record.payload == event.payload:
            match cdrs.decide(record, event.payload):
                case cdrs.InCustody(record=known):
                    self.reply(event, held(event, known))
                    return False
                case _ if record.status_code is not None:
                    self.reply(event, _repeated(event, record))
                    return False
        message = "the hub was restarted while this push was under way: it may have arrived; repeat it or read back"
        self.reply(event, Reply(event.id, 200, OutcomeUnknown.status_code, message=message))
        return True

    # --- one attempt -----------------------------------------------------------------------------------------------

    async def _attempt(self, item: Directed, permit: Permit) -> Answered:
        event = item.event
        to = self._ready(event)
        for request in item.catch_up:
            await self._catch_up(event, to, request, permit)
        return await self._send(item, to, permit)

    def _ready(self, event: Event) -> Hosted:
        if self.latest_start(event) <= 0:
            raise NotConnected(
                "too little of your waiting time was left to send this push when its turn came; send it again"
            )
        return self._resolver.directed(event)

    async def _send(self, item: Directed, to: Hosted, permit: Permit) -> Answered:
        event = item.event
        push = Push(
            to, event.sender, event.module, event.operation, event.path, event.query, event.payload,
            event.correlation_id,
        )  # fmt: skip
        try:
            return await self._once(item, push, permit)
        except NotConnected as error:
            again = error.refused and may_repeat(event.operation, event.module, saw(error))
            again = again and self._resolver.terms(to.party.id, event.module).refused_again
            if not again or self.latest_start(event) <= 0:
                raise
        return await self._once(item, push, permit)

    async def _once(self, item: Directed, push: Push, permit: Permit) -> Answered:
        """One request, noted where it is not the one good one."""
        party, begun = push.to.party.id, self._clock.utc()
        try:
            answered = await self._sender.push(push, within=self.left(item.event), permit=permit)
        except OcpiError as error:
            item.entry.tried(attempt(party, begun, error, self._clock.utc()))
            raise
        if ended(answered) is not Outcome.DELIVERED:
            item.entry.tried(attempt(party, begun, answered, begun))
        return answered

    async def _catch_up(self, event: Event, to: Hosted, request: Request, permit: Permit) -> None:
        """The newest broadcast state goes first; a push whose predecessor did not get through is not sent."""
        push = Push(
            to, speaker(to.platform, event.owner, self._hub), event.module, request.operation,
            event.path[:3] + request.path, event.query, request.body, event.correlation_id,
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

    async def _serve_cdr(self, item: Directed, permit: Permit) -> Served:
        event, position = item.event, item.entry.position
        try:
            record = await self.recorded(event, within=max(self.latest_start(event), 1.0))
        except StoreAway as error:
            self._reach.missed(error)
            raise _away(event, "the hub's store is away") from None
        match cdrs.decide(record, event.payload):
            case cdrs.InCustody(record=known):
                self.reply(event, held(event, known))
                return Served(Outcome.CUSTODY, "the hub holds it already")
            case cdrs.Repetition(record=known):
                self.reply(event, _repeated(event, known))
                return Served(Outcome.ANSWERED, f"{known.status_code} recorded")
            case cdrs.Contradiction(paths=paths):
                message = f"a CDR with this id was accepted with other content; it differs at {', '.join(paths)}"
                self.reply(event, Reply(event.id, 200, 2001, message=message))
                return Served(Outcome.NOT_SENT, "2001 contradicts the accepted CDR")
            case cdrs.Attempt():
                pass
        begun = self._clock.utc()
        try:
            to = self._ready(event)
            answered = await self._send(item, to, permit)
        except NotConnected as error:
            # one who may not send may not promise to, either
            if not permit() or (kept := await self._keep(item, error, begun)) is None:
                raise
            return kept
        except OcpiError as error:
            if custody.came(error) is not Came.UNKNOWN or not self._keeping.remembers(event, record):
                raise
            return self._unknown(event, position, record, error, begun)

        async def recording() -> None:
            location = await self._located(event, to, answered)
            new = CdrRecord(
                _cdr_key(event), event.payload, position, self._clock.utc(), answered.http_status,
                answered.status_code, answered.body, location,
            )  # fmt: skip
            await self._reach.until_there(lambda: self._reach.store.write_cdr(new))
            self.reply(event, self._passed(event, answered, location))

        left = aftermath.answered(event, position, answered)
        return Served(Outcome.ANSWERED, str(answered.status_code), answered.ms, left, recording)

    def _unknown(
        self, event: Event, position: Position, known: CdrRecord | None, error: OcpiError, begun: int
    ) -> Served:
        """It may have arrived: that is recorded, then its sender decides."""
        tried = attempted(begun, error, self._clock.utc())

        async def recording() -> None:
            await self._keeping.unknown(event, _cdr_key(event), position, known, tried)
            self.refuse(event, error)

        left = aftermath.touched(event, position, unconfirmed=True)
        return Served(Outcome.UNKNOWN, f"{error.status_code} {error.message}", left=left, recording=recording)

    async def _keep(self, item: Directed, error: NotConnected, begun: int) -> Served | None:
        """Nothing of it was sent: where its recipient wants that, it is the hub's from here on."""
        event, tp, position = item.event, item.entry.tp, item.entry.position
        try:
            taken = await self._keeping.take(
                event, _cdr_key(event), tp, position, error, begun=begun, within=max(self.left(event), 1.0)
            )
        except StoreAway as away:
            self._reach.missed(away)
            why = OutcomeUnknown(f"{error.message}; the hub may hold this CDR, but its store did not say so: repeat it")
            self.refuse(event, why)
            return Served(Outcome.UNKNOWN, f"{why.status_code} {why.message}")
        if taken is None:
            return None
        self.reply(event, held(event, taken))
        return Served(Outcome.CUSTODY, f"{error.status_code} {error.message}")

    async def _located(self, event: Event, to: Hosted, answered: Answered) -> str | None:
        """The Location as the caller is to read it. The CDR was taken and is remembered, whatever its Location is."""
        given = answered.headers.get("Location")
        if given is None:
            return None
        try:
            async with asyncio.timeout(WITHIN):
                return await self._locate(event, to, given)
        except Exception as error:  # noqa: BLE001  # as it says above
            self._trouble(f"the Location of a CDR could not be given on: {type(error).__name__}: {error}")
            return None

    async def recorded(self, event: Event, *, within: float | None = None) -> CdrRecord | None:
        """What is remembered of this CDR. Raises StoreAway."""
        return await self._reach.once(lambda: self._reach.store.read_cdr(_cdr_key(event)), within=within)

    @staticmethod
    def _passed(event: Event, answered: Answered, location: str | None) -> Reply:
        headers = {name: answered.headers[name] for name in replies.PASSED if name in answered.headers}
        return Reply(
            event.id, answered.http_status, answered.status_code, answered.body, headers=headers, location=location
        )


def _away(event: Event, why: str) -> EngineAway:
    return EngineAway(f"{why}, so this push of {event.module} was not sent; repeat it")


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
