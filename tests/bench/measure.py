"""One measurement of one server: a load on it, its CPU time, and who else was on its core."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.bench import machine
from tests.bench.calls import Source
from tests.bench.hubs import Server
from tests.bench.load import Load, closed_loop
from tests.bench.open_loop import open_loop
from tests.bench.processes import Measured

SETTLE_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What one server did in one round.

    `cpu_us` are CPU microseconds a call, all its processes, what it does after its answers included. `foreign` is the
    part of its core that other processes used meanwhile, 0 to 1.
    """

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    foreign: float
    wrong: int = 0
    first_wrong: str = ""


async def measured(
    server: Server,
    core: int,
    sources: Sequence[Source],
    seconds: float,
    after: Callable[[], Awaitable[str]] | None = None,
    *,
    of: Measured | None = None,
    rate: float | None = None,
) -> Sample:
    """A closed loop on the server; an open one of so many calls a second where `rate` is given.

    `after` waits for what must be done before the CPU time is read; a sentence that it gives is a wrong answer. `of`
    are those of the server's processes whose CPU time is told; all, where they are not named.
    """
    of = of or server.process
    told, cpu, busy = of.cpu(), server.process.cpu(), machine.core_seconds(core)
    if rate is None:
        load = await closed_loop(server.port, sources, seconds)
    else:
        load = await open_loop(
            server.port, sources[0], connections=len(sources), rate=rate, samples=max(1, int(rate * seconds))
        )
    cpu_of_load = server.process.cpu() - cpu
    foreign = max(0.0, machine.core_seconds(core) - busy - cpu_of_load) / max(load.seconds, 0.001)
    if after is not None and (fault := await after()):
        load.fault(fault)
    await server.process.settled(SETTLE_SECONDS)
    return sample(load, of.cpu() - told, foreign)


def sample(load: Load, cpu_seconds: float, foreign: float) -> Sample:
    """The figures of a load."""
    calls = max(1, load.calls + load.late)
    return Sample(
        rate=load.rate,
        cpu_us=cpu_seconds / calls * 1e6,
        p50_ms=load.percentile(50),
        p99_ms=load.percentile(99),
        foreign=foreign,
        wrong=load.wrong,
        first_wrong=load.first_wrong,
    )
