"""What an operator has sent again: the newest state of an object goes through its slot to the one that lacks it.

The letter stays until its recipient has settled it, so that it is not lost whatever happens meanwhile; the event counts
as settled once that is known. Should it be met twice, the newest state comes twice, never an older one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final

from connectors.values import PartyId
from routing.clock import Clock
from routing.deadletters import DeadLetter
from routing.event import Again, Event
from routing.policy import Outcome
from routing.worker.delivery import Broken, Delivery
from routing.worker.owned import Owned
from routing.worker.ports import Resolver
from routing.worker.reach import Reach
from routing.worker.settling import Settling
from routing.worker.tracker import Entry

PATIENCE: Final = 20.0
"""Seconds that an object may take to go out before the event that asks for it is settled; it may go out later yet."""

_ENDED: Final = frozenset((Outcome.DELIVERED, Outcome.REFUSED, Outcome.SUPERSEDED))

Redrive = Callable[[Event, Again], Awaitable[tuple[Outcome, str]]]
"""Has a module's letters sent again in a way of its own; says how that ended."""


class Agains:
    """`others` are modules whose letters are not sent as newest states, `broken` is told of a defect of the hub."""

    def __init__(
        self, *, reach: Reach, delivery: Delivery, resolver: Resolver, settling: Settling, clock: Clock,
        others: dict[str, Redrive], broken: Broken,
    ) -> None:  # fmt: skip
        self._reach = reach
        self._delivery = delivery
        self._resolver = resolver
        self._settling = settling
        self._clock = clock
        self._others = others
        self._broken = broken

    def let_in(self, owned: Owned, entry: Entry, event: Event) -> None:
        """Let the event in; how it ends is told beside everything else."""
        party, again = event.audience, event.again
        assert party is not None  # noqa: S101  # what makes it one of these
        assert again is not None  # noqa: S101  # as above
        entry.opened(party, "")
        entry.sealed = True
        self._settling.admitted(entry, self._clock.monotonic())
        self._delivery.store_soon(owned, self._serve(owned, entry, event, party, again))

    async def _serve(self, owned: Owned, entry: Entry, event: Event, party: PartyId, again: Again) -> None:
        other = self._others.get(event.module)
        try:
            if other is not None:
                outcome, detail = await other(event, again)
            else:
                outcome, detail = await self._newest(owned, event, party, again)
        except Exception as error:  # noqa: BLE001  # one event that breaks its handler must not stop the others
            self._broken(entry, party, error)
            return
        if owned.held:
            self._settling.end(entry, party, outcome, detail, 0.0)

    async def _newest(self, owned: Owned, event: Event, party: PartyId, again: Again) -> tuple[Outcome, str]:
        letters = self._reach.store.letters
        letter = await self._reach.until_there(partial(letters.read, again.letter))
        if letter is None or letter.version != again.version:
            return Outcome.SUPERSEDED, "the dead letter was dropped, or is another one now"
        outcome = None
        if self._resolver.reachable(letter.platform):
            sending = self._delivery.newest(event, owned.tp, letter.platform, party).done
            try:
                async with asyncio.timeout(PATIENCE):
                    outcome = await asyncio.shield(sending)
            except TimeoutError:
                outcome = None
        if not owned.held:
            return Outcome.UNKNOWN, ""
        if outcome in _ENDED:
            await self._reach.until_there(partial(letters.drop, letter.id, version=letter.version))
            return outcome, ""
        await self._reach.until_there(partial(letters.put, _given_up_again(letter, self._clock.utc())))
        return outcome or Outcome.NOT_SENT, "it was not taken: the dead letter stays"


def _given_up_again(letter: DeadLetter, now: int) -> DeadLetter:
    return replace(letter, at=now, version=letter.version + 1, redriven=None)
