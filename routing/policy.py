"""Delivery policy: what an attempt of a broadcast means, and when the next one is due. Pure.

A directed push is attempted once and its answer is the caller's, so only broadcasts are judged here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum

from connectors.errors import OcpiError
from connectors.values import Module
from routing.outbound import Answered, NoEnvelope
from routing.policies import Terms

GO_ON = frozenset((Module.SESSIONS,))
"""Modules whose directed pushes go on while the store is away: what they leave is written when it is back."""


class Outcome(StrEnum):
    """How an event ended for one recipient, as the outcome record says it."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    MARKED = "marked"
    SKIPPED = "skipped"
    ANSWERED = "answered"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"
    CUSTODY = "custody"
    DEAD_LETTER = "dead_letter"
    EXPIRED = "expired"
    POISON = "poison"


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """Bounds of delivery that hold for everybody; what differs by party and module are its terms (routing/policies).

    Seconds, unless said otherwise. `large_window` is a number of records: smaller replay windows never wait for others.
    """

    connect: float = 3.0
    spare: float = 0.25
    broadcasts_at_once: int = 8
    broadcasts_first: int = 2
    directed_at_once: int = 64
    directed_least: int = 4
    begun_a_turn: int = 8
    windows_at_once: int = 3
    large_window: int = 500
    waiting_most: int = 20_000
    unsettled_most: float = 30.0
    undelivered_bytes: int = 64 * 1024 * 1024
    unwritten_most: int = 10_000
    unwritten_bytes: int = 32 * 1024 * 1024
    settle: float = 12.0
    resync_at_once: int = 4
    resync_attempts: int = 3
    resync_pause: float = 1.0
    resync_pause_most: float = 10.0
    resync_rounds: int = 30
    custody_at_once: int = 4


def ended(answered: Answered) -> Outcome | None:
    """What an answer to a broadcast attempt settles: None means that it is worth another attempt."""
    if answered.http_status == 429 or answered.http_status >= 500:
        return None
    if 1000 <= answered.status_code < 2000:
        return Outcome.DELIVERED
    if answered.status_code < 3000:
        return Outcome.REFUSED
    return None


def retry_after(failure: Answered | OcpiError, now: int) -> float | None:
    """Seconds that the recipient asked for from `now` (UTC ms) on, in seconds or by a date (RFC 9110, 10.2.3)."""
    if isinstance(failure, Answered):
        value = failure.headers.get("Retry-After", "").strip()
    else:
        value = failure.asked.strip() if isinstance(failure, NoEnvelope) else ""
    if value.isascii() and value.isdigit() and len(value) < 7:
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        # a date without a zone is an old form, and in UTC as all are
        return max((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now / 1000, 0.0)
    except (ValueError, IndexError, OverflowError):
        return None


def pause(terms: Terms, attempts: int, asked: float | None, jitter: float, *, most: float) -> float:
    """Seconds until the next attempt after `attempts` were made; `jitter` is uniform in [0, 1).

    What the recipient `asked` for is given to it, up to `most`.
    """
    wait: float = min(terms.backoff_seconds * 2 ** min(attempts - 1, 16), terms.backoff_most_seconds) * (0.5 + jitter)
    return wait if asked is None else max(wait, min(asked, most))
