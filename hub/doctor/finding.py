"""What one look of the doctor came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """UNKNOWN: it could not be looked at, for a reason that is no fault by itself."""

    RIGHT = "right"
    WARNING = "warning"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at; `found` is a sentence, `do` what to do about it, empty where there is nothing to do."""

    what: str
    state: State
    found: str
    do: str = ""


def right(what: str, found: str) -> Finding:
    return Finding(what, State.RIGHT, found)


def warning(what: str, found: str, do: str) -> Finding:
    return Finding(what, State.WARNING, found, do)


def wrong(what: str, found: str, do: str) -> Finding:
    return Finding(what, State.WRONG, found, do)


def unknown(what: str, found: str, do: str = "") -> Finding:
    return Finding(what, State.UNKNOWN, found, do)
