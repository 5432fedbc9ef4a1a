"""Recipients that are slow, refuse, reset, hang and come back; what they see is noted in tests.witnesses."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from multidict import CIMultiDict

from connectors.errors import NotConnected, OutcomeUnknown
from connectors.values import PartyId
from routing.guard import Guard, Permit
from routing.outbound import Answered
from routing.resync import PREFIX
from routing.worker.ports import Push
from tests.sim.loop import VirtualLoop
from tests.witnesses import Begun, Recipient, seqs_of

MOODS = (
    "well",
    "well",
    "well",
    "slow",
    "refusing",
    "broken",
    "busy",
    "hanging",
    "resetting",
    "lossy",
    "picky",
    "flapping",
)


class Recipients:
    """The Sender of a simulated worker. Chance comes from one seeded Random, so runs replay."""

    def __init__(self, loop: VirtualLoop, random: Random, parties: list[PartyId]) -> None:
        self._loop = loop
        self._random = random
        self.all = {party: Recipient(party) for party in parties}
        self.calm = False
        self.unknown: set[PartyId] = set()
        """Those that say so when an update, or a part, is of an object that they do not know."""
        self.thinks: float | None = None
        """Seconds that each request takes, where that is not chance."""
        self.slow: dict[PartyId, float] = {}
        """The same, of those that take longer than the others."""
        self.asks: dict[PartyId, str] = {}
        """What stands in Retry-After of those that are busy."""
        self.bears: dict[PartyId, int] = {}
        """How many requests at a time are not too many; 503 to those above."""

    async def push(self, push: Push, *, within: float, permit: Callable[[], bool]) -> Answered:
        recipient = self.all[push.to.party.id]
        begun: Begun | None = None
        started = self._loop.now
        until = started + within
        try:
            await self._pass(self._random.choice((0.0, 0.001, 0.02)), until)
            mood = "well" if self.calm else recipient.mood
            if mood == "flapping":
                mood = "hanging" if int(started) % 2 else "refusing" if int(started) % 4 else "well"
            if mood == "refusing":
                raise NotConnected("refused", refused=self._random.random() < 0.5)
            if not permit():
                raise NotConnected("not permitted")
            begun = self._begin(recipient, push)
            await self._pass(self._thinking(mood, recipient.party), until)
            if mood == "hanging":
                await self._pass(3600, until)
            if mood == "resetting" and self._random.random() < 0.7:
                raise OutcomeUnknown("reset before the answer")
            too_many = len(recipient.in_flight) > self.bears.get(recipient.party, len(recipient.in_flight))
            if mood == "busy" or too_many:
                return _answered(503, 3000, started, self._loop.now, asks=self.asks.get(recipient.party))
            if mood == "broken":
                return _answered(200, 3000, started, self._loop.now)
            if mood == "picky" and self._random.random() < 0.3:
                begun.refused = True
                return _answered(200, 2001, started, self._loop.now)
            part = push.method == "PATCH" or len(push.path) > 3
            if part and begun.object not in recipient.objects and recipient.party in self.unknown:
                begun.unknown = True
                return _answered(200, 2003, started, self._loop.now)
            recipient.process(begun)
            if mood == "lossy" and self._random.random() < 0.6:
                raise OutcomeUnknown("the answer was lost")
            await self._pass(self._random.choice((0.0, 0.005)), until)
            return _answered(200, 1000, started, self._loop.now, location=_location(push))
        except TimeoutError:
            raise _late(begun is not None) from None
        finally:
            if begun is not None:
                recipient.end(begun, self._loop.now)

    async def _pass(self, seconds: float, until: float) -> None:
        """So many seconds; raises TimeoutError at `until`, where that is sooner: cheaper than a timer for each push."""
        left = until - self._loop.now
        await self._loop.pause(max(min(seconds, left), 0.0))
        if seconds >= left:
            raise TimeoutError

    def _thinking(self, mood: str, party: PartyId) -> float:
        if (seconds := self.slow.get(party, self.thinks)) is not None:
            return seconds
        return self._random.choice((0.5, 3.0, 9.0, 12.0) if mood == "slow" else (0.0, 0.002, 0.03, 0.2))

    def _begin(self, recipient: Recipient, push: Push) -> Begun:
        seqs = seqs_of(push.body, push.correlation_id)
        begun = Begun(self._loop.now, push.module, push.method, push.path, push.query, push.body, seqs)
        if push.correlation_id.startswith(PREFIX):
            begun.resync = push.correlation_id
        if recipient.begin(begun) is not None:
            recipient.overlaps.append(f"{begun.name} at {self._loop.now:.3f}")
        return begun


class Guarded:
    """The Sender of one process: the recipients, behind that process's breakers."""

    def __init__(self, recipients: Recipients, guard: Guard) -> None:
        self._recipients = recipients
        self._guard = guard

    async def push(self, push: Push, *, within: float, permit: Permit) -> Answered:
        return await self._guard.send(
            push.to, permit, lambda may: self._recipients.push(push, within=within, permit=may)
        )


def _late(begun: bool) -> NotConnected | OutcomeUnknown:
    """Made here: a frame that holds what it raises is garbage that only a collection finds, and all above it too."""
    late = OutcomeUnknown("too slow") if begun else NotConnected("too slow to connect")
    late.late = True
    return late


def _location(push: Push) -> str | None:
    return f"https://recipient.example/cdrs/{json.loads(push.body)['id']}" if push.module == "cdrs" else None


def _answered(
    http: int, code: int, started: float, now: float, *, location: str | None = None, asks: str | None = None
) -> Answered:
    headers: CIMultiDict[str] = CIMultiDict({} if asks is None else {"Retry-After": asks})
    if location is not None:
        headers["Location"] = location
    return Answered(http, code, headers, b'{"status_code":%d}' % code, (now - started) * 1000)
