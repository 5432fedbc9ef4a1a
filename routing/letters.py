"""Dead letters of CDRs in custody, and of objects that a resync gives up on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.values import Module, PartyId
from routing.archive.filing import id_of as exchange_of
from routing.custody import Custody
from routing.deadletters import BODY_BYTES, Attempted, DeadLetter, Reason, bounded, id_of
from routing.event import Event, Operation
from routing.log.port import TopicPartition
from routing.state import ObjectState
from routing.store.port import CdrRecord

WORDS: Final = 500


def id_of_cdr(record: CdrRecord) -> str:
    """Of a CDR and recipient as it was taken: taken again, it is another letter."""
    key, taken = record.key, record.custody.event if record.custody is not None else ""
    return id_of("cdr", key.owner, key.cdr_id, key.recipient, taken)


def of_cdr(record: CdrRecord, after: Custody, reason: Reason, detail: str, *, now: int, platform: str) -> DeadLetter:
    """The letter of one that is given up, or of whose attempt nobody knows; `after` is its custody from then on."""
    topic = f"ocpi.{Module.CDRS}"
    return DeadLetter(
        id=id_of_cdr(record), at=now, reason=reason, detail=detail, module=Module.CDRS, method="POST", path=after.path,
        owner=record.key.owner, object_id=after.object_id, variant="", sender=after.sender,
        recipient=record.key.recipient, platform=platform, correlation_id=after.correlation_id,
        request_id=after.request_id, stood=exchange_of(topic, after.partition, *record.position),
        attempts=after.attempts, version=after.turn, size=len(record.payload), body=record.payload[:BODY_BYTES],
    )  # fmt: skip


def of_state(
    state: ObjectState, event: Event, tp: TopicPartition, recipient: PartyId, platform: str,
    tried: Sequence[tuple[PartyId, int, int, int, str, int]], now: int,
) -> DeadLetter:  # fmt: skip
    """The letter of an object that a recipient does not take while it takes others; `event` is of its newest state."""
    attempts = tuple(Attempted(at, http, code, words[:WORDS], ms) for _, at, http, code, words, ms in tried)
    last = attempts[-1]
    came = last.words or f"it answered HTTP {last.http_status}, OCPI {last.status_code}"
    key = state.key
    return DeadLetter(
        id=id_of("resync", key.owner, key.module, key.object_id, key.variant, recipient), at=now, reason=Reason.RESYNC,
        detail=f"it was not taken, round after round of a resync, while others were; the last time: {came}",
        module=key.module, method=Operation.DELETE if state.deleted else Operation.PUT, path=event.path,
        owner=key.owner, object_id=event.object_id, variant=key.variant, sender=key.owner, recipient=recipient,
        platform=platform, correlation_id=event.correlation_id,
        stood=exchange_of(tp.topic, tp.partition, *state.position), attempts=bounded(attempts),
        size=len(state.body or b""), body=(state.body or b"")[:BODY_BYTES],
    )  # fmt: skip


def sentence(letter: DeadLetter) -> str:
    """What an operator is told of it."""
    what = "CDR" if letter.module == Module.CDRS else f"object {letter.module}"
    return (
        f"the {what} {letter.object_id[:40]} of {letter.owner} for {letter.recipient} is a dead letter"
        f" ({letter.reason}), {letter.id}: {letter.detail}"
    )
