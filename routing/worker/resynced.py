"""What a resync sends is an exchange of its own: its record on `ocpi.outcomes` names the positions it stands for.

One record an object and recipient, once it is known how that ended; where it was not taken, the mark covers it still,
and another record follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson

from connectors.values import PartyId
from routing import cloudevents
from routing.cloudevents import attributes, source
from routing.event import Event
from routing.log.port import Headers, Position, TopicPartition
from routing.policy import Outcome
from routing.worker.outcomes import cut
from routing.worker.tracker import Attempt

TYPE: Final = "org.ocpi-hub.resync.v1"
_TYPE: Final = ("ce_type", TYPE.encode())
_SOURCE: Final = source(cloudevents.RESYNCS)

ID: Final = "resync-"
"""What the id of such an exchange begins with."""


@dataclass(frozen=True, slots=True)
class Resynced:
    """One object that was sent to one recipient, and how that ended.

    It stands for all that the log has of the object from `since` (where the mark began) up to `position`, the newest
    of it. `begun` is UTC ms, `attempts` are all of them, `asked` says that an operator asked for it.
    """

    event: Event
    tp: TopicPartition
    since: Position
    position: Position
    party: PartyId
    method: str
    begun: int
    outcome: Outcome
    attempts: tuple[Attempt, ...]
    asked: bool


def record(one: Resynced) -> tuple[bytes, Headers, bytes]:
    """Key, headers and value of its record."""
    event, last = one.event, one.attempts[-1]
    detail = str(last[3]) if one.outcome is not Outcome.DELIVERED else ""
    id = f"{ID}{event.module}-{one.tp.partition}-{one.position.epoch}-{one.position.offset}-{one.party}-{one.begun}"
    body = {
        "id": id,
        "topic": one.tp.topic,
        "partition": one.tp.partition,
        "epoch": one.position.epoch,
        "offset": one.position.offset,
        "since": tuple(one.since),
        "owner": str(event.owner),
        "module": event.module,
        "object": event.object_id,
        "variant": event.variant,
        "version": event.version,
        "method": one.method,
        "correlation": event.correlation_id,
        "asked": one.asked,
        "begun": one.begun,
        "results": [(str(one.party), one.outcome, detail, last[5])],
        "attempts": [
            (f"{party}", at, http_status, status_code, cut(words), ms)
            for party, at, http_status, status_code, words, ms in one.attempts
        ],
    }
    return event.key, attributes(id, source=_SOURCE, type=_TYPE), orjson.dumps(body)
