"""One attempt of a CDR in custody, in its slot: written before it begins, and its outcome written when it has ended.

What was begun and left no outcome is parked, because it may have arrived: nothing is sent until its sender posts it
again or an operator says so. Where the recipient takes a CDR twice for one, it is tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from random import Random
from secrets import token_hex

from connectors.errors import NotConnected, OcpiError
from connectors.values import Module
from routing import custody, letters
from routing.clock import Clock
from routing.custody import Came, Custody
from routing.deadletters import Attempted, Reason, attempted
from routing.directory import Hosted
from routing.event import Event
from routing.outbound import Answered
from routing.policy import Outcome
from routing.store.port import CdrRecord, StoreAway
from routing.worker.ports import Locate, Observer, Push, Resolver, Sender
from routing.worker.reach import WITHIN, Reach
from routing.worker.slot import Kept

Recording = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class End:
    """How custody ended for now: it was taken or refused, is parked, or was given up. `answered` where one came."""

    record: CdrRecord
    event: Event
    outcome: Outcome
    detail: str
    ms: float = 0.0
    answered: Answered | None = None


class Attempts:
    """One instance a worker. `told` hears of each end, once that is durable."""

    def __init__(
        self, *, reach: Reach, resolver: Resolver, sender: Sender, locate: Locate, clock: Clock, random: Random,
        observer: Observer, told: Callable[[End], None],
    ) -> None:  # fmt: skip
        self._reach = reach
        self._resolver = resolver
        self._sender = sender
        self._locate = locate
        self._clock = clock
        self._random = random
        self._observer = observer
        self._told = told
        self._unsent: set[str] = set()

    async def serve(self, item: Kept, permit: Callable[[], bool]) -> Recording | None:
        """Make it; what is returned writes how it ended. None: nothing was begun."""
        record, event = item.record, item.event
        now, by = self._clock.utc(), token_hex(8)
        try:
            to = self._resolver.directed(event)
        except NotConnected:
            return None
        except OcpiError as error:
            result = error
            return lambda: self._on(record, custody.waits, result, attempted(now, result, now))
        assert record.custody is not None  # noqa: S101  # what makes it one of these
        mine = replace(record, custody=custody.attempting(record.custody, now, by))
        if not permit():
            return None
        self._unsent.add(by)  # until the first byte may go
        if not await self._begun(mine):
            return None
        asked: list[bool] = []

        def may_send() -> bool:
            asked.append(permit())
            if asked[-1]:
                self._unsent.discard(by)
            return asked[-1]

        terms = self._resolver.terms(to.party.id, event.module)
        came: Answered | OcpiError
        try:
            came = await self._sender.push(_push(event, to), within=terms.attempt_seconds, permit=may_send)
        except OcpiError as error:
            came = error
        if isinstance(came, NotConnected) and asked and not asked[-1]:
            return lambda: self._back(mine)
        return lambda: self._after(mine, event, to, came, now)

    async def _begun(self, mine: CdrRecord) -> bool:
        try:
            begun = await self._reach.once(lambda: self._reach.store.step_cdr(mine))
        except StoreAway as error:
            self._reach.missed(error)
            return False  # it may be there all the same: then it is known to have sent nothing
        if not begun:
            self._unsent.discard(_custody(mine).by)
        return begun

    # --- what came of it ---------------------------------------------------------------------------------------------

    async def _after(
        self, record: CdrRecord, event: Event, to: Hosted, result: Answered | OcpiError, begun: int
    ) -> None:
        held = _custody(record)
        self._unsent.discard(held.by)
        tried = attempted(begun, result, self._clock.utc())
        match custody.came(result):
            case Came.TAKEN | Came.REFUSED:
                assert isinstance(result, Answered)  # noqa: S101  # what makes it one of these
                await self._over(record, event, to, result, tried)
            case Came.UNKNOWN:
                await self.lost(record, event, tried)
            case Came.NOTHING | Came.LATER:
                await self._on(record, custody.waits, result, tried)

    async def _over(self, record: CdrRecord, event: Event, to: Hosted, result: Answered, tried: Attempted) -> None:
        given = result.headers.get("Location") if custody.came(result) is Came.TAKEN else None
        location = await self._located(event, to, given) if given is not None else None
        ended = replace(
            record, recorded=self._clock.utc(), http_status=result.http_status, status_code=result.status_code,
            answer=result.body, location=location or record.location, custody=custody.over(_custody(record), tried),
        )  # fmt: skip
        await self._reach.until_there(lambda: self._reach.store.write_cdr(ended))
        outcome = Outcome.DELIVERED if custody.came(result) is Came.TAKEN else Outcome.REFUSED
        self._told(End(ended, event, outcome, f"{result.status_code}", result.ms, result))

    async def _on(
        self, record: CdrRecord, change: Callable[..., Custody], result: OcpiError | Answered, tried: Attempted
    ) -> None:
        held = change(_custody(record), self._clock.utc(), self._random.random(), result, tried)
        await self._step(replace(record, custody=held))

    async def _back(self, record: CdrRecord) -> None:
        """It was not begun after all."""
        held = custody.unsent(_custody(record), self._clock.utc())
        if await self._step(replace(record, custody=held)):
            self._unsent.discard(_custody(record).by)

    async def lost(self, record: CdrRecord, event: Event, tried: Attempted) -> None:
        """Nobody knows what came of an attempt."""
        held = _custody(record)
        if held.by in self._unsent:
            await self._back(record)
            return
        if self._resolver.deduplicates(record.key.recipient):
            result = None
            after = custody.waits(held, self._clock.utc(), self._random.random(), result, tried)
            await self._step(replace(record, custody=after))
            return
        why = f"{tried.status_code} {tried.words}"
        await self._give_up(record, event, custody.parked(held, tried), Reason.UNKNOWN, Outcome.UNKNOWN, why)

    async def give_up(self, record: CdrRecord, event: Event) -> None:
        """Its time has run out."""
        held = _custody(record)
        last = held.attempts[-1] if held.attempts else None
        why = "it could not be delivered in seven days" + (
            f"; the last attempt: {last.words or last.answer}" if last else ""
        )
        await self._give_up(record, event, custody.given_up(held), Reason.CUSTODY, Outcome.DEAD_LETTER, why)

    async def _give_up(
        self, record: CdrRecord, event: Event, after: Custody, reason: Reason, outcome: Outcome, why: str
    ) -> None:
        """The letter first: it must not be that nobody would deliver it and nobody be told."""
        hosted = self._resolver.custodian(event)
        platform = hosted.platform.id if hosted is not None else ""
        letter = letters.of_cdr(record, after, reason, why, now=self._clock.utc(), platform=platform)
        store = self._reach.store.letters
        await self._reach.until_there(lambda: store.put(letter))
        ended = replace(record, recorded=self._clock.utc(), custody=after)
        if not await self._step(ended):
            await self._reach.until_there(lambda: store.drop(letter.id, version=letter.version))
            return
        self._observer.dead_letter(reason)
        self._observer.trouble(letters.sentence(letter))
        self._told(End(ended, event, outcome, why))

    async def _step(self, record: CdrRecord) -> bool:
        return await self._reach.until_there(lambda: self._reach.store.step_cdr(record))

    async def _located(self, event: Event, to: Hosted, given: str) -> str | None:
        try:
            async with asyncio.timeout(WITHIN):
                return await self._locate(event, to, given)
        except Exception as error:  # noqa: BLE001  # the CDR was taken, whatever its Location is
            self._observer.trouble(f"the Location of a CDR could not be given on: {type(error).__name__}: {error}")
            return None


def _custody(record: CdrRecord) -> Custody:
    assert record.custody is not None  # noqa: S101  # what makes it one of these
    return record.custody


def _push(event: Event, to: Hosted) -> Push:
    return Push(
        to, event.sender, Module.CDRS, event.operation, event.path, event.query, event.payload, event.correlation_id
    )
