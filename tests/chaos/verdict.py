"""What became of a run: a sentence for everything that is broken, and the figures of the table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.load import Load
from tests.chaos.plans import Plan
from tests.judging import Facts, judge

LEAST_UNSETTLED = 50
MOST_MARKED = 0.2
"""The part of all broadcasts that marks may cover in an honest run: of these little can be judged."""


@dataclass(slots=True)
class Result:
    """What became of a run: `broken` sentences, and figures for the table."""

    plan: Plan
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0
    calls: int = 0
    requests: int = 0
    unsettled: list[int] = field(default_factory=list)
    marked: float = 0.0
    codes: dict[int, int] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    """What was done to the hub, and how often."""
    notes: list[str] = field(default_factory=list)
    """What else is worth a line."""

    @property
    def found(self) -> list[str]:
        """The promises that are broken, without what is said of the harness or the process."""
        return [sentence for sentence in self.broken if sentence.startswith(("P1", "P2", "P4", "P5"))]

    @property
    def passed(self) -> bool:
        return bool(self.found) if self.plan.switch else not self.broken

    def left_unsettled(self, when: str, count: int) -> None:
        """So many events were unsettled when something was killed."""
        self.unsettled.append(count)
        if count < LEAST_UNSETTLED and not self.plan.bare:
            self.broken.append(f"{when}: only {count} events were unsettled, {LEAST_UNSETTLED} are asked for")

    def judge(self, facts: Facts, load: Load, complaints: list[str]) -> None:
        """The end of a run."""
        self.broken += judge(facts)
        self.broken += [f"the load: {sentence}" for sentence in load.wrong]
        self.broken += [f"the hub said: {line}" for line in complaints]
        pairs = [
            facts.covered(party, stood)
            for party, each in facts.recipients.items()
            for stood in facts.broadcasts(each)
        ]  # fmt: skip
        self.marked = sum(pairs) / len(pairs) if pairs else 0.0
        if self.marked > MOST_MARKED and not self.plan.bare:
            self.broken.append(f"marks cover {self.marked:.0%} of the broadcasts: too little could be judged")
        for reason, count in Counter(mark.reason for mark in facts.marks).most_common():
            self.notes.append(f"{count} marks at the end: {reason}")
        self.calls, self.codes = len(load.told), dict(sorted(load.codes.items()))
        self.requests = sum(len(each.begun) for each in facts.recipients.values())
