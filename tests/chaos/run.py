"""One run: a hub, its platforms and senders; kills and SIGTERMs; a calm time; then judgement."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from random import Random
from secrets import token_hex

from connectors.values import PartyId
from tests.bench.handshake import Refused
from tests.chaos import ledger
from tests.chaos.bodies import CPO
from tests.chaos.calling import Caller
from tests.chaos.hub import ROOT, HubFailed, HubProcess
from tests.chaos.load import Load
from tests.chaos.plans import Plan
from tests.chaos.platforms import Platform
from tests.chaos.tempers import EMSPS, SLOW, Tempers
from tests.chaos.verdict import Result
from tests.judging import Facts

PARTITIONS = 24
"""Of the embedded log."""

_WARM_UP = 4.0
_CALM_SECONDS = 120.0
_CALM_SECONDS_BROKEN = 12.0
_EARLY = 0.25
_WHILE_DRAINING = 0.2


async def run(plan: Plan, seed: int) -> Result:
    """Carry it out; a folder below `.hub/` of the checkout, removed unless something unexpected came out."""
    folder = ROOT / ".hub" / f"chaos-{token_hex(4)}"
    folder.mkdir(parents=True, mode=0o700)
    chaos = _Chaos(plan, folder, Random(seed))
    began = time.monotonic()
    try:
        await chaos.run()
    except (HubFailed, Refused) as error:
        chaos.result.broken.append(str(error))
    finally:
        await chaos.hub.close()
        for platform in chaos.platforms:
            platform.close()
    result = chaos.result
    result.seconds = time.monotonic() - began
    if result.passed:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"  kept: {folder}", flush=True)
    return result


class _Chaos:
    def __init__(self, plan: Plan, folder: Path, random: Random) -> None:
        self.plan = plan
        self.result = Result(plan)
        self.hub = HubProcess(folder, plan.settings, plan.switch)
        self.tempers = Tempers(random)
        temper = self.tempers.react
        self.platforms = [
            Platform([(*CPO, "CPO")], temper),
            Platform([(*SLOW, "EMSP")], temper),
            Platform([(*emsp, "EMSP") for emsp in EMSPS if emsp != SLOW], temper),
        ]
        self._random = random
        self._platform_of: dict[PartyId, str] = {}
        self._load: Load

    async def run(self) -> None:
        await self.hub.start()
        await self.hub.ready()
        callers = await self._register()
        self._load = load = Load(callers, EMSPS, self._random, partitions=PARTITIONS)
        load.start()
        await asyncio.sleep(_WARM_UP)
        await self._trouble()
        await self._calm()
        for caller in callers.values():
            caller.close()
        await self._terminate("at the end")
        await self._judge()

    async def _register(self) -> dict[PartyId, Caller]:
        callers: dict[PartyId, Caller] = {}
        for platform in self.platforms:
            await platform.open()
            credential = await platform.register(*await self.hub.invite(platform.parties))
            for party in platform.recipients:
                callers[party] = Caller(self.hub.port, credential)
                self._platform_of[party] = await self.hub.platform_of(*party)
        return callers

    # --- trouble -----------------------------------------------------------------------------------------------------

    async def _trouble(self) -> None:
        """Kills and SIGTERMs in a shuffled order, the last one a kill: the load ends with it and covers for nothing."""
        plan, random = self.plan, self._random
        stops = ["kill"] * (plan.kills - 1) + ["SIGTERM"] * plan.terms
        random.shuffle(stops)
        counts = {"kill": 0, "SIGTERM": 0}
        for stop in [*stops, *["kill"] * min(plan.kills, 1)]:
            await asyncio.sleep(random.uniform(0.6, 2.2))
            counts[stop] += 1
            last = sum(counts.values()) == plan.kills + plan.terms
            of = f"{stop} {counts[stop]} of {plan.kills if stop == 'kill' else plan.terms}"
            self.result.done[stop] += 1
            said = await self._kill(of) if stop == "kill" else await self._terminate(of)
            if last:
                await self._load.stop()
            elif random.random() < _EARLY:
                said += await self._kill_early()
            await self.hub.start()
            print(f"  {of}: {said}, restart {await self.hub.ready():.1f} s", flush=True)

    async def _kill(self, of: str) -> str:
        how = ""
        if self.plan.terms and self._random.random() < _WHILE_DRAINING:
            self.hub.ask_to_end()
            await asyncio.sleep(self._random.uniform(0.0, 1.0))
            how = " while it drained"
        await self.hub.kill()
        count = ledger.unsettled(self.hub.data)
        self.result.left_unsettled(of, count)
        return f"{count} unsettled{how}"

    async def _kill_early(self) -> str:
        """Once more, while it starts, takes over or has just begun."""
        await self.hub.start()
        after = self._random.uniform(0.2, 1.5)
        await asyncio.sleep(after)
        await self.hub.kill()
        return f", killed again {after:.1f} s after its start"

    async def _terminate(self, of: str) -> str:
        code, seconds = await self.hub.terminate()
        if code is None:
            self.result.broken.append(f"{of}: it did not end within HUB_DRAIN_SECONDS")
        elif code:
            self.result.broken.append(f"{of}: it ended with exit code {code}")
        return f"exit code {code} after {seconds:.1f} s"

    async def _calm(self) -> None:
        """Everybody well, nobody calling, until all is settled."""
        self.tempers.calm = True
        until = time.monotonic() + (_CALM_SECONDS_BROKEN if self.plan.switch else _CALM_SECONDS)
        while ledger.unsettled(self.hub.data) and time.monotonic() < until:
            await asyncio.sleep(0.25)

    # --- judgement ---------------------------------------------------------------------------------------------------

    async def _judge(self) -> None:
        load, result = self._load, self.result
        recipients = {party: each for platform in self.platforms for party, each in platform.recipients.items()}
        left = ledger.unsettled(self.hub.data)
        facts = Facts(
            ledger.stood(self.hub.data), load.told, load.told_at, load.answers, recipients,
            await ledger.marks(self.hub.data), self._platform_of, left,
        )  # fmt: skip
        result.judge(facts, load, self.hub.complaints())
