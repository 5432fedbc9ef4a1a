"""A hub as the runs with recipients that are away see it: one process on its embedded engine, or a fleet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Protocol

from tests.chaos import kafka_ledger, ledger
from tests.chaos.fleet import Fleet
from tests.chaos.hub import HubProcess
from tests.chaos.kinds import KILL, KILL_WORKER
from tests.chaos.plans import Plan
from tests.chaos.troubles import Troubles
from tests.chaos.verdict import Result
from tests.judging import Stood


class Site(Protocol):
    """What the run does to a hub and asks of it."""

    @property
    def processes(self) -> Sequence[HubProcess]: ...
    @property
    def door(self) -> HubProcess:
        """The process whose operator port is asked."""

    @property
    def port(self) -> int:
        """Where senders call."""

    async def start(self) -> None:
        """Begin it and wait until it is ready. Raises HubFailed."""

    async def trouble(self, kind: str) -> str:
        """Make trouble of this kind, until all is there again; what there is to say of it."""

    async def kill_in_resync(self) -> str:
        """Kill what resyncs, and start it again."""

    async def unsettled(self) -> int: ...
    async def marked(self) -> Counter[str]:
        """How many marks each platform has now."""

    async def stood(self) -> list[Stood]: ...
    async def close(self) -> None: ...


class Single:
    """One process."""

    def __init__(self, folder: Path, plan: Plan, result: Result) -> None:
        self.door = HubProcess(folder, plan.settings, plan.switch)
        self._result = result

    @property
    def processes(self) -> Sequence[HubProcess]:
        return (self.door,)

    @property
    def port(self) -> int:
        return self.door.port

    async def start(self) -> None:
        await self.door.start()
        await self.door.ready()

    async def trouble(self, kind: str) -> str:
        self._result.done[kind] += 1
        if kind == KILL:
            await self.door.kill()
        else:
            code, _ = await self.door.terminate()
            if code != 0:
                self._result.broken.append(f"{kind}: it ended with exit code {code}")
        count = ledger.unsettled(self.door.data)
        await self.door.start()
        return f"{count} unsettled, again after {await self.door.ready():.1f} s"

    async def kill_in_resync(self) -> str:
        return await self.trouble(KILL)

    async def unsettled(self) -> int:
        return ledger.unsettled(self.door.data)

    async def marked(self) -> Counter[str]:
        return ledger.marked(self.door.data)

    async def stood(self) -> list[Stood]:
        return ledger.stood(self.door.data)

    async def close(self) -> None:
        await self.door.close()


class Many:
    """A fleet."""

    def __init__(self, fleet: Fleet, random: Random, result: Result) -> None:
        self._fleet = fleet
        self._troubles = Troubles(fleet, random, result)

    @property
    def processes(self) -> Sequence[HubProcess]:
        return self._fleet.processes

    @property
    def door(self) -> HubProcess:
        return self._fleet.edges[0]

    @property
    def port(self) -> int:
        return self._fleet.balancer.port

    async def start(self) -> None:
        await self._fleet.start()

    async def trouble(self, kind: str) -> str:
        return await self._troubles.make(kind)

    async def kill_in_resync(self) -> str:
        return await self._troubles.make(KILL_WORKER)

    async def unsettled(self) -> int:
        return await kafka_ledger.unsettled(self._fleet.address)

    async def marked(self) -> Counter[str]:
        return Counter(mark.platform for mark in await kafka_ledger.marks(self._fleet.store))

    async def stood(self) -> list[Stood]:
        return await kafka_ledger.stood(self._fleet.address)

    async def close(self) -> None:
        await self._fleet.close()
