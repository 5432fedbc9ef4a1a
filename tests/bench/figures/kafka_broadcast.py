"""Broadcast on Kafka: what one edge process takes beside the accepting reference that writes to the same broker."""

from __future__ import annotations

from functools import partial

from tests.bench.bodies import CPO
from tests.bench.calls import HUB, Caller, location_pushes
from tests.bench.hubs import Server
from tests.bench.measure import Sample, measured
from tests.bench.plan import CONNECTIONS, OBJECTS, Plan
from tests.bench.report import Bar, Result, absolute, notes, say, voided
from tests.bench.rounds import alternate, rate_ratio, warmed
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, upstream


async def kafka_broadcast(bench: Bench, plan: Plan) -> list[Result]:
    """A CPO broadcasts. No worker runs: it would have another core, and accepting does not wait for it."""
    core = min(bench.cores.tested)
    async with upstream(bench) as others, bench.fleet("kafka-broadcast") as hub:
        caller = Caller(await others.join(hub.edge, "cpo", CPO_PLATFORM), CPO, HUB)
        pushes = location_pushes(caller, OBJECTS)
        async with bench.accepting(caller.authorization, kafka=True) as reference:

            async def side(server: Server, seconds: float) -> Sample:
                return await measured(server, core, pushes.sources(CONNECTIONS), seconds)

            for server in (hub.edge, reference):
                await warmed(partial(side, server, plan.seconds), say)
            rounds = await alternate(
                "broadcast on Kafka", plan.rounds,
                lambda: side(hub.edge, plan.seconds), lambda: side(reference, plan.seconds),
                say, labels=("edge", "reference"), told=lambda one: f"ratio {rate_ratio(one):.2f}",
            )  # fmt: skip
    return [
        Result(
            "Kafka: broadcast accepted, acks=all, one edge / accepting reference", Bar(0.5), rounds.middle(rate_ratio),
            [rate_ratio(one) for one in rounds.held], absolute(rounds, hub=True), absolute(rounds, hub=False),
            voided(rounds), notes(rounds),
        )
    ]  # fmt: skip
