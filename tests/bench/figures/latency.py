"""Latency at half of the hub's maximum, in open loop, of the hub and of its reference at the same rate."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.calls import Source
from tests.bench.hubs import Server
from tests.bench.load import Load
from tests.bench.open_loop import open_loop
from tests.bench.plan import CONNECTIONS, Plan
from tests.bench.report import say


async def latency(
    name: str, plan: Plan, hub: Server, reference: Server, source: Callable[[], Source], most: float
) -> str:
    """A note with both sides' p50 and p99 at half of `most`, the hub's calls a second."""
    told = []
    for label, server in (("hub", hub), ("proxy", reference)):
        load = await at_half(f"{name}, {label}", plan, server, source(), most)
        told.append(f"{label} {told_of(load)}")
    return f"open loop at {most / 2:,.0f}/s ({plan.samples:,} samples): {', '.join(told)}"


async def at_half(name: str, plan: Plan, server: Server, source: Source, most: float) -> Load:
    """The latencies at half of `most`, the calls a second that the server takes."""
    rate = max(1.0, most / 2)
    load = await open_loop(server.port, source, connections=CONNECTIONS, rate=rate, samples=plan.samples)
    say(f"{name}: open loop at {rate:,.0f}/s, {load.calls:,} samples: {told_of(load)}")
    return load


def told_of(load: Load) -> str:
    """Its latencies in words, and a word on wrong answers."""
    wrong = f", {load.wrong} WRONG: {load.first_wrong}" if load.wrong else ""
    return f"p50 {load.percentile(50):.2f} ms p99 {load.percentile(99):.2f} ms{wrong}"
