"""Sample parties of one test, with party ids of their own, so that tests share a hub without meeting one another."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable
from string import ascii_uppercase, digits
from types import TracebackType
from typing import Any, Final, Self

from connectors.sample import Received, SampleParty, SamplePlatform, sample_cpo, sample_emsp
from connectors.sample.client import SampleAnswer
from connectors.values import InterfaceRole, PartyId, Role
from tests.scenarios.hub import RunningHub

SENDER, RECEIVER = InterfaceRole.SENDER, InterfaceRole.RECEIVER
HUB: Final = PartyId.of(*os.environ.get("SCENARIOS_PARTY", "NL-HUB").split("-", 1))

_COUNTRIES: Final = ("NL", "DE", "FR", "BE", "AT", "CH", "DK", "SE", "NO", "IT")
_SIGNS: Final = ascii_uppercase + digits
_numbers = itertools.count(os.getpid() * 7)


def new_party() -> PartyId:
    """A party id that no other test of this process uses."""
    number = next(_numbers)
    country, number = _COUNTRIES[number % len(_COUNTRIES)], number // len(_COUNTRIES)
    sign = "".join(_SIGNS[number // len(_SIGNS) ** place % len(_SIGNS)] for place in (2, 1, 0))
    return PartyId(country, "H0B" if sign == "HUB" else sign)


class Parties:
    """Makes platforms, starts them, registers them at the hub, and ends all of it again."""

    def __init__(self, hub: RunningHub) -> None:
        self.hub = hub
        self._started: list[SamplePlatform] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self, platform: SamplePlatform) -> SamplePlatform:
        """Start a platform, which is ended with the test."""
        await platform.start()
        self._started.append(platform)
        return platform

    async def join(self, platform: SamplePlatform) -> SamplePlatform:
        """Start it, have it invited, and register it."""
        await self.start(platform)
        invitation = await self.hub.invite(*((party.id, party.role) for party in platform.parties))
        await platform.register(invitation.versions_url, invitation.token)
        return platform

    async def cpo(self, **options: Any) -> SamplePlatform:
        """A registered CPO with the sample's locations, tariffs, sessions and CDRs."""
        return await self.join(sample_cpo(new_party(), **options))

    async def emsp(self, **options: Any) -> SamplePlatform:
        """A registered eMSP with the sample's tokens."""
        return await self.join(sample_emsp(new_party(), **options))

    async def pair(self) -> tuple[SamplePlatform, SamplePlatform]:
        """A CPO and an eMSP."""
        return await self.cpo(), await self.emsp()

    async def platform(self, *roles: Role, **options: Any) -> SamplePlatform:
        """A registered platform with one party of each role, of a party id each."""
        return await self.join(SamplePlatform([SampleParty(new_party(), role) for role in roles], **options))

    async def close(self) -> None:
        """End the platforms, and have the hub forget their parties."""
        for platform in self._started:
            for party in {party.id for party in platform.parties}:
                if self.hub.running:
                    await self.hub.operate("POST", f"/api/parties/{party.country_code}/{party.party_id}/remove")
            await platform.stop()


def party_of(platform: SamplePlatform) -> PartyId:
    """The one party of a platform."""
    return platform.parties[0].id


def since(platform: SamplePlatform) -> int:
    """The number of the last request that this platform received."""
    return platform.recorder.count


def asked(platform: SamplePlatform, *, after: int) -> list[Received]:
    """What a platform received but for GETs of its versions, by which the hub asks whether it is there."""
    return [one for one in platform.received if one.module != "versions" and one.seq > after]


def got(platform: SamplePlatform, module: str, method: str | None = None, *, after: int = 0) -> list[Received]:
    """What a platform received of a module."""
    found = (one for one in platform.received if one.module == module and one.seq > after)
    return [one for one in found if method in (None, one.method)]


def check(answer: SampleAnswer, http_status: int, status_code: int, *words: str) -> None:
    """The answer is an envelope with these statuses, and its sentence has these words."""
    told = (answer.http_status, answer.status_code, answer.message)
    assert told[:2] == (http_status, status_code), told
    assert isinstance(answer.envelope.get("timestamp"), str), answer.body
    for word in words:
        assert word in answer.message, (word, answer.message)


async def eventually(holds: Callable[[], bool | Awaitable[bool]], *, within: float = 5.0) -> None:
    """Wait until something holds. Raises AssertionError where it does not in time (seconds)."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"it did not come to hold within {within:g} s")
