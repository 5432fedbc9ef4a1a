"""Whether the hub can do its work, and what keeps it from that, one sentence each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

Trouble = Callable[[], str | None]
"""Gives a sentence while something keeps this process from doing its work, else None."""


class Readiness(NamedTuple):
    """`reasons` are told also where they keep nothing from working."""

    ready: bool
    reasons: tuple[str, ...]


def sentences(troubles: Iterable[Trouble]) -> list[str]:
    """What each says now, the same sentence once."""
    return list(dict.fromkeys(sentence for trouble in troubles if (sentence := trouble())))


def readiness(troubles: Iterable[Trouble]) -> Readiness:
    """Of one process alone: ready without any trouble."""
    found = sentences(troubles)
    return Readiness(not found, tuple(found))
