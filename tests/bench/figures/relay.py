"""Relay: a GET of one Location through the hub, beside the bare proxy, at 64 connections and at one."""

from __future__ import annotations

from tests.bench.bodies import CPO, EMSP
from tests.bench.calls import Caller, location_get
from tests.bench.figures.latency import latency
from tests.bench.hubs import Server
from tests.bench.measure import Sample, measured
from tests.bench.plan import CONNECTIONS, Plan
from tests.bench.report import Bar, Result, absolute, notes, say, voided
from tests.bench.rounds import added_p50, alternate, rate_ratio
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, EMSP_PLATFORM, upstream

_LABELS = ("hub", "proxy")


async def relay(bench: Bench, plan: Plan) -> list[Result]:
    """An eMSP reads one Location of a CPO."""
    core = min(bench.cores.tested)
    async with upstream(bench) as others, bench.hub("relay") as hub:
        port = await others.open("cpo", CPO_PLATFORM)
        await others.register("cpo", hub, CPO_PLATFORM)
        credential = await others.join(hub, "emsp", EMSP_PLATFORM)
        caller = Caller(credential, EMSP, CPO)
        async with bench.proxy(port) as proxy:

            async def side(server: Server, connections: int, seconds: float) -> Sample:
                return await measured(server, core, [location_get(caller) for _ in range(connections)], seconds)

            for server in (hub, proxy):
                await side(server, CONNECTIONS, min(1.0, plan.seconds))
            many = await alternate(
                "relay GET", plan.rounds,
                lambda: side(hub, CONNECTIONS, plan.seconds), lambda: side(proxy, CONNECTIONS, plan.seconds),
                say, labels=_LABELS, told=lambda one: f"ratio {rate_ratio(one):.2f}",
            )  # fmt: skip
            most = many.middle(lambda one: one.hub.rate)
            note = await latency("relay GET", plan, hub, proxy, lambda: location_get(caller), most)
            single = await alternate(
                "added p50", plan.rounds, lambda: side(hub, 1, plan.seconds), lambda: side(proxy, 1, plan.seconds),
                say, labels=_LABELS,
                told=lambda one: f"p50 {one.hub.p50_ms:.3f} and {one.reference.p50_ms:.3f} ms, "
                f"added {added_p50(one):.3f} ms",
            )  # fmt: skip
    return [
        Result(
            "relay GET of one location, 64 connections / bare proxy", Bar(0.65), many.middle(rate_ratio),
            [rate_ratio(one) for one in many.held], absolute(many, hub=True), absolute(many, hub=False),
            voided(many), [*notes(many), note],
        ),
        Result(
            "its added p50 over the bare proxy, 1 connection", Bar(0.3, at_least=False, unit="ms", digits=3),
            single.middle(added_p50), [added_p50(one) for one in single.held],
            f"{single.middle(lambda one: one.hub.p50_ms):.3f} ms",
            f"{single.middle(lambda one: one.reference.p50_ms):.3f} ms", voided(single),
        ),
    ]  # fmt: skip
