"""A backlog: what was published while no worker ran is read by one that starts, and who has a caller waits little.

A worker stops in order; many broadcasts over fewer Locations are accepted; a worker starts, with 20 recipients to tell.
From its start directed pushes of the same Locations come in, from its readiness on directed pushes of Sessions too.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.bench.bodies import CPO
from tests.bench.calls import HUB, Caller, Pushes, in_turn, location_pushes, session_pushes
from tests.bench.figures.latency import told_of
from tests.bench.fleet import Fleet
from tests.bench.hubs import Hub
from tests.bench.load import Load, closed_loop
from tests.bench.open_loop import open_loop
from tests.bench.plan import CONNECTIONS, Plan
from tests.bench.report import Bar, Result, say
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, Upstream, upstream
from tests.bench.stage import recipients as recipient_platforms
from tests.bench.watch import location_keys, until_written

RECIPIENTS = 20
PUSHES_A_SECOND = 50
DEADLINE_SECONDS = 15.0  # HUB_DIRECTED_SECONDS as it is by default
_PATIENT = 1000  # connections: so many pushes may wait at once
_DIRECTED_FROM = 10**8  # numbers of directed pushes, which no broadcast has
_WRITTEN_SECONDS = 120.0
_CAUGHT_UP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What came of it. Moments are seconds since the worker's process was started; `behind` are states not written."""

    ready: float
    written: float
    behind: int
    cpu: float
    locations: Load
    sessions: Load
    sessions_reading: list[float]
    lost: int
    marks: int


async def backlog(bench: Bench, plan: Plan) -> list[Result]:
    """One CPO, 20 eMSPs, one edge, and a worker that was away."""
    async with upstream(bench) as others, bench.fleet("backlog") as fleet:
        stage = await _Stage.made(fleet, others, plan)
        async with fleet.worker("before"):
            await stage.warm_up()
        await stage.publish()
        async with fleet.begun("worker", "after", public=f"http://127.0.0.1:{fleet.edge.port}") as worker:
            seen = await stage.watched(worker)
    return _results(plan, seen)


class _Stage:
    """The hub, its parties, and every load of the figure."""

    def __init__(self, fleet: Fleet, others: Upstream, plan: Plan, credential: str) -> None:
        self._fleet = fleet
        self._others = others
        self._plan = plan
        self._broadcasts = location_pushes(Caller(credential, CPO, HUB), plan.backlog_objects)
        names = recipient_platforms(RECIPIENTS)
        self._locations: dict[str, Pushes] = {}
        self._sessions: dict[str, Pushes] = {}
        for at, (name, ((country, party, _),)) in enumerate(names.items()):
            caller = Caller(credential, CPO, (country, party))
            start, first = at * plan.backlog_objects // RECIPIENTS, _DIRECTED_FROM * (at + 1)
            self._locations[name] = location_pushes(caller, plan.backlog_objects, start=start, first=first)
            self._sessions[name] = session_pushes(caller, 100)

    @classmethod
    async def made(cls, fleet: Fleet, others: Upstream, plan: Plan) -> _Stage:
        credential = await others.join(fleet.edge, "cpo", CPO_PLATFORM)
        for name, parties in recipient_platforms(RECIPIENTS).items():
            await others.join(fleet.edge, name, parties)
        return cls(fleet, others, plan, credential)

    async def warm_up(self) -> None:
        """Something of every partition is settled, so that there is a clean commit to begin from."""
        load = await closed_loop(self._fleet.edge.port, self._broadcasts.sources(CONNECTIONS), 60, most=500)
        _raise_if_wrong(load)
        await self._caught_up()

    async def publish(self) -> None:
        """The backlog: accepted by the edge, read by nobody yet."""
        began = time.perf_counter()
        sources = self._broadcasts.sources(CONNECTIONS)
        load = await closed_loop(self._fleet.edge.port, sources, 600, most=self._plan.backlog)
        _raise_if_wrong(load)
        took = time.perf_counter() - began
        say(f"backlog: {load.calls + load.late:,} broadcasts accepted in {took:.0f} s, while no worker runs")

    async def watched(self, worker: Hub) -> _Seen:
        """From the start of the worker's process on."""
        plan, port = self._plan, self._fleet.edge.port
        began = time.perf_counter()
        expected = location_keys(self._broadcasts.expected())
        writing = asyncio.create_task(until_written(self._fleet.store, expected, _WRITTEN_SECONDS))
        samples = int(PUSHES_A_SECOND * plan.backlog_seconds)
        locations = asyncio.create_task(
            open_loop(
                port, in_turn(*(each.source(0, 1) for each in self._locations.values())), connections=_PATIENT,
                rate=PUSHES_A_SECOND, samples=samples, to_the_end=True,
            )
        )  # fmt: skip
        await worker.ready()
        ready = time.perf_counter() - began
        say(f"backlog: the worker is ready after {ready:.1f} s")
        sessions = asyncio.create_task(
            open_loop(
                port, in_turn(*(each.source(0, 1) for each in self._sessions.values())), connections=CONNECTIONS,
                rate=PUSHES_A_SECOND, samples=samples, to_the_end=True,
            )
        )  # fmt: skip
        moment, behind = await writing
        written, cpu = moment - began, worker.process.cpu()
        say(f"backlog: every state is written after {written:.1f} s, {behind} are not; {cpu:.1f} s of the worker's CPU")
        located, held = await locations, await sessions
        reading = [took for at, took in zip(held.begun, held.latencies, strict=True) if at < moment]
        for what, load in (("locations", located), ("sessions", held)):
            say(f"backlog: {load.calls:,} directed pushes of {what}: {told_of(load)}")
        lost = sum([await self._others.behind((name,), each.expected()) for name, each in self._locations.items()])
        return _Seen(ready, written, behind, cpu, located, held, reading, lost, await self._fleet.edge.marks())

    async def _caught_up(self) -> None:
        until, expected = time.perf_counter() + _CAUGHT_UP_SECONDS, self._broadcasts.expected()
        while behind := await self._others.behind(recipient_platforms(RECIPIENTS), expected):
            if time.perf_counter() > until:
                raise RuntimeError(f"{behind} states were not delivered before the backlog")
            await asyncio.sleep(0.2)


