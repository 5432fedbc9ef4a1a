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
    """How much of everything.

    `rounds` of `seconds` for each side; `samples` of latency; a filled store (`locations`, `tokens`) and its load; a
    backlog of so many broadcasts over so many objects, and for how long directed pushes are measured while it is read;
    an archive of so many `exchanges`; lists of `locations` and of `many_locations`.
    """

    rounds: int = 7
    seconds: float = 3.0
    samples: int = 20_000
    locations: int = 100_000
    tokens: int = 1_000_000
    load_seconds: float = 60.0
    backlog: int = 100_000
    backlog_objects: int = 10_000
    backlog_seconds: float = 40.0
    exchanges: int = 1_000_000
    many_locations: int = 1_000_000


QUICK = Plan(
    rounds=3,
    seconds=1.0,
    samples=2_000,
    locations=10_000,
    tokens=100_000,
    load_seconds=10.0,
    backlog=20_000,
    backlog_objects=2_000,
    backlog_seconds=10.0,
    exchanges=50_000,
    many_locations=100_000,
)

Figure = Callable[[Bench, Plan], Awaitable[list[Result]]]
"""Sets up what it needs, measures, and takes it down again."""
