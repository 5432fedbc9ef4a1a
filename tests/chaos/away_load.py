"""The load of recipients that are away: every object of a set is changed again and again; some tariffs end deleted."""

from __future__ import annotations

import asyncio
from random import Random

from connectors.values import PartyId
from tests.chaos import bodies
from tests.chaos.bodies import CPO
from tests.chaos.calling import Caller
from tests.chaos.load import Load
from tests.witnesses import ObjectKey

_SIDE_BY_SIDE = 40
_TARIFFS = 0.15
_TOKENS = 0.2
_DELETED = 0.4
"""Of the tariffs, in each round; the last round leaves so many deleted."""


class Changes(Load):
    """`first` makes the objects, `change` changes each of them once a round. `newest` is what was accepted last."""

    def __init__(self, callers: dict[PartyId, Caller], emsp: PartyId, random: Random, objects: int) -> None:
        super().__init__(callers, (emsp,), random, partitions=0)
        self.newest: dict[ObjectKey, int] = {}
        self.changed: set[ObjectKey] = set()
        self.deleted: set[ObjectKey] = set()
        self.updates = 0
        self._emsp = emsp
        tariffs, tokens = int(objects * _TARIFFS), int(objects * _TOKENS)
        self._keys = [
            *[("tariffs", bodies.name("T")) for _ in range(tariffs)],
            *[("tokens", bodies.name("04")) for _ in range(tokens)],
            *[("locations", bodies.name("L")) for _ in range(objects - tariffs - tokens)],
        ]

    async def first(self) -> None:
        """Every object, whole."""
        await self._all(1, whole=True, seconds=0.0)

    async def change(self, rounds: int, seconds: float) -> None:
        """Each object once a round; in no less than these seconds."""
        self.changed = set(self._keys)
        await self._all(rounds, whole=False, seconds=seconds)

    async def _all(self, rounds: int, *, whole: bool, seconds: float) -> None:
        """Many side by side, but those of one object one after the other: which is its newest is known."""
        pause = seconds * _SIDE_BY_SIDE / (len(self._keys) * rounds)

        async def some(keys: list[ObjectKey]) -> None:
            loop = asyncio.get_running_loop()
            for key in (key for _ in range(rounds) for key in self._random.sample(keys, len(keys))):
                began = loop.time()
                await self._one(key, whole)
                self.updates += not whole
                await asyncio.sleep(max(0.0, began + pause - loop.time()))

        async with asyncio.TaskGroup() as group:
            for number in range(_SIDE_BY_SIDE):
                group.create_task(some(self._keys[number::_SIDE_BY_SIDE]))

    async def _one(self, key: ObjectKey, whole: bool) -> None:
        module, id_ = key
        seq = self._next()
        path = f"{module}/{CPO.country_code}/{CPO.party_id}/{id_}"
        if module == "tariffs":
            gone = not whole and self._random.random() < _DELETED
            if gone:
                code = await self._call("DELETE", path, None, seq=seq)
            else:
                code = await self._call("PUT", path, bodies.tariff(id_, seq), seq=seq)
            # what was answered 503 may have happened or not: then nothing is asked of anybody
            (self.deleted.add if gone and code == 1000 else self.deleted.discard)(key)
        elif module == "tokens":
            code = await self._change_token(id_, seq, whole)
        elif whole:
            code = await self._call("PUT", path, bodies.location(id_, seq), seq=seq)
        else:
            uid = self._random.choice(bodies.EVSES[:2])
            code = await self._call("PATCH", f"{path}/{uid}", bodies.status(seq), seq=seq)
        if code == 1000:
            self.newest[key] = max(seq, self.newest.get(key, 0))

    async def _change_token(self, uid: str, seq: int, whole: bool) -> int:
        owner = self._emsp
        path = f"tokens/{owner.country_code}/{owner.party_id}/{uid}?type=RFID"
        if whole:
            return await self._call("PUT", path, bodies.token(owner, uid, seq), seq=seq, sender=owner)
        patch = {"valid": bool(seq % 2), **bodies.stamp(seq)}
        return await self._call("PATCH", path, patch, seq=seq, sender=owner)
