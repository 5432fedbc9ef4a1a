"""The hub with a full store: its memory after a minute of load, and its CPU time a call beside an empty hub's."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

from tests.bench.bodies import CPO, EMSP
from tests.bench.calls import HUB, Caller, Source, in_turn, location_get, location_pushes, token_pushes
from tests.bench.fill import fill
from tests.bench.hubs import Hub
from tests.bench.measure import Sample, measured
from tests.bench.plan import CONNECTIONS, Plan
from tests.bench.report import Bar, Result, absolute, say, shared, voided
from tests.bench.rounds import alternate, cpu_ratio
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, EMSP_PLATFORM, Upstream, upstream

_TELL_SECONDS = 10


async def filled(bench: Bench, plan: Plan) -> list[Result]:
    """Every kind of call, mixed, on objects all over the store."""
    core = min(bench.cores.tested)

    async def prepare(data: Path) -> None:
        await fill(data, plan)

    async with upstream(bench) as others, bench.hub("filled", prepare) as full, bench.hub("empty") as empty:
        fresh = full.process.rss()
        sources = {
            "full": await _mixed(full, others, "full", plan),
            "empty": await _mixed(empty, others, "empty", plan),
        }

        async def side(name: str, hub: Hub, seconds: float) -> Sample:
            return await measured(hub, core, sources[name], seconds)

        await side("full", full, min(1.0, plan.seconds))
        await side("empty", empty, min(1.0, plan.seconds))
        rounds = await alternate(
            "full store", plan.rounds,
            lambda: side("full", full, plan.seconds), lambda: side("empty", empty, plan.seconds),
            say, labels=("full", "empty"), told=lambda one: f"CPU ratio {cpu_ratio(one):.2f}",
        )  # fmt: skip
        say(f"full store: {plan.load_seconds:.0f} s of load, then the memory")
        telling = asyncio.create_task(_tell_memory(full))
        try:
            last = await side("full", full, plan.load_seconds)
        finally:
            telling.cancel()
        rss, rss_empty = full.process.rss(), empty.process.rss()
        marks = await full.marks()
    what = f"{plan.locations:,} locations and {plan.tokens:,} tokens"
    wrong = [f"{last.wrong} wrong answers, the first: {last.first_wrong}"] if last.wrong else []
    note = (
        f"{fresh:,.0f} MiB before any load; the load: {last.rate:,.0f}/s {last.cpu_us:,.0f} us, "
        f"p99 {last.p99_ms:.1f} ms, {marks} resync marks"
    )
    return [
        Result(
            f"RSS after {plan.load_seconds:.0f} s of load, {what}", Bar(200, at_least=False, unit="MiB", digits=0),
            rss, [rss], f"{rss:,.0f} MiB", f"{rss_empty:,.0f} MiB empty", wrong, [note],
        ),
        Result(
            "CPU a call with that store / the empty hub's", Bar(1.1, at_least=False), rounds.middle(cpu_ratio),
            [cpu_ratio(one) for one in rounds.held], absolute(rounds, hub=True), absolute(rounds, hub=False),
            voided(rounds), shared(rounds),
        ),
    ]  # fmt: skip


async def _tell_memory(hub: Hub) -> None:
    """The memory as it grows, so that a leak is told from a plateau."""
    for step in count(1):
        await asyncio.sleep(_TELL_SECONDS)
        say(f"full store: {hub.process.rss():,.0f} MiB after {step * _TELL_SECONDS} s")


async def _mixed(hub: Hub, others: Upstream, name: str, plan: Plan) -> list[Source]:
    """The load of every connection: relays, directed pushes, and broadcasts of Locations and Tokens in turn."""
    cpo = await others.join(hub, f"{name}-cpo", CPO_PLATFORM)
    emsp = await others.join(hub, f"{name}-emsp", EMSP_PLATFORM)
    read = Caller(emsp, EMSP, CPO)
    directed = location_pushes(Caller(cpo, CPO, EMSP), plan.locations, start=plan.locations // 3)
    locations = location_pushes(Caller(cpo, CPO, HUB), plan.locations)
    tokens = token_pushes(Caller(emsp, EMSP, HUB), plan.tokens)
    return [
        in_turn(
            location_get(read),
            directed.source(at, CONNECTIONS),
            location_get(read),
            locations.source(at, CONNECTIONS),
            location_get(read),
            tokens.source(at, CONNECTIONS),
        )
        for at in range(CONNECTIONS)
    ]
