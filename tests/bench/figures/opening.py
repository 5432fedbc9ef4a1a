"""Open routing: commands by their location and authorizations by their token, among a million, beside the bare proxy.

Warm: two hundred objects again and again, whose owners the hub remembers for a while. Cold: each call names another
one, which the hub has to look up in its store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.bodies import CPO, EMSP
from tests.bench.calls import Caller, Source, authorizations, scattered, starts
from tests.bench.fill import fill, fill_mongo
from tests.bench.hubs import Hub, Server
from tests.bench.measure import Sample, measured
from tests.bench.plan import CONNECTIONS, Plan
from tests.bench.report import Bar, Result, absolute, notes, say, voided
from tests.bench.rounds import alternate, rate_ratio
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, EMSP_PLATFORM, Upstream, upstream

_WARM, _COLD = Bar(0.5), Bar(0.25)
_WARM_OBJECTS = 200

_Load = Callable[[Iterator[int]], Source]
"""The calls of one connection, which name these objects."""


async def opening(bench: Bench, plan: Plan) -> list[Result]:
    """The embedded engine."""

    async def prepare(data: Path) -> None:
        await fill(data, plan)

    async with upstream(bench) as others, bench.hub("opening", prepare) as hub:
        return await _measured("", bench, others, hub, plan)


async def mongo_opening(bench: Bench, plan: Plan) -> list[Result]:
    """MongoDB, with one edge; none of it needs a worker."""
    await bench.engines.start()
    await fill_mongo(bench.engines.store("opening"), plan)
    async with upstream(bench) as others, bench.fleet("opening") as fleet:
        return await _measured("MongoDB: ", bench, others, fleet.edge, plan)


async def _measured(engine: str, bench: Bench, others: Upstream, hub: Hub, plan: Plan) -> list[Result]:
    cpo_port = await others.open("cpo", CPO_PLATFORM)
    cpo = Caller(await others.register("cpo", hub, CPO_PLATFORM), CPO, None)
    emsp_port = await others.open("emsp", EMSP_PLATFORM)
    emsp = Caller(await others.register("emsp", hub, EMSP_PLATFORM), EMSP, None)
    answer_at = f"http://127.0.0.1:{emsp_port}/ocpi/2.2.1/sender/commands/START_SESSION/1"
    command = f"{engine}START_SESSION by its location, 1 of {plan.locations:,}"
    authorize = f"{engine}authorize by token, 1 of {plan.tokens:,}"
    found: list[Result] = []
    for name, port, load, objects in (
        (command, cpo_port, lambda which: starts(emsp, answer_at, which), plan.locations),
        (authorize, emsp_port, lambda which: authorizations(cpo, which), plan.tokens),
    ):
        async with bench.proxy(port) as proxy:
            for state, bar, several in (("warm", _WARM, _WARM_OBJECTS), ("cold", _COLD, objects)):
                found.append(
                    await _beside(bench, f"{name}, {state}", bar, (hub, proxy), plan, (load, scattered(several)))
                )
    return found


async def _beside(
    bench: Bench, name: str, bar: Bar, servers: tuple[Server, Server], plan: Plan, given: tuple[_Load, Iterator[int]]
) -> Result:
    core = min(bench.cores.tested)
    (hub, proxy), (load, which) = servers, given

    async def side(server: Server, seconds: float) -> Sample:
        return await measured(server, core, [load(which) for _ in range(CONNECTIONS)], seconds)

    for server in servers:
        await side(server, min(1.0, plan.seconds))
    rounds = await alternate(
        name, plan.rounds, lambda: side(hub, plan.seconds), lambda: side(proxy, plan.seconds),
        say, labels=("hub", "proxy"), told=lambda one: f"ratio {rate_ratio(one):.2f}",
    )  # fmt: skip
    return Result(
        f"{name} / bare proxy", bar, rounds.middle(rate_ratio), [rate_ratio(one) for one in rounds.held],
        absolute(rounds, hub=True), absolute(rounds, hub=False), voided(rounds), notes(rounds),
    )  # fmt: skip
