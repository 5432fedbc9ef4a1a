"""What a benchmark says: lines while it runs, a table and JSON at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.bench.rounds import Rounds, cpu_ratio


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure must reach: `at_least` or else at most `limit`, in `unit`."""

    limit: float
    at_least: bool = True
    unit: str = ""
    digits: int = 2

    def holds(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    def written(self, value: float) -> str:
        return f"{value:,.{self.digits}f}{self.unit and ' ' + self.unit}"

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}{self.unit and ' ' + self.unit}"


@dataclass(slots=True)
class Result:
    """One figure as it came out. `values` are those of the rounds; `failed` says why it is missed whatever they are."""

    figure: str
    bar: Bar
    value: float
    values: list[float]
    hub: str
    reference: str
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return not self.failed and bool(self.values) and self.bar.holds(self.value)

    @property
    def spread(self) -> str:
        if not self.values:
            return "-"
        median = self.bar.written(self.value)
        if len(self.values) == 1:
            return median
        return f"{median} ({min(self.values):,.{self.bar.digits}f} to {max(self.values):,.{self.bar.digits}f})"


def absolute(rounds: Rounds, *, hub: bool) -> str:
    """The two numbers of one side: the medians of calls a second and of CPU time a call."""
    rate = rounds.middle(lambda one: (one.hub if hub else one.reference).rate)
    cpu = rounds.middle(lambda one: (one.hub if hub else one.reference).cpu_us)
    return f"{rate:,.0f}/s {cpu:,.0f} us"


def notes(rounds: Rounds) -> list[str]:
    """The ratio by CPU time, which a shared core spoils less, and whether it was shared."""
    by_cpu = rounds.middle(lambda one: 1 / cpu_ratio(one) if cpu_ratio(one) else 0.0)
    return [f"by CPU time a call the ratio is {by_cpu:.2f}", *shared(rounds)]


def shared(rounds: Rounds) -> list[str]:
    """A word where the hub or its reference did not have the core for itself."""
    if not rounds.disturbed:
        return []
    return [f"other processes used the core in {rounds.disturbed} of {len(rounds.held)} rounds: measure again"]


def voided(rounds: Rounds) -> list[str]:
    """Why a figure is missed for its void rounds, if it is."""
    return [f"{len(rounds.void)} rounds were void: {rounds.void[-1]}"] if rounds.too_many_void else []


def say(line: str) -> None:
    """A line of progress."""
    print(line, flush=True)


def table(results: Sequence[Result], *, judged: bool) -> str:
    """The table of all figures, and their notes below it."""
    head = ("figure", "bar", "median (min to max)", "hub", "reference", "")
    rows = [
        (
            r.figure,
            str(r.bar),
            r.spread,
            r.hub,
            r.reference,
            ("held" if r.held else "MISSED") if judged else "not judged",
        )
        for r in results
    ]
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths).rstrip())
    for result in results:
        lines += [f"  {result.figure}: {line}" for line in (*result.failed, *result.notes)]
    return "\n".join(lines)


def write_json(path: Path, results: Sequence[Result], *, judged: bool) -> None:
    """The same for programs."""
    content = {
        "python": sys.version.split()[0],
        "judged": judged,
        "figures": [asdict(result) | {"held": result.held} for result in results],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
