"""What the lives of the sample parties have in common: a pace, a platform, and calls that bear a refusal."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Final

from connectors.sample.client import NoAnswer, SampleAnswer
from connectors.sample.inbound import RECEIVER
from connectors.sample.objects import Object
from connectors.sample.platform import SamplePlatform
from connectors.values import InterfaceRole, PartyId

_PUBLISHED_A_SECOND: Final = 100.0
_AGAIN: Final = (429, 503)


class Pace:
    """Spreads events evenly, `events_per_second` of them; 0 for as many as there are."""

    def __init__(self, events_per_second: float) -> None:
        self._gap = 1 / events_per_second if events_per_second else 0.0
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the next event is due."""
        present = asyncio.get_running_loop().time()
        self._next = max(self._next + self._gap, present)
        await asyncio.sleep(self._next - present)


class Life:
    """What both have in common: a platform, its pace and its chances."""

    def __init__(self, platform: SamplePlatform, events_per_second: float, seed: int) -> None:
        self._platform = platform
        self._pace = Pace(events_per_second)
        self._publishing = Pace(_PUBLISHED_A_SECOND if events_per_second else 0)
        self._chance = random.Random(seed)

    @property
    def _everyone(self) -> PartyId | None:
        """Whom a broadcast is addressed to: the hub, or the only party there is when the peer is no hub."""
        peer = self._platform.peer
        if peer is None:
            return None
        return peer.hub or next((party for _, party in peer.parties), None)

    async def _publish(self, module: str, owner: PartyId) -> None:
        for item in self._platform.objects.all(module, owner):
            await self._publishing.turn()
            key, query = (item["uid"], {"type": item["type"]}) if module == "tokens" else (item["id"], None)
            await self._send("PUT", module, RECEIVER, *owner, key, to=self._everyone, body=item, query=query)

    async def _send(
        self,
        method: str,
        module: str,
        interface: InterfaceRole,
        *segments: str,
        to: PartyId | None,
        body: object = None,
        query: Mapping[str, str] | None = None,
    ) -> SampleAnswer | None:
        """One call, twice more while the other side asks for it; None where nothing came of it."""
        for attempt in range(3):
            if attempt:
                await asyncio.sleep(attempt)
            try:
                answer = await self._platform.call(method, module, interface, *segments, to=to, body=body, query=query)
            except (NoAnswer, LookupError):
                return None
            if answer.http_status not in _AGAIN:
                return answer
        return None


def owner_of(item: Object) -> PartyId:
    """The party in an object's owner fields."""
    return PartyId.of(item["country_code"], item["party_id"])
