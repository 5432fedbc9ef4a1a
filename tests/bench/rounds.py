"""Rounds that alternate the hub and its reference, and the median of what they give."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median

from tests.bench.measure import Sample

VOID_ALLOWED = 3
"""So many rounds of a figure may be void and are repeated; one more, and the figure is missed."""

DISTURBED = 0.03
"""From this part of the core on, what other processes took of it is told."""

_WARMING_MOST = 20

Side = Callable[[], Awaitable[Sample]]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Round:
    """One round: both sides, one right after the other."""

    hub: Sample
    reference: Sample

    @property
    def foreign(self) -> float:
        """The part of the core that other processes had, on the side where it was more."""
        return max(self.hub.foreign, self.reference.foreign)


@dataclass(slots=True)
class Rounds:
    """The rounds that count, and why others did not."""

    held: list[Round] = field(default_factory=list)
    void: list[str] = field(default_factory=list)

    @property
    def too_many_void(self) -> bool:
        return len(self.void) > VOID_ALLOWED

    @property
    def disturbed(self) -> int:
        """In how many rounds other processes had a part of the core that is worth telling."""
        return sum(1 for one in self.held if one.foreign >= DISTURBED)

    def middle(self, of: Callable[[Round], float]) -> float:
        """The median of what `of` says of each round; 0 without rounds."""
        return median(map(of, self.held)) if self.held else 0.0


async def warmed(side: Side, say: Say) -> None:
    """Run a side until two runs in a row are not a twentieth faster than the best before them.

    Kafka and MongoDB were started a moment ago: a JVM compiles itself in its first half a minute under load, and takes
    twice the CPU time of later.
    """
    best, worse, runs = 0.0, 0, 0
    while worse < 2 and runs < _WARMING_MOST:
        rate = (await side()).rate
        worse = 0 if rate > 1.05 * best else worse + 1
        best, runs = max(best, rate), runs + 1
    say(f"warm after {runs} runs: {best:,.0f}/s")


def rate_ratio(one: Round) -> float:
    """Calls a second of the hub over those of its reference."""
    return one.hub.rate / one.reference.rate if one.reference.rate else 0.0


def added_p50(one: Round) -> float:
    """Milliseconds that the hub's median latency is above its reference's."""
    return one.hub.p50_ms - one.reference.p50_ms


def cpu_ratio(one: Round) -> float:
    """CPU time a call of the hub over that of its reference."""
    return one.hub.cpu_us / one.reference.cpu_us if one.reference.cpu_us else 0.0


async def alternate(
    name: str,
    rounds: int,
    hub: Side,
    reference: Side,
    say: Say,
    *,
    labels: tuple[str, str],
    told: Callable[[Round], str],
) -> Rounds:
    """So many rounds, the side that begins changing each time. A round with a wrong answer is void and repeated."""
    done = Rounds()
    while len(done.held) < rounds and not done.too_many_void:
        first_hub = len(done.held) % 2 == 0
        if first_hub:
            ours = await hub()
            theirs = await reference()
        else:
            theirs = await reference()
            ours = await hub()
        where = f"{name}: round {len(done.held) + 1} of {rounds}"
        wrong = [
            f"{label} gave {one.wrong} wrong answers, the first: {one.first_wrong}"
            for label, one in zip(labels, (ours, theirs), strict=True)
            if one.wrong
        ]
        if wrong:
            done.void.append("; ".join(wrong))
            say(f"{where} is void: {done.void[-1]}")
            continue
        one = Round(ours, theirs)
        done.held.append(one)
        say(
            f"{where}: {labels[0]} {ours.rate:,.0f}/s {ours.cpu_us:.0f} us, "
            f"{labels[1]} {theirs.rate:,.0f}/s {theirs.cpu_us:.0f} us, {told(one)}"
            + (f" (others used {one.foreign:.0%} of the core)" if one.foreign >= DISTURBED else "")
        )
    return done
