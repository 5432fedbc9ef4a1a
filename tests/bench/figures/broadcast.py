"""Broadcast: what accepting costs beside the accepting reference, and what 20 recipients make of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

from tests.bench.bodies import CPO
from tests.bench.calls import HUB, Caller, Pushes, location_pushes
from tests.bench.hubs import Hub, Server
from tests.bench.measure import Sample, measured
from tests.bench.plan import CONNECTIONS, OBJECTS, Plan
from tests.bench.report import Bar, Result, absolute, notes, say, voided
from tests.bench.rounds import alternate, rate_ratio
from tests.bench.servers import Bench
from tests.bench.stage import CPO_PLATFORM, Upstream, upstream
from tests.bench.stage import recipients as recipient_platforms

RECIPIENTS = 20
CATCH_UP_SECONDS = 10.0


async def broadcast(bench: Bench, plan: Plan) -> list[Result]:
    """A CPO broadcasts, and nobody is there to receive."""
    core = min(bench.cores.tested)
    async with upstream(bench) as others, bench.hub("broadcast") as hub:
        caller = Caller(await others.join(hub, "cpo", CPO_PLATFORM), CPO, HUB)
        pushes = location_pushes(caller, OBJECTS)
        async with bench.accepting(caller.authorization) as reference:

            async def side(server: Server, seconds: float) -> Sample:
                return await measured(server, core, pushes.sources(CONNECTIONS), seconds)

            for server in (hub, reference):
                await side(server, min(1.0, plan.seconds))
            rounds = await alternate(
                "broadcast", plan.rounds, lambda: side(hub, plan.seconds), lambda: side(reference, plan.seconds),
                say, labels=("hub", "reference"), told=lambda one: f"ratio {rate_ratio(one):.2f}",
            )  # fmt: skip
    return [
        Result(
            "broadcast accepted, no recipients / accepting reference", Bar(0.5), rounds.middle(rate_ratio),
            [rate_ratio(one) for one in rounds.held], absolute(rounds, hub=True), absolute(rounds, hub=False),
            voided(rounds), notes(rounds),
        )
    ]  # fmt: skip


async def recipients(bench: Bench, plan: Plan) -> list[Result]:
    """The same with 20 recipients, beside a hub without: nobody may be left behind, and nobody marked."""
    core = min(bench.cores.tested)
    async with upstream(bench) as others, bench.hub("recipients") as full, bench.hub("alone") as alone:
        fan = await _Fan.made(full, others)
        lonely = location_pushes(Caller(await others.join(alone, "cpo-alone", CPO_PLATFORM), CPO, HUB), OBJECTS)

        async def with_recipients(seconds: float) -> Sample:
            return await fan.counted(
                lambda: measured(full, core, fan.pushes.sources(CONNECTIONS), seconds, fan.caught_up)
            )

        async def without(seconds: float) -> Sample:
            return await measured(alone, core, lonely.sources(CONNECTIONS), seconds)

        await with_recipients(min(1.0, plan.seconds))
        await without(min(1.0, plan.seconds))
        fan.forget()
        rounds = await alternate(
            "20 recipients", plan.rounds, lambda: with_recipients(plan.seconds), lambda: without(plan.seconds),
            say, labels=("with", "without"), told=lambda one: f"ratio {rate_ratio(one):.2f}, {fan.told()}",
        )  # fmt: skip
        marks = await full.marks()
    return [
        Result(
            "broadcast accepted, 20 recipients, 1,000 objects / without", Bar(0.3), rounds.middle(rate_ratio),
            [rate_ratio(one) for one in rounds.held], absolute(rounds, hub=True), absolute(rounds, hub=False),
            [*voided(rounds), *fan.failed, *([f"{marks} resync marks were set"] if marks else [])],
            [*notes(rounds), fan.summary(), f"{marks} resync marks"],
        )
    ]  # fmt: skip


class _Fan:
    """A hub with a CPO and its 20 recipients, and what became of the deliveries."""

    def __init__(self, hub: Hub, others: Upstream, names: list[str], pushes: Pushes) -> None:
        self.pushes = pushes
        self.failed: list[str] = []
        self._hub = hub
        self._others = others
        self._names = names
        self._late: list[float] = []
        self._delivered: list[float] = []
        self._superseded: list[float] = []

    @classmethod
    async def made(cls, hub: Hub, others: Upstream) -> _Fan:
        credential = await others.join(hub, "cpo", CPO_PLATFORM)
        platforms = recipient_platforms(RECIPIENTS)
        for name, parties in platforms.items():
            await others.join(hub, name, parties)
        return cls(hub, others, list(platforms), location_pushes(Caller(credential, CPO, HUB), OBJECTS))

    async def counted(self, load: Callable[[], Awaitable[Sample]]) -> Sample:
        """One round, with its deliveries and superseded events a second, until the last recipient has caught up."""
        before, began = await self._hub.deliveries(), time.perf_counter()
        done = await load()
        seconds = time.perf_counter() - began
        after = await self._hub.deliveries()
        self._delivered.append((after.get("delivered", 0) - before.get("delivered", 0)) / seconds)
        self._superseded.append((after.get("superseded", 0) - before.get("superseded", 0)) / seconds)
        return done

    async def caught_up(self) -> str:
        """Wait until every recipient has every object's last state, at most 10 s after the load."""
        began, expected = time.perf_counter(), self.pushes.expected()
        while True:
            behind = await self._others.behind(self._names, expected)
            passed = time.perf_counter() - began
            if not behind:
                self._late.append(passed)
                return ""
            if passed >= CATCH_UP_SECONDS:
                self.failed.append(f"{behind} last states were not there {CATCH_UP_SECONDS:.0f} s after the load ended")
                return ""
            await asyncio.sleep(min(0.1, max(0.0, CATCH_UP_SECONDS - passed)))

    def forget(self) -> None:
        """What came before does not count."""
        for counted in (self._late, self._delivered, self._superseded):
            counted.clear()

    def told(self) -> str:
        late = f"all there {self._late[-1]:.1f} s after" if self._late else "recipients are behind"
        return f"{self._delivered[-1]:,.0f} deliveries/s, {self._superseded[-1]:,.0f} superseded/s, {late}"

    def summary(self) -> str:
        late = f"every last state there {max(self._late):.1f} s after the load at the latest" if self._late else ""
        delivered, superseded = median(self._delivered or [0]), median(self._superseded or [0])
        return f"{delivered:,.0f} deliveries/s, {superseded:,.0f} superseded/s, {late}"
