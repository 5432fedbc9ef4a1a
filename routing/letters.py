"""Dead letters of CDRs in custody. Pure."""

from __future__ import annotations

from connectors.values import Module
from routing.archive.filing import id_of as exchange_of
from routing.custody import Custody
from routing.deadletters import BODY_BYTES, DeadLetter, Reason, id_of
from routing.store.port import CdrRecord


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


def sentence(letter: DeadLetter) -> str:
    """What an operator is told of it."""
    return (
        f"the CDR {letter.object_id[:40]} of {letter.owner} for {letter.recipient} is a dead letter ({letter.reason}),"
        f" {letter.id}: {letter.detail}"
    )
