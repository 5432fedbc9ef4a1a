"""What a second worker costs: the workers' CPU time a message with two of them beside that of one, at the same rate.

Both take half of what the hub with one worker takes at most. At the most of each, which is printed, the loads are not
the same: on one core two workers have smaller batches than one that is never done.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

from tests.bench.bodies import CPO, EMSP
from tests.bench.calls import Caller, location_pushes
from tests.bench.fleet import Fleet
from tests.bench.hubs import Hub
from tests.bench.measure import Sample, measured
from tests.bench.plan import CONNECTIONS, OBJECTS, Plan
from tests.bench.processes import Together
from tests.bench.report import Bar, Result, absolute, say, shared, voided
from tests.bench.rounds import alternate, cpu_ratio, warmed
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, EMSP_PLATFORM, Upstream, upstream


async def second_worker(bench: Bench, plan: Plan) -> list[Result]:
    """Directed pushes through a hub with two workers and one with one; an edge's share is the same and left out."""
    async with upstream(bench) as others, AsyncExitStack() as stack:

        async def hub(name: str, workers: int) -> _Side:
            fleet = await stack.enter_async_context(bench.fleet(name))
            side = _Side(name, fleet, min(bench.cores.tested))
            await side.join(others)
            for number in range(workers):
                side.workers.append(await stack.enter_async_context(fleet.worker(f"worker-{number}")))
            await warmed(lambda: side.run(plan.seconds), say)
            return side

        two, one = await hub("two-workers", 2), await hub("one-worker", 1)
        full_two, full_one = await two.run(plan.seconds), await one.run(plan.seconds)
        rate = full_one.rate / 2
        say(f"second worker: at most {full_two.rate:,.0f}/s with two, {full_one.rate:,.0f}/s with one")
        rounds = await alternate(
            f"second worker at {rate:,.0f}/s", plan.rounds,
            lambda: two.run(plan.seconds, rate), lambda: one.run(plan.seconds, rate),
            say, labels=("two", "one"), told=lambda each: f"CPU ratio {cpu_ratio(each):.2f}",
        )  # fmt: skip
        idle = [share for worker in two.workers if (share := worker.process.cpu() / two.cpu) < 0.25]
    most = (
        f"at their most: two {full_two.rate:,.0f}/s {full_two.cpu_us:,.0f} us, one {full_one.rate:,.0f}/s "
        f"{full_one.cpu_us:,.0f} us"
    )
    failed = ["one of the two workers had next to nothing to do"] if idle else []
    return [
        Result(
            "Kafka: a second worker, the workers' CPU a message / one worker's", Bar(1.15, at_least=False),
            rounds.middle(cpu_ratio), [cpu_ratio(each) for each in rounds.held], absolute(rounds, hub=True),
            absolute(rounds, hub=False), [*voided(rounds), *failed], [most, *shared(rounds)],
        )
    ]  # fmt: skip


class _Side:
    """A hub with so many workers, and its load."""

    def __init__(self, name: str, fleet: Fleet, core: int) -> None:
        self.workers: list[Hub] = []
        self._name = name
        self._fleet = fleet
        self._core = core

    async def join(self, others: Upstream) -> None:
        """A CPO and an eMSP of its own."""
        credential = await others.join(self._fleet.edge, f"{self._name}-cpo", CPO_PLATFORM)
        await others.join(self._fleet.edge, f"{self._name}-emsp", EMSP_PLATFORM)
        self._pushes = location_pushes(Caller(credential, CPO, EMSP), OBJECTS)

    @property
    def cpu(self) -> float:
        """CPU seconds of all its workers."""
        return self._workers().cpu()

    async def run(self, seconds: float, rate: float | None = None) -> Sample:
        """A closed loop, or an open one at `rate`; the CPU time is that of the workers."""
        server = self._fleet.served_by(*self.workers)
        alone = [self._pushes.source(0, 1)] * CONNECTIONS  # an open loop has one source for all
        sources = self._pushes.sources(CONNECTIONS) if rate is None else alone
        return await measured(server, self._core, sources, seconds, of=self._workers(), rate=rate)

    def _workers(self) -> Together:
        return Together(*(worker.process for worker in self.workers))
