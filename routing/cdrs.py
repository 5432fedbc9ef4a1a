"""CDR memory decides what a posted CDR is: a new one, a repetition, or a contradiction. Pure (P5).

CDRs are immutable (OCPI 2.2.1, 10.1): the same id means the same CDR. A correction is a credit CDR with its own id,
unless the recipient refused the first one.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.digits import differences
from routing.store.port import CdrRecord


@dataclass(frozen=True, slots=True)
class Attempt:
    """Send it: nothing is recorded, its outcome is unknown, or the recipient refused what came before."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """Do not send it: the sender gets the recorded answer and Location."""

    record: CdrRecord


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Do not send it: another value was accepted under this id; `paths` are the first that differ."""

    paths: tuple[str, ...]


def decide(record: CdrRecord | None, payload: bytes) -> Attempt | Repetition | Contradiction:
    if record is None or record.status_code is None or not 1000 <= record.status_code < 2000:
        return Attempt()
    paths = () if record.payload == payload else tuple(differences(record.payload, payload))
    return Contradiction(paths) if paths else Repetition(record)
