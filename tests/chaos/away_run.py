"""One run with recipients that are away: what each missed is brought to it, once an object, and nobody else waits.

all well: every object whole ─> five platforms go, each in its own way; every object is changed in every round, the
hub is killed meanwhile ─> one that was away and one that hung come back: what they are sent is counted ─> the
others come back, the hub is killed while it resyncs ─> judgement, object by object
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from secrets import token_hex

from connectors.values import PartyId
from tests.bench.handshake import Refused
from tests.chaos.away_load import Changes
from tests.chaos.bodies import CPO
from tests.chaos.calling import Caller
from tests.chaos.fleet import Fleet
from tests.chaos.hub import ROOT, HubFailed
from tests.chaos.memory import Memory
from tests.chaos.moods import Mood, Moody
from tests.chaos.plans import Plan
from tests.chaos.platforms import Kind, Platform, Reaction
from tests.chaos.sites import Many, Single, Site
from tests.chaos.verdict import Result
from tests.engines.kafka import Kafka
from tests.engines.keeper import KEEP, Kept
from tests.engines.mongo import Mongo
from tests.judging import Facts
from tests.witnesses import Recipient

MOST_REQUESTS = 1.1
"""Towards a returning party, for each object that changed meanwhile (P4)."""
_COUNTED = (Mood.AWAY, Mood.HUNG)
_EVEN_SECONDS = 90.0
_EVEN_SECONDS_BROKEN = 12.0
_PROMPT_SECONDS = 20.0
"""Within so much after the last change those that are well have everything; kills and machines are slow."""
_MARKED_SECONDS = 40.0
_IN_RESYNC = 1.0


async def single(plan: Plan, seed: int) -> Result:
    """On the embedded engine."""
    return await _run(plan, seed, lambda folder, random, result: Single(folder, plan, result))


async def fleet(plan: Plan, seed: int, kafka: Kafka, mongo: Mongo) -> Result:
    """Edges and workers on engines that are given, running."""

    def site(folder: Path, random: Random, result: Result) -> Site:
        return Many(Fleet(folder, kafka, mongo, plan.settings, plan.switch), random, result)

    return await _run(plan, seed, site)


async def _run(plan: Plan, seed: int, site: Callable[[Path, Random, Result], Site]) -> Result:
    """Carry it out; a folder below `.hub/` of the checkout, removed unless something unexpected came out."""
    folder = ROOT / ".hub" / f"chaos-{token_hex(4)}"
    folder.mkdir(parents=True, mode=0o700)
    kept, random, result = Kept(folder), Random(seed), Result(plan)
    absence = _Absence(plan, site(folder, random, result), random, result)
    began = time.monotonic()
    try:
        await absence.run()
    except (HubFailed, Refused) as error:
        result.broken.append(str(error))
    finally:
        await absence.close()
        if not result.passed:
            (folder / KEEP).touch()
        await asyncio.to_thread(kept.end)
    result.seconds = time.monotonic() - began
    if result.passed:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"  kept: {folder}", flush=True)
    return result


class _Absence:
    def __init__(self, plan: Plan, site: Site, random: Random, result: Result) -> None:
        self.plan, self.site, self.result = plan, site, result
        self._random = random
        self._sender = Platform([(*CPO, "CPO")], lambda *_: Reaction(Kind.TAKE, 0.0, early=True))
        self._moody = {mood: Moody(mood, random) for mood in Mood}
        self._platform_of: dict[PartyId, str] = {}
        self._memory = Memory()
        self._load: Changes

    async def run(self) -> None:
        assert self.plan.away is not None
        away, well = self.plan.away, self._moody[Mood.WELL]
        await self.site.start()
        callers = await self._register()
        self._load = load = Changes(callers, well.emsp, self._random, away.objects)
        await load.first()
        await self._even("before anybody went", list(Mood))
        gone = [self._moody[mood] for mood in Mood if mood is not Mood.WELL]
        self._memory.begin(self.site.processes)
        for moody in gone:
            moody.go()
        await asyncio.gather(load.change(away.rounds, away.seconds), self._trouble(away.rounds * away.objects))
        await self._prompt()
        await self._were_marked(gone)
        self.result.broken += await self._memory.end()
        self._say(self._memory.what)
        await self._counted()
        if not (self.plan.switch and self.result.found):  # otherwise there is no need to go on
            await self._the_others([moody for moody in gone if moody.mood not in _COUNTED])
        for caller in callers.values():
            caller.close()
        for process in self.site.processes:
            code, _ = await process.terminate()
            if code != 0:
                self.result.broken.append(f"{process.name} ended with exit code {code} at the end")
        await self._judge()

    async def close(self) -> None:
        """End everything but the engines."""
        await self._memory.end()
        await self.site.close()
        for moody in self._moody.values():
            moody.close()
        self._sender.close()

    async def _register(self) -> dict[PartyId, Caller]:
        callers: dict[PartyId, Caller] = {}
        door = self.site.door
        for platform in [self._sender, *(moody.platform for moody in self._moody.values())]:
            await platform.open()
            credential = await platform.register(*await door.invite(platform.parties))
            for party in platform.recipients:
                callers[party] = Caller(self.site.port, credential)
                self._platform_of[party] = await door.platform_of(*party)
        for moody in self._moody.values():
            moody.id = self._platform_of[moody.emsp]
        return callers

    # --- what happens ------------------------------------------------------------------------------------------------

    async def _trouble(self, updates: int) -> None:
        """Spread over the changes."""
        kinds = [kind for kind, count in self.plan.troubles.items() for _ in range(count)]
        self._random.shuffle(kinds)
        for number, kind in enumerate(kinds, start=1):
            while self._load.updates < updates * number / (len(kinds) + 1):
                await asyncio.sleep(0.1)
            self._say(f"{number} of {len(kinds)}: {kind}: {await self.site.trouble(kind)}")

    async def _prompt(self) -> None:
        """P3: who is well has everything soon, whoever hangs."""
        well = [*self._moody[Mood.WELL].recipients, *self._sender.recipients.values()]
        began = time.monotonic()
        while lacking := [text for recipient in well for text in self._lacking(recipient)]:
            if time.monotonic() > began + _PROMPT_SECONDS:
                self.result.broken += [f"P3: while others were away {text}" for text in lacking]
                return
            await asyncio.sleep(0.25)
        self._say(f"who is well had everything {time.monotonic() - began:.1f} s after the last change")

    def _lacking(self, recipient: Recipient) -> list[str]:
        seen: dict[tuple[str, str], int] = {}
        for begun in recipient.begun:
            if begun.processed and begun.seqs:
                seen[begun.object] = max(*begun.seqs, seen.get(begun.object, 0))
        return [
            f"{recipient.party} has not seen seq {seq} of {key}"
            for key, seq in self._load.newest.items()
            if key[0] in recipient.modules and seen.get(key, 0) < seq
        ]

    async def _were_marked(self, gone: list[Moody]) -> None:
        """Nothing waits in a lane any more: what they missed is under marks."""
        began = time.monotonic()
        while True:
            unsettled, marked = await self.site.unsettled(), await self.site.marked()
            never = [moody.mood.name.lower() for moody in gone if moody.mood in _COUNTED and not marked[moody.id]]
            if not unsettled and not never:
                break
            if time.monotonic() > began + _MARKED_SECONDS:
                self.result.broken.append(
                    f"P1: {unsettled} unsettled, {never} not marked after {_MARKED_SECONDS:.0f} s"
                )
                return
            await asyncio.sleep(0.25)
        counts = ", ".join(f"{moody.mood.name.lower()} {marked[moody.id]}" for moody in gone)
        self._say(f"all is settled or marked after {time.monotonic() - began:.1f} s; marks: {counts}")

    async def _counted(self) -> None:
        """P4: those that were away and hung are sent each object that changed once."""
        back = [self._moody[mood] for mood in _COUNTED]
        before = {party: count for moody in back for party, count in moody.begun.items()}
        for moody in back:
            await moody.come_back()
        await self._even("after they came back", _COUNTED)
        for moody in back:
            for recipient in moody.recipients:
                count = len(recipient.begun) - before[recipient.party]
                changed = sum(key[0] in recipient.modules for key in self._load.changed)
                what = f"{recipient.party} ({moody.mood.name.lower()}) got {count} requests for {changed} objects"
                self._say(f"{what} that had changed")
                if count > MOST_REQUESTS * changed:
                    self.result.broken.append(f"P4: {what}")

    async def _the_others(self, back: list[Moody]) -> None:
        for moody in back:
            await moody.come_back()
        await asyncio.sleep(_IN_RESYNC)
        if self.plan.troubles:
            self._say(f"killed while it resyncs: {await self.site.kill_in_resync()}")
        await self._even("at the end", list(Mood))

    async def _even(self, when: str, moods: tuple[Mood, ...] | list[Mood]) -> None:
        """Until all is settled and no mark of theirs is left."""
        began = time.monotonic()
        within = _EVEN_SECONDS_BROKEN if self.plan.switch else _EVEN_SECONDS
        while True:
            marked = await self.site.marked()
            left = {mood.name.lower(): marked[self._moody[mood].id] for mood in moods if marked[self._moody[mood].id]}
            unsettled = await self.site.unsettled()
            if not left and not unsettled:
                break
            if time.monotonic() > began + within:
                self.result.broken.append(f"P4: {when}: {left} marks and {unsettled} unsettled after {within:.0f} s")
                return
            await asyncio.sleep(0.25)
        self._say(f"{when}: even after {time.monotonic() - began:.1f} s")

    def _say(self, what: str) -> None:
        print(f"  {what}", flush=True)

    # --- judgement ---------------------------------------------------------------------------------------------------

    async def _judge(self) -> None:
        load, result = self._load, self.result
        recipients = {each.party: each for moody in self._moody.values() for each in moody.recipients}
        recipients |= self._sender.recipients
        # no mark excuses anybody: they are worked off
        facts = Facts(
            await self.site.stood(), load.told, load.told_at, load.answers, recipients, (), self._platform_of,
            await self.site.unsettled(), told_utc=load.told_utc,
        )  # fmt: skip
        result.judge(facts, load, [line for process in self.site.processes for line in process.complaints()])
        for recipient in recipients.values():
            kept = [key for key in load.deleted if recipient.objects.get(key) != {"deleted": True}]
            if "tariffs" in recipient.modules and kept:
                result.broken.append(f"P4: {recipient.party} holds {len(kept)} tariffs that were deleted")
        result.notes.append(
            f"{load.updates} updates of {len(load.changed)} objects, {len(load.deleted)} tariffs deleted in the end"
        )
