"""Recipients that are slow, refuse, reset, hang and come back, and that note all they see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from multidict import CIMultiDict

from connectors.errors import NotConnected, OutcomeUnknown
from connectors.values import PartyId
from routing.outbound import Answered
from routing.worker.ports import Push
from tests.sim.loop import VirtualLoop


@dataclass(slots=True)
class Begun:
    """A request whose first byte was written. `seqs` are the events that its body stands for."""

    at: float
    push: Push
    seqs: frozenset[int]
    processed: bool = False
    ended: float | None = None


@dataclass(slots=True)
class Recipient:
    """One party: what it is like now, what it saw, and the objects that it holds."""

    party: PartyId
    mood: str = "well"
    begun: list[Begun] = field(default_factory=list)
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    in_flight: dict[tuple[str, ...], Begun] = field(default_factory=dict)
    overlaps: list[str] = field(default_factory=list)
    refused: set[tuple[str, str]] = field(default_factory=set)


MOODS = ("well", "well", "well", "slow", "refusing", "broken", "busy", "hanging", "resetting", "lossy", "picky")


class Recipients:
    """The Sender of a simulated worker. Chance comes from one seeded Random, so runs replay."""

    def __init__(self, loop: VirtualLoop, random: Random, parties: list[PartyId]) -> None:
        self._loop = loop
        self._random = random
        self.all = {party: Recipient(party) for party in parties}
        self.calm = False

    async def push(self, push: Push, *, within: float, permit: Callable[[], bool]) -> Answered:
        recipient = self.all[push.to.party.id]
        begun: Begun | None = None
        started = self._loop.now
        try:
            async with asyncio.timeout(within):
                await asyncio.sleep(self._random.choice((0.0, 0.001, 0.02)))
                mood = "well" if self.calm else recipient.mood
                if mood == "refusing":
                    raise NotConnected("refused", refused=self._random.random() < 0.5)
                if not permit():
                    raise NotConnected("not permitted")
                begun = self._begin(recipient, push)
                await self._think(mood)
                if mood == "hanging":
                    await asyncio.sleep(3600)
                if mood == "resetting" and self._random.random() < 0.7:
                    raise OutcomeUnknown("reset before the answer")
                if mood == "busy":
                    return _answered(503, 3000, started, self._loop.now)
                if mood == "broken":
                    return _answered(200, 3000, started, self._loop.now)
                if mood == "picky" and self._random.random() < 0.3:
                    recipient.refused.add(_object(push))
                    return _answered(200, 2001, started, self._loop.now)
                begun.processed = True
                _apply(recipient, push)
                if mood == "lossy" and self._random.random() < 0.6:
                    raise OutcomeUnknown("the answer was lost")
                await asyncio.sleep(self._random.choice((0.0, 0.005)))
                return _answered(200, 1000, started, self._loop.now, location=_location(push))
        except TimeoutError:
            raise (OutcomeUnknown("too slow") if begun else NotConnected("too slow to connect")) from None
        finally:
            if begun is not None:
                begun.ended = self._loop.now
                if recipient.in_flight.get(_path(push)) is begun:
                    del recipient.in_flight[_path(push)]

    async def _think(self, mood: str) -> None:
        if mood == "slow":
            await asyncio.sleep(self._random.choice((0.5, 3.0, 9.0, 12.0)))
        else:
            await asyncio.sleep(self._random.choice((0.0, 0.002, 0.03, 0.2)))

    def _begin(self, recipient: Recipient, push: Push) -> Begun:
        begun = Begun(self._loop.now, push, seqs_of(push.body))
        other = recipient.in_flight.get(_path(push))
        if other is not None:
            recipient.overlaps.append(f"{push.module} {_path(push)} at {self._loop.now:.3f}")
        recipient.in_flight[_path(push)] = begun
        recipient.begun.append(begun)
        return begun


def seqs_of(body: bytes) -> frozenset[int]:
    """Every `seq` in a body, at whatever level."""
    found: set[int] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("seq"), int):
                found.add(value["seq"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    if body:
        walk(json.loads(body))
    return frozenset(found)


def _object(push: Push) -> tuple[str, str]:
    if push.module == "cdrs":
        return push.module, str(json.loads(push.body)["id"])
    return push.module, push.path[2].upper()


def _path(push: Push) -> tuple[str, ...]:
    return (*_object(push), push.query)


def _apply(recipient: Recipient, push: Push) -> None:
    apply(recipient.objects, _object(push), push.method, push.path[3:], push.body)


def apply(
    objects: dict[tuple[str, str], dict[str, Any]],
    key: tuple[str, str],
    method: str,
    below: tuple[str, ...],
    body: bytes,
) -> None:
    """What a receiver does with a push; written apart from the hub's own folding."""
    if method == "DELETE":
        objects[key] = {"deleted": True}
        return
    new = json.loads(body)
    if not below:
        if method == "PATCH" and not objects.get(key, {}).get("deleted"):
            objects[key] = {**objects.get(key, {}), **new}
        else:
            objects[key] = dict(new)
        return
    whole = objects.setdefault(key, {})
    evses = whole.setdefault("evses", [])
    for i, evse in enumerate(evses):
        if evse["uid"] == below[0]:
            evses[i] = {**evse, **new} if method == "PATCH" else dict(new)
            break
    else:
        evses.append({"uid": below[0], **new})
    whole["last_updated"] = new["last_updated"]


def _location(push: Push) -> str | None:
    return f"https://recipient.example/cdrs/{json.loads(push.body)['id']}" if push.module == "cdrs" else None


def _answered(http: int, code: int, started: float, now: float, *, location: str | None = None) -> Answered:
    headers: CIMultiDict[str] = CIMultiDict()
    if location is not None:
        headers["Location"] = location
    return Answered(http, code, headers, b'{"status_code":%d}' % code, (now - started) * 1000)
