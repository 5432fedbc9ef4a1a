"""Isolation: what 20 recipients notice of 4 more that hang, in the p99 of what they are sent and of calls to them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from statistics import median

from tests.bench import bodies
from tests.bench.bodies import CPO
from tests.bench.calls import HUB, Caller, Source, in_turn, location_pushes
from tests.bench.hubs import Hub
from tests.bench.load import Load
from tests.bench.open_loop import open_loop
from tests.bench.plan import CONNECTIONS, OBJECTS, Plan
from tests.bench.report import Bar, Result, say
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, Parties, Upstream, recipients, upstream

HEALTHY, HANGING = 20, 4
EVENTS, RELAYS, HUNG_RELAYS = 30.0, 200.0, 10.0
"""A second: broadcasts, each to everybody; calls to those that are well; calls to those that hang."""

LONGER = 5.0
"""A side of a round is so many times as long as in other figures: there are few calls a second, and p99 needs many."""
BAR = Bar(1.25, at_least=False)
COMING = 0.99
"""So much of what was accepted must have come to those that are well: the rest was folded into what came."""
SETTLED = 15.0
SETTINGS = {"HUB_LIST_SECONDS": "3"}
"""What a call to one that hangs may take: every side has many that do."""


async def isolation(bench: Bench, plan: Plan) -> list[Result]:
    """A CPO broadcasts and reads tokens at fixed rates, with the four that hang suspended and with them there."""
    hung: dict[str, Parties] = {f"hung-{at}": [("DE", f"H{at:02}", "EMSP")] for at in range(HANGING)}
    async with upstream(bench) as others, bench.hub("isolation", settings=SETTINGS) as hub:
        credential = await others.join(hub, "cpo", CPO_PLATFORM)
        for name, parties in recipients(HEALTHY).items():
            await others.join(hub, name, parties)
        for name, parties in hung.items():
            await others.join(hub, name, parties, hangs=True)
        measuring = _Measuring(hub, others, credential, plan.seconds * LONGER)
        await measuring.hanging("suspend")
        await measuring.side("once before it counts", hung=False)
        measuring.failed.clear()
        alone, beside = list[_Side](), list[_Side]()
        for number in range(plan.rounds):
            order = (False, True) if number % 2 else (True, False)
            for there in order:
                await measuring.hanging("resume" if there else "suspend")
                side = await measuring.side("with those that hang" if there else "without", hung=there)
                (beside if there else alone).append(side)
            a, b = alone[-1], beside[-1]
            say(
                f"isolation: round {number + 1} of {plan.rounds}: p99 of deliveries {b.delivery:.2f} ms beside,"
                f" {a.delivery:.2f} ms alone; of relays {b.relay:.2f} ms beside, {a.relay:.2f} ms alone"
            )
    return [
        _result("deliveries", [one.delivery for one in beside], [one.delivery for one in alone], measuring.failed),
        _result("relays", [one.relay for one in beside], [one.relay for one in alone], measuring.failed),
    ]


@dataclass(frozen=True, slots=True)
class _Side:
    """p99 in milliseconds."""

    delivery: float
    relay: float


@dataclass(slots=True)
class _Measuring:
    hub: Hub
    others: Upstream
    credential: str
    seconds: float
    failed: list[str] = field(default_factory=list)
    _first: int = 1

    async def hanging(self, action: str) -> None:
        """They are there, or nothing is for them; what the hub has to do for that is done."""
        for at in range(HANGING):
            await self.hub.act(("DE", f"H{at:02}"), action)
        await self.hub.process.settled(SETTLED)

    async def side(self, what: str, *, hung: bool) -> _Side:
        """All loads at once, for as long as a side takes."""
        names = list(recipients(HEALTHY))
        await self.others.delays(names, {})
        sent = dict[str, float]()
        broadcasts = self._broadcasts(sent)
        loads = [self._load(broadcasts, EVENTS), self._load(self._reads("R", HEALTHY), RELAYS)]
        if hung:
            loads.append(self._load(self._reads("H", HANGING), HUNG_RELAYS, to_the_end=True))
        pushed, read, *_ = await asyncio.gather(*loads)
        for load in (pushed, read):
            if load.wrong:
                self.failed.append(f"{what}: {load.wrong} wrong answers, the first: {load.first_wrong}")
        await asyncio.sleep(1.0)
        came = sorted(await self.others.delays(names, sent))
        if len(came) < COMING * HEALTHY * len(sent):
            self.failed.append(f"{what}: {len(came):,} of {HEALTHY * len(sent):,} deliveries came")
        return _Side(came[min(len(came) - 1, int(len(came) * 0.99))] if came else 0.0, read.percentile(99))

    async def _load(self, source: Source, rate: float, *, to_the_end: bool = False) -> Load:
        samples = max(int(rate * self.seconds), 1)
        return await open_loop(
            self.hub.port, source, connections=CONNECTIONS, rate=rate, samples=samples, to_the_end=to_the_end
        )

    def _broadcasts(self, sent: dict[str, float]) -> Source:
        """PUTs of Locations; when each was made is noted under the marker of its body."""
        first = self._first
        made = location_pushes(Caller(self.credential, CPO, HUB), OBJECTS, start=first, first=first).source(0, 1)
        number = first

        def request() -> bytes:
            nonlocal number
            sent[bodies.marker(number).decode()] = time.perf_counter()
            number = self._first = number + 1
            return made()

        return request

    def _reads(self, letter: str, count: int) -> Source:
        """GET of the tokens of one party after the other."""
        path = b"/ocpi/2.2.1/sender/tokens"
        heads = [Caller(self.credential, CPO, ("DE", f"{letter}{at:02}")).head("GET", path) % at for at in range(count)]
        return in_turn(*((lambda head=head: head) for head in heads))


def _result(what: str, beside: list[float], alone: list[float], failed: list[str]) -> Result:
    ratios = [b / a for a, b in zip(alone, beside, strict=True)]
    return Result(
        f"p99 of {what} to {HEALTHY} recipients, {HANGING} more that hang / without", BAR, median(ratios), ratios,
        f"{median(beside):.2f} ms", f"{median(alone):.2f} ms", failed[:1],
    )  # fmt: skip
