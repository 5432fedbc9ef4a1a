"""The topics of the log: their names, and what each must be like. Data only, the same on every engine.

Kafka's side of it, making and checking them, is routing/log/kafka/topics.py; the embedded engine makes its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EVENT_TOPICS: Final = ("ocpi.locations", "ocpi.tariffs", "ocpi.tokens", "ocpi.sessions", "ocpi.cdrs")
"""One a module: every accepted push. Their partition counts are the same."""

OUTCOMES: Final = "ocpi.outcomes"
"""What became of each event, one record an event."""

EXCHANGES: Final = "ocpi.exchanges"
"""Relays as they went, many in a record."""

REPLIES: Final = "ocpi.replies"
"""Answers to directed pushes on their way back to the edge that waits; internal, nobody else reads it."""

PUBLIC: Final = (*EVENT_TOPICS, OUTCOMES, EXCHANGES)
"""What others may consume, and so an interface: fields are added, never changed."""

ALL: Final = (*PUBLIC, REPLIES)

PARTITIONS: Final = 24
REPLICATION: Final = 3
IN_SYNC: Final = 2
"""A record is acknowledged when it is on this many replicas, so that one machine may be lost."""

ENVELOPE_BYTES: Final = 64 * 1024
"""What a record may be larger than its body: key, headers, and the record batch around them."""

_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 24 * 60 * _MINUTE_MS
EVENT_RETENTION_MS: Final = 7 * _DAY_MS
REPLY_RETENTION_MS: Final = 10 * _MINUTE_MS


@dataclass(frozen=True, slots=True)
class Need:
    """What one topic must be like.

    `events`: it carries accepted pushes, on which the promises rest. `retention` is how long a record is kept at
    least, `segment` how often the file of a partition is closed, without which nothing of it is ever dropped (None:
    as the cluster has it); both ms. `largest` is what the largest record may take, in bytes.
    """

    name: str
    events: bool
    partitions: int
    replication: int
    in_sync: int
    retention: int
    segment: int | None
    largest: int


def needs(
    *,
    body_limit: int,
    answer_limit: int,
    partitions: int = PARTITIONS,
    replication: int | None = None,
    single_node: bool = False,
) -> tuple[Need, ...]:
    """What each topic must be like, in the order of ALL.

    `body_limit` is the largest body that the edge takes, `answer_limit` the largest answer that is read from a party
    (`HUB_MAX_BODY_BYTES`, `HUB_MAX_ANSWER_BYTES`). With `single_node` nothing needs a second copy; else three are kept.
    """
    copies = replication or (1 if single_node else REPLICATION)

    def need(name: str) -> Need:
        replies = name == REPLIES
        return Need(
            name=name,
            events=name in EVENT_TOPICS,
            partitions=partitions,
            replication=copies,
            in_sync=1 if single_node else IN_SYNC,
            retention=REPLY_RETENTION_MS if replies else EVENT_RETENTION_MS,
            segment=REPLY_RETENTION_MS if replies else None,
            largest=(max(body_limit, answer_limit) if replies else body_limit) + ENVELOPE_BYTES,
        )

    return tuple(need(name) for name in ALL)
