"""Numbers that only grow, by family and labels: plain ones in a row, because counting is on the way of every call.

prometheus-client's own counters take a lock for each number, which protects from threads that an event loop does not
have. Those of several processes side by side are in a file each instead (counts_file.py), and are summed at a scrape.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence, Sequence
from typing import Final, NamedTuple, Protocol

Labels = tuple[str, ...]


class Family(NamedTuple):
    """What is counted. With `bounds` (ascending) it is a histogram of them; `labels` are the names of its labels."""

    name: str
    help: str
    labels: Labels
    bounds: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers each label set takes: one, or each bucket (the last without a bound) and the sum."""
        return len(self.bounds) + 2 if self.bounds else 1


class Key(NamedTuple):
    """A label set of a family; the width keeps histograms apart that a release gave other bounds."""

    name: str
    labels: Labels
    width: int


class Counts(Protocol):
    """Where the numbers are. `values[slot]` is counted up by whoever asked for the slot."""

    @property
    def values(self) -> MutableSequence[float]: ...

    def slot(self, family: Family, labels: Labels) -> int:
        """The first of the numbers of this label set, which begin at 0; always the same one."""

    def read(self) -> Mapping[Key, Sequence[float]]:
        """All of them now, those of the processes beside this one added."""


class OwnCounts:
    """Those of one process alone, gone with it."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self._slots: dict[Key, int] = {}

    def slot(self, family: Family, labels: Labels) -> int:
        key = Key(family.name, labels, family.width)
        found = self._slots.get(key)
        if found is None:
            found = self._slots[key] = len(self.values)
            self.values.extend([0.0] * key.width)
        return found

    def read(self) -> Mapping[Key, Sequence[float]]:
        return {key: self.values[at : at + key.width] for key, at in self._slots.items()}


class Counter:
    """One family without bounds, counted by labels that are known to be few."""

    def __init__(self, counts: Counts, family: Family) -> None:
        self._counts = counts
        self._family = family
        self._slots: dict[Labels, int] = {}

    def add(self, *labels: str, by: float = 1.0) -> None:
        slot = self._slots.get(labels)
        if slot is None:
            slot = self._slots[labels] = self._counts.slot(self._family, labels)
        self._counts.values[slot] += by


INFINITE: Final = "+Inf"


def cumulative(family: Family, numbers: Sequence[float]) -> tuple[list[tuple[str, float]], float]:
    """A histogram's numbers as Prometheus wants them: (bound, how many up to it), and the sum."""
    total, found = 0.0, []
    for bound, count in zip((*map(str, family.bounds), INFINITE), numbers, strict=False):
        total += count
        found.append((bound, total))
    return found, numbers[-1]
