"""Directed push: PUT of 1,000 Locations with TO, by way of the log, beside the same PUTs through the bare proxy."""

from __future__ import annotations

from tests.bench.bodies import CPO, EMSP
from tests.bench.calls import Caller, location_pushes
from tests.bench.figures.latency import latency
from tests.bench.hubs import Server
from tests.bench.measure import Sample, measured
from tests.bench.plan import CONNECTIONS, OBJECTS, Plan
from tests.bench.report import Bar, Result, absolute, notes, say, voided
from tests.bench.rounds import alternate, rate_ratio
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, EMSP_PLATFORM, upstream


async def directed(bench: Bench, plan: Plan) -> list[Result]:
    """A CPO pushes to one eMSP, whose own answer it waits for."""
    core = min(bench.cores.tested)
    async with upstream(bench) as others, bench.hub("directed") as hub:
        credential = await others.join(hub, "cpo", CPO_PLATFORM)
        port = await others.open("emsp", EMSP_PLATFORM)
        await others.register("emsp", hub, EMSP_PLATFORM)
        pushes = location_pushes(Caller(credential, CPO, EMSP), OBJECTS)
        async with bench.proxy(port) as proxy:

            async def there() -> str:
                behind = await others.behind(("emsp",), pushes.expected())
                return f"{behind} objects were answered 1000, and the eMSP has another state" if behind else ""

            async def side(server: Server, seconds: float) -> Sample:
                return await measured(server, core, pushes.sources(CONNECTIONS), seconds, there)

            for server in (hub, proxy):
                await side(server, min(1.0, plan.seconds))
            rounds = await alternate(
                "directed push", plan.rounds, lambda: side(hub, plan.seconds), lambda: side(proxy, plan.seconds),
                say, labels=("hub", "proxy"), told=lambda one: f"ratio {rate_ratio(one):.2f}",
            )  # fmt: skip
            most = rounds.middle(lambda one: one.hub.rate)
            note = await latency("directed push", plan, hub, proxy, lambda: pushes.source(0, 1), most)
    return [
        Result(
            "directed push, 64 connections, 1,000 objects / bare proxy", Bar(0.4), rounds.middle(rate_ratio),
            [rate_ratio(one) for one in rounds.held], absolute(rounds, hub=True), absolute(rounds, hub=False),
            voided(rounds), [*notes(rounds), note],
        )
    ]  # fmt: skip
