"""How much a benchmark does, and the figures' one shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.bench.report import Result
from tests.bench.servers import Bench

CONNECTIONS = 64
OBJECTS = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """`rounds` of `seconds` for each side; `samples` of latency; the store of the last figure, and its load."""

    rounds: int = 7
    seconds: float = 3.0
    samples: int = 20_000
    locations: int = 100_000
    tokens: int = 1_000_000
    load_seconds: float = 60.0


QUICK = Plan(rounds=3, seconds=1.0, samples=2_000, locations=10_000, tokens=100_000, load_seconds=10.0)

Figure = Callable[[Bench, Plan], Awaitable[list[Result]]]
"""Sets up what it needs, measures, and takes it down again."""
