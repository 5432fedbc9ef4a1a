"""What is done to a fleet under load: kill -9, SIGTERM, SIGSTOP; to an edge, a worker, the broker, mongod."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from tests.chaos import kafka_ledger
from tests.chaos.fleet import PUBLISH_SECONDS, SESSION_SECONDS, Fleet
from tests.chaos.hub import HubProcess
from tests.chaos.kinds import (
    KILL_BROKER,
    KILL_EDGE,
    KILL_MONGOD,
    KILL_WORKER,
    STOP_BROKER,
    STOP_WORKER,
    TERM_EDGE,
    TERM_WORKER,
)
from tests.chaos.verdict import LEAST_UNSETTLED, Result
from tests.engines.engine import Engine

_BUSY_SECONDS = 20.0
_MEANWHILE = 0.25
"""How often something else is killed while an engine is away."""
_WHILE_DRAINING = 0.2
_PAST_PUBLISH = 0.3
"""The edge gives up 250 ms after the publish wait."""


class Troubles:
    """Makes them, one at a time; each is over when what was ended runs again."""

    def __init__(self, fleet: Fleet, random: Random, result: Result) -> None:
        self._fleet = fleet
        self._random = random
        self._result = result
        self._how: dict[str, Callable[[], Awaitable[str]]] = {
            KILL_EDGE: lambda: self._kill(fleet.edges),
            KILL_WORKER: lambda: self._kill(fleet.workers),
            KILL_BROKER: lambda: self._kill_engine(fleet.kafka),
            KILL_MONGOD: lambda: self._kill_engine(fleet.mongo),
            TERM_EDGE: lambda: self._terminate(fleet.edges),
            TERM_WORKER: lambda: self._terminate(fleet.workers),
            STOP_WORKER: self._stop_worker,
            STOP_BROKER: self._stop_broker,
        }

    async def make(self, kind: str) -> str:
        """Make one; what there is to say of it. Raises HubFailed where something does not come back."""
        self._result.done[kind] += 1
        return await self._how[kind]()

    async def kill_all_workers(self) -> str:
        """All at once, as a power cut would: nobody covers for anybody. Once they are busy again."""
        until = time.monotonic() + _BUSY_SECONDS
        while await kafka_ledger.unsettled(self._fleet.address) < LEAST_UNSETTLED and time.monotonic() < until:
            await asyncio.sleep(0.25)
        for worker in self._fleet.workers:
            self._result.done[KILL_WORKER] += 1
            await worker.kill()
        return await self._unsettled("all workers killed at once", asked=True)

    async def start_workers(self) -> None:
        """All of them, after that."""
        await asyncio.gather(*(self._again(worker) for worker in self._fleet.workers))

    # --- processes of the hub ----------------------------------------------------------------------------------------

    async def _kill(self, among: Sequence[HubProcess]) -> str:
        process, how = self._random.choice(among), ""
        if self._random.random() < _WHILE_DRAINING:
            process.ask_to_end()
            await asyncio.sleep(self._random.uniform(0.0, 1.0))
            how = " while it drained"
        await process.kill()
        unsettled = await self._unsettled(f"{process.name} killed", asked=process in self._fleet.workers)
        await asyncio.sleep(self._random.choice((0.0, 0.5, 1.5 * SESSION_SECONDS)))
        return f"{process.name}{how}, {unsettled}, again after {await self._again(process):.1f} s"

    async def _terminate(self, among: Sequence[HubProcess]) -> str:
        process = self._random.choice(among)
        code, seconds = await process.terminate()
        if code is None:
            self._result.broken.append(f"{process.name} did not end within HUB_DRAIN_SECONDS")
        elif code:
            self._result.broken.append(f"{process.name} ended with exit code {code}")
        return f"{process.name} ended in {seconds:.1f} s, again after {await self._again(process):.1f} s"

    async def _again(self, process: HubProcess) -> float:
        await process.start()
        return await process.ready()

    async def _unsettled(self, when: str, *, asked: bool) -> str:
        count = await kafka_ledger.unsettled(self._fleet.address)
        if asked:
            self._result.left_unsettled(when, count)
        return f"{count} unsettled"

    async def _stop_worker(self) -> str:
        worker, pauses = self._random.choice(self._fleet.workers), self._fleet.pauses
        pause = pauses.begin(worker.pid, worker.name)
        worker.pause()
        seconds = SESSION_SECONDS + self._random.uniform(1.0, 4.0)
        await asyncio.sleep(seconds)
        pauses.end(pause)
        worker.go_on()
        return f"{worker.name} for {seconds:.1f} s, its session is {SESSION_SECONDS:g} s"

    # --- engines -----------------------------------------------------------------------------------------------------

    async def _kill_engine(self, engine: Engine) -> str:
        await asyncio.to_thread(engine.kill)
        seconds = self._random.choice((0.0, self._random.uniform(0.0, 3.0)))
        meanwhile = await self._meanwhile()
        await asyncio.sleep(seconds)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.to_thread(engine.start)
        back = await self._all_back(meanwhile)
        return f"started after {seconds:.1f} s, there {loop.time() - began:.1f} s later{back}"

    async def _stop_broker(self) -> str:
        broker = self._fleet.kafka
        broker.pause()
        seconds = PUBLISH_SECONDS + _PAST_PUBLISH + self._random.uniform(0.2, 3.0)
        meanwhile = await self._meanwhile()
        await asyncio.sleep(seconds)
        broker.go_on()
        return f"for {seconds:.1f} s, the publish wait is {PUBLISH_SECONDS:g} s{await self._all_back(meanwhile)}"

    async def _meanwhile(self) -> HubProcess | None:
        """Now and then something dies while an engine is away; it starts, and waits, while it still is."""
        if self._random.random() >= _MEANWHILE:
            return None
        process = self._random.choice(self._fleet.processes)
        self._result.done[KILL_EDGE if process in self._fleet.edges else KILL_WORKER] += 1
        await process.kill()
        await process.start()
        return process

    async def _all_back(self, process: HubProcess | None) -> str:
        if process is None:
            return ""
        return f", {process.name} killed meanwhile, ready after {await process.ready():.1f} s"
