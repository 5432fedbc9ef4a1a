"""The load: many senders side by side, each with an object that lives for a while, and what they were told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

from connectors.values import PartyId
from tests.chaos import bodies
from tests.chaos.bodies import CPO
from tests.chaos.calling import CUT, Caller, HubDown

_AWAY = 0.1
_NO_ANSWER = 60.0
BROADCAST = frozenset((1000, 503, CUT))
DIRECTED = frozenset((1000, 2001, 503, 4002, 4003, CUT))

Story = Callable[[], Coroutine[Any, Any, None]]


class Load:
    """Runs until `stop`. `told`, `told_at`, `told_utc` and `answers` are as Facts wants them.

    `wrong` is what no hub may say: directed pushes are answered with one of `directed`. `part` of all stories run.
    """

    def __init__(
        self, callers: dict[PartyId, Caller], emsps: Sequence[PartyId], random: Random, *, partitions: int,
        part: float = 1.0, directed: frozenset[int] = DIRECTED,
    ) -> None:  # fmt: skip
        self.told: dict[int, int] = {}
        self.told_at: dict[int, float] = {}
        self.told_utc: dict[int, int] = {}
        self.answers: dict[int, tuple[bytes, str | None]] = {}
        self.wrong: list[str] = []
        self.codes: Counter[int] = Counter()
        self._callers = callers
        self._emsps = emsps
        self._random = random
        self._partitions = partitions
        self._part = part
        self._directed = directed
        self._seq = 0
        self._posted: list[tuple[str, PartyId]] = []
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin the stories: all of them make about 300 calls a second."""
        stories: list[Story] = [
            *[lambda: self._location(mixed=False)] * 40,
            *[lambda: self._location(mixed=True)] * 6,
            *[self._tariff] * 4,
            *[lambda: self._tariff(refused=True)],
            *[self._token] * 10,
            *[self._session] * 24,
            *[self._cdr] * 12,
        ]
        count = round(len(stories) * self._part)
        told = stories if count == len(stories) else self._random.sample(stories, count)
        self._tasks = [asyncio.create_task(self._tell(story)) for story in told]

    async def stop(self) -> None:
        """No new calls; returns when every answer is there, or its connection cut. Raises what broke a story."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _tell(self, story: Story) -> None:
        await asyncio.sleep(self._random.random())
        while not self._stopping:
            await story()

    # --- calls -------------------------------------------------------------------------------------------------------

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None, *,
        seq: int, sender: PartyId = CPO, to: PartyId | None = None, directed: bool = False,
    ) -> int:  # fmt: skip
        """What the sender is told; it waits until there is a hub to call."""
        data = bodies.dump(body) if body is not None else b""
        while True:
            try:
                async with asyncio.timeout(_NO_ANSWER):
                    answer = await self._callers[sender].call(method, path, data, seq=seq, sender=sender, to=to)
                break
            except HubDown:
                if self._stopping:
                    return CUT
                await asyncio.sleep(_AWAY * (0.5 + self._random.random()))
            except TimeoutError:
                self.wrong.append(f"{method} {path} (seq {seq}) had no answer within {_NO_ANSWER:.0f} s")
                return CUT
        code = self.told[seq] = answer.code
        self.told_at[seq] = asyncio.get_running_loop().time()
        self.told_utc[seq] = time.time_ns() // 1_000_000
        self.codes[code] += 1
        if code not in (self._directed if directed or to is not None else BROADCAST):
            self.wrong.append(f"{method} {path} (seq {seq}) was answered {code}: {answer.body[:300]!r}")
        if 1000 <= code < 2000 and method == "POST":
            self.answers[seq] = answer.body, answer.location
        return code

    async def _rest(self, mean: float) -> None:
        await asyncio.sleep(self._random.expovariate(1 / mean))

    # --- stories -----------------------------------------------------------------------------------------------------

    async def _location(self, *, mixed: bool) -> None:
        """A whole PUT, then updates at every level, two at the same moment now and then; `mixed`: some to one party."""
        random, id_ = self._random, bodies.location_name(mixed=mixed, partitions=self._partitions)
        path = f"locations/NL/TNM/{id_}"
        await self._put_location(path, id_, None)
        for _ in range(random.randint(20, 80)):
            if self._stopping:
                return
            to = random.choice(self._emsps) if mixed and random.random() < 0.3 else None
            calls = [self._update(path, id_, to) for _ in range(2 if random.random() < 0.1 else 1)]
            await asyncio.gather(*calls)
            await self._rest(0.25)

    async def _put_location(self, path: str, id_: str, to: PartyId | None) -> int:
        seq = self._next()
        return await self._call("PUT", path, bodies.location(id_, seq), seq=seq, to=to)

    async def _update(self, path: str, id_: str, to: PartyId | None) -> int:
        chance, seq = self._random.random(), self._next()
        if chance < 0.15 or (to is not None and chance < 0.5):
            return await self._put_location(path, id_, to)
        if chance < 0.7:
            uid = self._random.choice(bodies.EVSES[:2])
            return await self._call("PATCH", f"{path}/{uid}", bodies.status(seq), seq=seq, to=to)
        if chance < 0.9:
            patch = {self._random.choice(("name", "city")): f"n{seq}", **bodies.stamp(seq)}
            return await self._call("PATCH", path, patch, seq=seq, to=to)
        uid = self._random.choice(bodies.EVSES)
        return await self._call("PUT", f"{path}/{uid}", bodies.evse(uid, seq), seq=seq, to=to)

    async def _tariff(self, *, refused: bool = False) -> None:
        """PUT, DELETE, PUT again."""
        id_ = bodies.name("REFUSED" if refused else "T")
        for _ in range(self._random.randint(10, 40)):
            if self._stopping:
                return
            seq, path = self._next(), f"tariffs/NL/TNM/{id_}"
            if self._random.random() < 0.25:
                await self._call("DELETE", path, None, seq=seq)
            else:
                await self._call("PUT", path, bodies.tariff(id_, seq), seq=seq)
            await self._rest(0.4)

    async def _token(self) -> None:
        """A token of an eMSP, which every CPO hears of."""
        owner, uid = self._random.choice(self._emsps), bodies.name("04")
        path = f"tokens/{owner.country_code}/{owner.party_id}/{uid}?type=RFID"
        for i in range(self._random.randint(5, 20)):
            if self._stopping:
                return
            seq = self._next()
            if i and self._random.random() < 0.3:
                patch = {"valid": False, **bodies.stamp(seq)}
                await self._call("PATCH", path, patch, seq=seq, sender=owner)
            else:
                await self._call("PUT", path, bodies.token(owner, uid, seq), seq=seq, sender=owner)
            await self._rest(0.3)

    async def _session(self) -> None:
        """PUT by its cdr_token or by TO, then PATCHes; whole again when an outcome is not known."""
        to, id_ = self._random.choice(self._emsps), bodies.name("S")
        path, code = f"sessions/NL/TNM/{id_}", 0
        for _ in range(self._random.randint(6, 20)):
            if self._stopping:
                return
            seq = self._next()
            if code == 1000:
                code = await self._call("PATCH", path, bodies.charging(seq), seq=seq, to=to)
            else:
                by = to if self._random.random() < 0.5 else None
                code = await self._call("PUT", path, bodies.session(id_, to, seq), seq=seq, to=by, directed=True)
            await self._rest(0.25)

    async def _cdr(self) -> None:
        """A CDR that is posted until its outcome is known, at the same moment too; an older one once more."""
        random = self._random
        to, id_ = random.choice(self._emsps), bodies.name("C")
        for _ in range(5):
            code = max(await asyncio.gather(*(self._post(id_, to) for _ in range(2 if random.random() < 0.3 else 1))))
            if self._stopping or (code == 1000 and random.random() < 0.6):
                break
            await self._rest(0.3)
        self._posted.append((id_, to))
        if random.random() < 0.3:
            await self._post(*random.choice(self._posted))
        await self._rest(0.3)

    async def _post(self, id_: str, to: PartyId) -> int:
        by = to if self._random.random() < 0.5 else None
        return await self._call("POST", "cdrs", bodies.cdr(id_, to), seq=self._next(), to=by, directed=True)
