"""CDR memory decides what a posted CDR is: a new one, a repetition, or a contradiction. Pure (P5).

CDRs are immutable (OCPI 2.2.1, 10.1): the same id means the same CDR. A correction is a credit CDR with its own id,
unless the recipient refused the first one.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.digits import differences
from routing.custody import Held
from routing.store.port import CdrRecord


@dataclass(frozen=True, slots=True)
class Attempt:
    """Send it: nothing is recorded, its outcome is unknown, or the recipient refused what came before."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """Do not send it: the sender gets the recorded answer and Location."""

    record: CdrRecord


@dataclass(frozen=True, slots=True)
class InCustody:
    """Do not send it: the hub has taken it and delivers it by itself."""

    record: CdrRecord


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Do not send it: another value was accepted under this id; `paths` are the first that differ."""

    paths: tuple[str, ...]


def decide(record: CdrRecord | None, payload: bytes) -> Attempt | Repetition | InCustody | Contradiction:
    """What to do with a CDR that is posted; `record` is what is remembered under its id."""
    if record is None:
        return Attempt()
    taken = record.status_code is not None and 1000 <= record.status_code < 2000
    held = record.custody if record.status_code is None else None
    if not taken and (held is None or held.held is Held.GIVEN_UP):
        return Attempt()
    paths = () if record.payload == payload else tuple(differences(record.payload, payload))
    if paths:
        return Contradiction(paths)
    if taken:
        return Repetition(record)
    # of one whose outcome is unknown its sender decides, as of every other (promise 5)
    return InCustody(record) if held is not None and held.live else Attempt()