def _raise_if_wrong(load: Load) -> None:
    if load.wrong:
        raise RuntimeError(f"{load.wrong} wrong answers, the first: {load.first_wrong}")


def _results(plan: Plan, seen: _Seen) -> list[Result]:
    rate = plan.backlog / seen.written
    behind = [f"{seen.behind} states were not written after {_WRITTEN_SECONDS:.0f} s"] if seen.behind else []
    late = sum(1 for took in seen.locations.latencies if took > DEADLINE_SECONDS) + seen.locations.wrong
    wrong = [f"the first: {seen.locations.first_wrong}"] if seen.locations.wrong else []
    if seen.lost > seen.locations.wrong:
        wrong.append(f"{seen.lost} objects were answered 1000, and their recipient has another state")
    p99 = seen.sessions.percentile(99)
    slow = [f"{seen.sessions.wrong} wrong answers, the first: {seen.sessions.first_wrong}"] * (seen.sessions.wrong > 0)
    reading = sorted(seen.sessions_reading)
    worst = f", while it was read {_p99(reading):.1f} ms ({len(reading):,} samples)" if reading else ""
    told = f"{plan.backlog:,} broadcasts over {plan.backlog_objects:,} locations, {RECIPIENTS} recipients"
    ready = f"the worker was ready after {seen.ready:.1f} s, all was written after {seen.written:.1f} s"
    return [
        Result(
            f"Kafka: backlog of {told}: read and written", Bar(5000, unit="events/s", digits=0), rate, [rate],
            f"{seen.written:.1f} s", "", behind,
            [f"{ready}, counted from the start of its process; {seen.cpu:.1f} s of its CPU; {seen.marks} resync marks"],
        ),
        Result(
            "  directed pushes of its locations, not answered by their recipient in time",
            Bar(0, at_least=False, digits=0), float(late), [float(late)], f"of {seen.locations.calls:,}", "", wrong,
            [f"{PUSHES_A_SECOND}/s from the start of its process on: {told_of(seen.locations)}"],
        ),
        Result(
            "  directed pushes of sessions meanwhile, p99", Bar(100, at_least=False, unit="ms", digits=1),
            p99, [p99] if seen.sessions.calls else [], f"{PUSHES_A_SECOND}/s", "", slow,
            [f"{told_of(seen.sessions)}{worst}"],
        ),
    ]  # fmt: skip


def _p99(ordered: list[float]) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000
