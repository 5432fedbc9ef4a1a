"""Platforms that are away for long, each in its own way, and those that are well all the time."""

from __future__ import annotations

import asyncio
from enum import Enum
from random import Random

from connectors.values import PartyId
from tests.chaos.platforms import Kind, Platform, Reaction
from tests.witnesses import Begun, Recipient

ATTEMPT_SECONDS = 1.5
"""What the hub gives one attempt of a broadcast here."""
_FLAP_SECONDS = 1.0


class Mood(Enum):
    """What a platform is like while it is not well."""

    WELL = "WL"
    AWAY = "AW"
    HUNG = "HG"
    LATE = "LT"
    TORN = "TN"
    FLAPPING = "FL"


class Moody:
    """A platform of an eMSP and a CPO, whose ids begin with the letters of its mood. It begins well.

    Of the one that stays well the eMSP owns the tokens, which no party of its own platform is told of.
    """

    def __init__(self, mood: Mood, random: Random) -> None:
        self.mood = mood
        self._random = random
        self._unwell = False
        self._flapping: asyncio.Task[None] | None = None
        letters = mood.value
        parties = [("FR", f"{letters}E", "EMSP"), ("FR", f"{letters}C", "CPO")]
        self.platform = Platform(parties[:1] if mood is Mood.WELL else parties, self._react)
        self.id = ""
        """The hub's name of the platform, once it is registered."""

    @property
    def emsp(self) -> PartyId:
        return PartyId("FR", f"{self.mood.value}E")

    @property
    def recipients(self) -> list[Recipient]:
        return list(self.platform.recipients.values())

    @property
    def begun(self) -> dict[PartyId, int]:
        """How many requests each of its parties saw until now."""
        return {recipient.party: len(recipient.begun) for recipient in self.recipients}

    def go(self) -> None:
        """It is away, or hangs, ..., from now on."""
        self._unwell = True
        self.platform.mute = self.mood is Mood.HUNG
        if self.mood is Mood.AWAY:
            self.platform.vanish()
        elif self.mood is Mood.FLAPPING:
            self._flapping = asyncio.create_task(self._flap())

    async def come_back(self) -> None:
        """It is well from now on."""
        self._unwell = self.platform.mute = False
        if self.mood is Mood.AWAY:
            await self.platform.open()
        elif self._flapping is not None:
            self._flapping.cancel()
            await asyncio.gather(self._flapping, return_exceptions=True)
            self.platform.close()
            await self.platform.open()

    def close(self) -> None:
        if self._flapping is not None:
            self._flapping.cancel()
        self.platform.close()

    async def _flap(self) -> None:
        while True:
            self.platform.vanish()
            await asyncio.sleep(_FLAP_SECONDS)
            await self.platform.open()
            await asyncio.sleep(_FLAP_SECONDS)

    def _react(self, recipient: Recipient, begun: Begun, broadcast: bool) -> Reaction:
        del recipient, begun, broadcast
        early = self._random.random() < 0.5
        if self._unwell and self.mood is Mood.HUNG:
            return Reaction(Kind.HANG, 0.0, early)
        if self._unwell and self.mood is Mood.LATE:
            return Reaction(Kind.TAKE, ATTEMPT_SECONDS + self._random.uniform(0.2, 1.0), early)
        if self._unwell and self.mood is Mood.TORN:
            return Reaction(Kind.TEAR, self._random.choice((0.0, 0.05)), early)
        return Reaction(Kind.TAKE, self._random.choice((0.0, 0.002)), early)
