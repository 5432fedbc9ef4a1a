"""Taking a CDR into custody: durable in the store before its sender reads that the hub has it (promise 5).

The write of one that was taken may land long after it was given up as lost, its sender having posted the CDR again
meanwhile. So where a CDR may be taken, an attempt that ends without an outcome is recorded too: what lands late of an
older push then takes nothing, and nothing is sent again by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from connectors.errors import NotConnected
from connectors.values import PartyId
from routing import custody, letters
from routing.clock import Clock
from routing.deadletters import Attempted, Reason
from routing.event import Event
from routing.log.port import Position, TopicPartition
from routing.replies import Reply
from routing.store.port import CdrKey, CdrRecord
from routing.worker.ports import Hold, Observer, Resolver
from routing.worker.reach import Reach


class Keeping:
    """`told` hears of each recipient for whom something was taken."""

    def __init__(
        self, *, reach: Reach, resolver: Resolver, hold: Hold, clock: Clock, random: Random,
        observer: Observer, told: Callable[[PartyId], None],
    ) -> None:  # fmt: skip
        self._reach = reach
        self._resolver = resolver
        self._hold = hold
        self._clock = clock
        self._random = random
        self._observer = observer
        self._told = told

    async def take(
        self, event: Event, key: CdrKey, tp: TopicPartition, position: Position, error: NotConnected, *, begun: int,
        within: float,
    ) -> CdrRecord | None:  # fmt: skip
        """Take it, nothing of it having been sent; None where it stays its sender's.

        Raises StoreAway: then nobody knows whether it was taken.
        """
        if self._resolver.custodian(event) is None:
            return None
        location = await self._hold(event)
        if location is None:
            return None
        now = self._clock.utc()
        first = custody.never_begun(begun, error)
        taken = custody.taken(event, tp.partition, now, self._random.random(), first)
        record = CdrRecord(key, event.payload, position, now, location=location, custody=taken)
        await self._reach.once(lambda: self._reach.store.write_cdr(record), within=within)
        self._told(key.recipient)
        return record

    def remembers(self, event: Event, known: CdrRecord | None) -> bool:
        """Whether an attempt of this push that ended without an outcome is to be recorded."""
        held = known is not None and known.custody is not None
        return held or self._resolver.custodian(event) is not None

    async def unknown(
        self, event: Event, key: CdrKey, position: Position, known: CdrRecord | None, tried: Attempted
    ) -> None:
        """Record it, as long as it takes; one that was parked, or given up, is parked once more."""
        now = self._clock.utc()
        store = self._reach.store
        held = known.custody if known is not None else None
        if known is None or held is None or known.status_code is not None:
            record = CdrRecord(key, event.payload, position, now)
            if known is not None and known.status_code is not None:
                record = replace(known, position=position, recorded=now)  # a refusal is kept
            await self._reach.until_there(lambda: store.write_cdr(record))
            return
        after = custody.parked(held, tried)
        parked = replace(known, position=position, recorded=now, payload=event.payload, custody=after)
        hosted = self._resolver.custodian(event)
        why = f"{tried.status_code} {tried.words}"
        letter = letters.of_cdr(
            parked, after, Reason.UNKNOWN, why, now=now, platform=hosted.platform.id if hosted is not None else ""
        )  # fmt: skip
        await self._reach.until_there(lambda: store.letters.put(letter))
        await self._reach.until_there(lambda: store.write_cdr(parked))
        self._observer.dead_letter(Reason.UNKNOWN)
        self._observer.trouble(letters.sentence(letter))


def held(event: Event, record: CdrRecord) -> Reply:
    """What the sender of a CDR in custody reads, each time that it posts it."""
    recipient = record.key.recipient
    return Reply(
        event.id, 200, 1000, location=record.location,
        message=f"{recipient} could not be reached, so the hub holds this CDR and delivers it: you need not send it "
        "again. Location tells how it stands",
    )  # fmt: skip
