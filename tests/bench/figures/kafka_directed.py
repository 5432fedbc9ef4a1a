"""Directed push on Kafka and MongoDB: edge and worker together beside the bare proxy, and how long a caller waits."""

from __future__ import annotations

from tests.bench.bodies import CPO, EMSP
from tests.bench.calls import Caller, location_pushes
from tests.bench.figures.latency import at_half, told_of
from tests.bench.hubs import Server
from tests.bench.load import Load
from tests.bench.measure import Sample, measured
from tests.bench.plan import CONNECTIONS, OBJECTS, Plan
from tests.bench.report import Bar, Result, absolute, say, shared, voided
from tests.bench.rounds import Rounds, added_p50, alternate, cpu_ratio, rate_ratio, warmed
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, EMSP_PLATFORM, upstream

_LABELS = ("hub", "proxy")


async def kafka_directed(bench: Bench, plan: Plan) -> list[Result]:
    """A CPO pushes to one eMSP, whose own answer it waits for."""
    core = min(bench.cores.tested)
    async with upstream(bench) as others, bench.fleet("kafka-directed") as fleet, fleet.worker("worker") as worker:
        hub = fleet.served_by(worker)
        credential = await others.join(fleet.edge, "cpo", CPO_PLATFORM)
        port = await others.open("emsp", EMSP_PLATFORM)
        await others.register("emsp", fleet.edge, EMSP_PLATFORM)
        pushes = location_pushes(Caller(credential, CPO, EMSP), OBJECTS)
        async with bench.proxy(port) as proxy:

            async def there() -> str:
                behind = await others.behind(("emsp",), pushes.expected())
                return f"{behind} objects were answered 1000, and the eMSP has another state" if behind else ""

            async def side(server: Server, connections: int, seconds: float) -> Sample:
                return await measured(server, core, pushes.sources(connections), seconds, there)

            await warmed(lambda: side(hub, CONNECTIONS, plan.seconds), say)
            await side(proxy, CONNECTIONS, min(1.0, plan.seconds))
            many = await alternate(
                "directed push on Kafka", plan.rounds,
                lambda: side(hub, CONNECTIONS, plan.seconds), lambda: side(proxy, CONNECTIONS, plan.seconds),
                say, labels=_LABELS, told=lambda one: f"CPU ratio {cpu_ratio(one):.2f}",
            )  # fmt: skip
            single = await alternate(
                "its p50 at one connection", plan.rounds,
                lambda: side(hub, 1, plan.seconds), lambda: side(proxy, 1, plan.seconds),
                say, labels=_LABELS,
                told=lambda one: f"p50 {one.hub.p50_ms:.2f} and {one.reference.p50_ms:.2f} ms, "
                f"added {added_p50(one):.2f} ms",
            )  # fmt: skip
            most = many.middle(lambda one: one.hub.rate)
            load = await at_half("directed push on Kafka", plan, hub, pushes.source(0, 1), most)
    return [_together(many), _added(single), _p99(load, plan, most)]


def _together(rounds: Rounds) -> Result:
    note = f"by calls a second the hub is {rounds.middle(rate_ratio):.2f} of the proxy"
    return Result(
        "Kafka: directed push, CPU of edge and worker together / bare proxy", Bar(3.2, at_least=False),
        rounds.middle(cpu_ratio), [cpu_ratio(one) for one in rounds.held], absolute(rounds, hub=True),
        absolute(rounds, hub=False), voided(rounds), [note, *shared(rounds)],
    )  # fmt: skip


def _added(rounds: Rounds) -> Result:
    return Result(
        "Kafka: directed push, p50 over the bare proxy, 1 connection", Bar(5, at_least=False, unit="ms"),
        rounds.middle(added_p50), [added_p50(one) for one in rounds.held],
        f"{rounds.middle(lambda one: one.hub.p50_ms):.2f} ms",
        f"{rounds.middle(lambda one: one.reference.p50_ms):.2f} ms", voided(rounds), shared(rounds),
    )  # fmt: skip


def _p99(load: Load, plan: Plan, most: float) -> Result:
    p99 = load.percentile(99)
    failed = [f"{load.wrong} wrong answers, the first: {load.first_wrong}"] if load.wrong else []
    if load.calls < plan.samples:
        failed.append(f"only {load.calls:,} of {plan.samples:,} samples")
    return Result(
        f"Kafka: directed push, p99 at half load, {load.calls:,} samples", Bar(25, at_least=False, unit="ms", digits=1),
        p99, [p99] if load.calls else [], f"{most / 2:,.0f}/s", "", failed, [f"open loop: {told_of(load)}"],
    )  # fmt: skip
