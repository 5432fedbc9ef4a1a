"""A party beside another one that has thousands of connections, or calls without end: what it notices in its p99."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from statistics import median

from tests.bench.bodies import CPO, EMSP
from tests.bench.calls import HUB, Caller, location_get
from tests.bench.crowd import crowd
from tests.bench.hubs import Hub
from tests.bench.open_loop import open_loop
from tests.bench.plan import CONNECTIONS, Plan
from tests.bench.report import Bar, Result, say
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, EMSP_PLATFORM, Parties, upstream

NOISY: Parties = [("DE", "NOI", "EMSP")]
SILENT: Parties = [("NL", "SIL", "CPO")]

IDLE, IN_FLIGHT = 9_000, 1_000
RATE, ROUNDS = 400.0, 3
LIST_SECONDS = 25  # longer than a round, in which no call in flight is answered
P99, GROWTH = Bar(2.0, at_least=False), Bar(150.0, at_least=False, unit="MiB", digits=0)

Burden = Callable[[list[str]], AbstractAsyncContextManager[None]]
"""There while it is entered; says what of it was not there."""


async def bystander(bench: Bench, plan: Plan) -> list[Result]:
    """An eMSP reads Locations at a fixed rate, alone and beside another eMSP."""
    settings = {"HUB_PLATFORM_CALLS_PER_SECOND": "1000", "HUB_LIST_SECONDS": f"{LIST_SECONDS}"}
    async with upstream(bench) as others, bench.hub("bystander", settings=settings) as hub:
        await others.join(hub, "cpo", CPO_PLATFORM)
        await others.join(hub, "silent", SILENT, silent=True)
        caller = Caller(await others.join(hub, "emsp", EMSP_PLATFORM), EMSP, CPO)
        credential = await others.join(hub, "noisy", NOISY)
        versions = Caller(credential, NOISY[0][:2], HUB).head("GET", b"/ocpi/versions") % 1
        waiting = Caller(credential, NOISY[0][:2], SILENT[0][:2]).head("GET", b"/ocpi/2.2.1/sender/locations") % 1
        grown = list[float]()

        @asynccontextmanager
        async def connections(missed: list[str]) -> AsyncIterator[None]:
            before = hub.process.rss()
            async with (
                crowd(hub.port, versions, IDLE, times=1) as idle,
                crowd(hub.port, waiting, IN_FLIGHT, times=1) as held,
            ):
                await asyncio.sleep(2)
                yield
                grown.append(hub.process.rss() - before)
                gone = sum(one.lost for one in idle)
                answered = sum(bool(one.answers) or one.lost for one in held)
                if gone or answered:
                    missed.append(f"{gone} idle connections and {answered} calls in flight did not last")
                until = asyncio.get_running_loop().time() + LIST_SECONDS + 5
                while not all(one.answers or one.lost for one in held) and asyncio.get_running_loop().time() < until:
                    await asyncio.sleep(0.1)  # the hub asks on for callers that are gone

        @asynccontextmanager
        async def without_end(missed: list[str]) -> AsyncIterator[None]:
            async with crowd(hub.port, versions, CONNECTIONS) as some:
                yield
                if any(one.lost for one in some):
                    missed.append("a connection that called without end was closed")

        await _p99(hub, caller, 500, [])
        what = f"{IDLE:,} idle connections and {IN_FLIGHT:,} calls in flight"
        return [
            await _beside(what, connections, hub, caller, plan),
            Result(
                f"RSS: growth by another's {what}", GROWTH, max(grown), grown, f"{max(grown):,.0f} MiB", "-"
            ),
            await _beside("calls without end", without_end, hub, caller, plan),
        ]  # fmt: skip


async def _beside(what: str, burden: Burden, hub: Hub, caller: Caller, plan: Plan) -> Result:
    alone, beside, failed = list[float](), list[float](), list[str]()
    samples = plan.samples // ROUNDS
    for number in range(ROUNDS):
        alone.append(await _p99(hub, caller, samples, failed))
        async with burden(failed):
            beside.append(await _p99(hub, caller, samples, failed))
        await hub.process.settled(20)  # closing so many connections is work
        say(f"{what}: round {number + 1} of {ROUNDS}: p99 alone {alone[-1]:.2f} ms, beside {beside[-1]:.2f} ms")
    ratios = [b / a for a, b in zip(alone, beside, strict=True)]
    return Result(
        f"p99 of a party beside another's {what} / alone", P99, median(ratios), ratios,
        f"{median(beside):.2f} ms", f"{median(alone):.2f} ms", failed[:1],
    )  # fmt: skip


async def _p99(hub: Hub, caller: Caller, samples: int, failed: list[str]) -> float:
    load = await open_loop(hub.port, location_get(caller), connections=CONNECTIONS, rate=RATE, samples=samples)
    if load.wrong:
        failed.append(f"{load.wrong} wrong answers, the first: {load.first_wrong}")
    return load.percentile(99)
