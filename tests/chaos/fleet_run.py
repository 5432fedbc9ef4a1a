"""One run against a fleet: a steady load, trouble of every kind, calm, judgement."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from secrets import token_hex

from connectors.values import PartyId
from tests.bench.handshake import Refused
from tests.chaos import kafka_ledger
from tests.chaos.bodies import CPO
from tests.chaos.calling import Caller
from tests.chaos.fleet import PARTITIONS, Fleet
from tests.chaos.hub import ROOT, HubFailed
from tests.chaos.kinds import STOP_BROKER, STOP_WORKER
from tests.chaos.load import DIRECTED, Load
from tests.chaos.plans import Plan
from tests.chaos.platforms import Platform
from tests.chaos.tempers import EMSPS, SLOW, Tempers
from tests.chaos.troubles import Troubles
from tests.chaos.verdict import Result
from tests.engines.kafka import Kafka
from tests.engines.keeper import KEEP, Kept
from tests.engines.mongo import Mongo
from tests.judging import Facts

_WARM_UP = 4.0
_CALM_SECONDS = 120.0
_CALM_SECONDS_BROKEN = 15.0
_BETWEEN = (1.0, 3.5)
_PART_OF_LOAD = 0.5
_NOT_ATTEMPTED = frozenset((4000,))
"""With the store away, what cannot be recorded is not attempted: the hub's own 4000."""


@asynccontextmanager
async def engines() -> AsyncIterator[tuple[Kafka, Mongo]]:
    """A Kafka and a MongoDB for all runs; they end with this process, however it ends. Raises NotHere."""
    kept = Kept(Path(tempfile.mkdtemp(prefix="ocpi-hub-chaos-")))
    kafka, mongo = Kafka(kept.folder / "kafka"), Mongo(kept.folder / "mongo")
    try:
        await asyncio.gather(asyncio.to_thread(kafka.start), asyncio.to_thread(mongo.start))
        yield kafka, mongo
    finally:
        await asyncio.to_thread(kept.end)


async def run(plan: Plan, seed: int, kafka: Kafka, mongo: Mongo) -> Result:
    """Carry it out; a folder below `.hub/` of the checkout, removed unless something unexpected came out."""
    folder = ROOT / ".hub" / f"chaos-{token_hex(4)}"
    folder.mkdir(parents=True, mode=0o700)
    kept = Kept(folder)
    chaos = _FleetChaos(plan, Fleet(folder, kafka, mongo, plan.settings, plan.switch), Random(seed))
    began = time.monotonic()
    try:
        await chaos.run()
    except (HubFailed, Refused) as error:
        chaos.result.broken.append(str(error))
    finally:
        kafka.go_on()
        await chaos.close()
        if not chaos.result.passed:
            (folder / KEEP).touch()
        await asyncio.to_thread(kept.end)
    result = chaos.result
    result.seconds = time.monotonic() - began
    if result.passed:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"  kept: {folder}", flush=True)
    return result


class _FleetChaos:
    def __init__(self, plan: Plan, fleet: Fleet, random: Random) -> None:
        self.plan, self.fleet = plan, fleet
        self.result = Result(plan)
        self.tempers = Tempers(random)
        self._random = random
        self._platform_of: dict[PartyId, str] = {}
        temper = self.tempers.react
        self.platforms = [
            Platform([(*CPO, "CPO")], temper, whose=fleet),
            Platform([(*SLOW, "EMSP")], temper, whose=fleet),
            Platform([(*emsp, "EMSP") for emsp in EMSPS if emsp != SLOW], temper, whose=fleet),
        ]
        self._load: Load

    async def run(self) -> None:
        await self.fleet.start()
        callers = await self._register()
        self._load = load = Load(
            callers, EMSPS, self._random, partitions=PARTITIONS, part=_PART_OF_LOAD, directed=DIRECTED | _NOT_ATTEMPTED
        )
        load.start()
        await asyncio.sleep(_WARM_UP)
        await self._trouble()
        await self._calm()
        for caller in callers.values():
            caller.close()
        for process in self.fleet.processes:
            code, _ = await process.terminate()
            if code != 0:
                self.result.broken.append(f"{process.name} ended with exit code {code} at the end")
        await self._judge()

    async def close(self) -> None:
        """End everything but the engines."""
        await self.fleet.close()
        for platform in self.platforms:
            platform.close()

    async def _register(self) -> dict[PartyId, Caller]:
        callers: dict[PartyId, Caller] = {}
        edge = self.fleet.edges[0]
        for platform in self.platforms:
            await platform.open()
            credential = await platform.register(*await edge.invite(platform.parties))
            for party in platform.recipients:
                callers[party] = Caller(self.fleet.balancer.port, credential)
                self._platform_of[party] = await edge.platform_of(*party)
        return callers

    async def _trouble(self) -> None:
        """Every kind in a shuffled order; in the end all workers at once, with the load: it covers for nothing."""
        troubles = Troubles(self.fleet, self._random, self.result)
        kinds = [kind for kind, count in self.plan.troubles.items() for _ in range(count)]
        self._random.shuffle(kinds)
        for number, kind in enumerate(kinds, start=1):
            print(f"  {number} of {len(kinds)}: {kind}: {await troubles.make(kind)}", flush=True)
            await asyncio.sleep(self._random.uniform(*_BETWEEN))
        print(f"  in the end: all workers killed at once: {await troubles.kill_all_workers()}", flush=True)
        await self._load.stop()
        await troubles.start_workers()

    async def _calm(self) -> None:
        """Everybody well, nobody calling, until all is settled."""
        self.tempers.calm = True
        until = time.monotonic() + (_CALM_SECONDS_BROKEN if self.plan.switch else _CALM_SECONDS)
        while await kafka_ledger.unsettled(self.fleet.address) and time.monotonic() < until:
            await asyncio.sleep(0.5)

    # --- judgement ---------------------------------------------------------------------------------------------------

    async def _judge(self) -> None:
        load, fleet, result = self._load, self.fleet, self.result
        recipients = {party: each for platform in self.platforms for party, each in platform.recipients.items()}
        facts = Facts(
            await kafka_ledger.stood(fleet.address), load.told, load.told_at, load.answers, recipients,
            await kafka_ledger.marks(fleet.store), self._platform_of, await kafka_ledger.unsettled(fleet.address),
            told_utc=load.told_utc,
        )  # fmt: skip
        begun = [request for each in recipients.values() for request in each.begun]
        assigned = {worker.name: worker.assigned() for worker in fleet.workers}
        facts.broken += fleet.pauses.broken(begun, facts.by_seq, assigned)
        seen = {seq for request in begun for seq in request.seqs}
        facts.broken += [
            f"P1: seq {seq} was answered 4000, for want of the store, and its recipient saw it"
            for seq, code in load.told.items()
            if code in _NOT_ATTEMPTED and seq in seen
        ]
        result.judge(facts, load, [line for process in fleet.processes for line in process.complaints()])
        self._note(facts, sum(request.excused for request in begun))

    def _note(self, facts: Facts, excused: int) -> None:
        """What the pauses came to: a run in which they did nothing would prove nothing."""
        done, notes = self.result.done, self.result.notes
        late = sum(stood.landed_late for stood in facts.stood)
        if done[STOP_BROKER]:
            notes.append(f"{late} events landed after their expiry, and none was sent")
            if not late and not self.plan.bare:
                self.result.broken.append("no event landed late: the pauses of the broker proved nothing")
        if done[STOP_WORKER]:
            notes.append(f"{excused} requests were begun within 100 ms of a SIGCONT")
