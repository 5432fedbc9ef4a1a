"""Taking a CDR into custody: durable in the store before its sender reads that the hub has it (promise 5)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from connectors.errors import NotConnected
from connectors.values import PartyId
from routing import custody
from routing.clock import Clock
from routing.event import Event
from routing.log.port import Position, TopicPartition
from routing.replies import Reply
from routing.store.port import CdrKey, CdrRecord
from routing.worker.ports import Hold, Resolver
from routing.worker.reach import Reach


class Keeping:
    """`told` hears of each recipient for whom something was taken."""

    def __init__(
        self, *, reach: Reach, resolver: Resolver, hold: Hold, clock: Clock, random: Random,
        told: Callable[[PartyId], None],
    ) -> None:  # fmt: skip
        self._reach = reach
        self._resolver = resolver
        self._hold = hold
        self._clock = clock
        self._random = random
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


def held(event: Event, record: CdrRecord) -> Reply:
    """What the sender of a CDR in custody reads, each time that it posts it."""
    recipient = record.key.recipient
    return Reply(
        event.id, 200, 1000, location=record.location,
        message=f"{recipient} could not be reached, so the hub holds this CDR and delivers it: you need not send it "
        "again. Location tells how it stands",
    )  # fmt: skip
