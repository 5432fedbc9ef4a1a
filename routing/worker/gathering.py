"""Gathering: broadcasts of a replay window are folded as they are read, and let into the slots once it was read whole.

Their states are written then, once an object, before anything of it goes to a slot. What a window holds is bounded
like everything else that is not delivered: beyond the bound its broadcasts become marks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from routing.clock import Clock
from routing.event import Event
from routing.fold import Request
from routing.log.port import Position
from routing.policy import DeliverySettings, Outcome
from routing.state import ObjectState, StateKey, after, key_of, needs_base
from routing.worker.aside import Aside
from routing.worker.marks import Marks
from routing.worker.owned import Item, Owned
from routing.worker.ports import Resolver
from routing.worker.settling import Settling
from routing.worker.states import States
from routing.worker.tracker import Entry
from routing.worker.window import Gathered, Place, Window

FanOut = Callable[[Entry, Event, tuple[Request, ...]], None]

_A_TURN: Final = 16
_WHY: Final = "more lay on the log than the hub may hold undelivered"


class Gathering:
    """One instance a worker. `fan_out` lets a broadcast into the slots of its recipients."""

    def __init__(
        self,
        *,
        states: States,
        marks: Marks,
        settling: Settling,
        aside: Aside,
        resolver: Resolver,
        clock: Clock,
        settings: DeliverySettings,
        fan_out: FanOut,
    ) -> None:
        self._states = states
        self._marks = marks
        self._settling = settling
        self._aside = aside
        self._resolver = resolver
        self._clock = clock
        self._settings = settings
        self._fan_out = fan_out

    # --- while it is read --------------------------------------------------------------------------------------------

    def at_once(self, owned: Owned, item: Item, event: Event) -> bool:
        """Let a broadcast into the window now; False where something must be read before, or enough is held."""
        if owned.window is None or self._settling.undelivered > self._settings.undelivered_bytes:
            return False
        before: ObjectState | None = None
        if needs_base(event):
            before = self._states.known(key_of(event, None))
            if before is None:
                return False
        state = next_state(before, event, item.entry.position)
        if state is not None:
            self._states.keep(owned.tp, state)
        self.let_in(owned, item.entry, event, state)
        return True

    def let_in(self, owned: Owned, entry: Entry, event: Event, kept: ObjectState | None = None) -> None:
        """Let a broadcast into the window, its state being `kept`. Raises what folding raises."""
        assert owned.window is not None  # noqa: S101  # whoever asks has looked
        gathered = owned.window.broadcast(entry, event)
        self._settling.admitted(entry, self._clock.monotonic())
        if gathered.fold is not None:
            kept = kept or self._states.known(key_of(event, None))
            whole = len(kept.body or b"") if kept is not None else 0
            self._settling.folded(gathered.fold.older[-1], entry, max(gathered.size, whole))

    # --- once it was read --------------------------------------------------------------------------------------------

    async def place(self, owned: Owned) -> None:
        """Write what is kept, then let everything into the slots, in order. Raises StoreAway, to be called again."""
        wrong = await self._states.write_kept(owned.tp)
        if owned.window is None or not owned.held:
            return
        owned.placing = True
        for taken, place in enumerate(owned.window.take(), 1):
            self._place(place, wrong)
            if taken % _A_TURN == 0:
                await asyncio.sleep(0)  # who has a caller waiting gets its turn
                if not owned.held or owned.leaving:
                    return

    def _place(self, place: Place, wrong: dict[StateKey, Exception]) -> None:
        for item in place:
            if not isinstance(item, Gathered):
                item.let_in()
                continue
            error = wrong.get(key_of(item.event, None))
            try:
                if error is not None:
                    raise error
                self._fan_out(item.entry, item.event, item.requests)
            except Exception as error:  # noqa: BLE001  # one event that breaks its handler must not stop the others
                self._set_aside(item, error)

    def _set_aside(self, gathered: Gathered, error: Exception) -> None:
        reason = f"its handling failed: {type(error).__name__}: {error}"
        for entry in gathered.apart():
            self._aside.put(entry.tp, entry.position, entry.key, reason, self._ending(entry, reason))

    def _ending(self, entry: Entry, reason: str) -> Callable[[], None]:
        return lambda: self._settling.end_all(entry, Outcome.POISON, reason)

    # --- where it holds too much -------------------------------------------------------------------------------------

    async def mark(self, owned: Owned) -> bool:
        """Cover the broadcasts of a window by marks of all recipients; whether there were any. Raises StoreAway."""
        if owned.window is None or owned.placing:
            return False
        owned.placing = True  # what comes meanwhile waits
        try:
            return await self._mark(owned, owned.window)
        finally:
            owned.placing = False

    async def _mark(self, owned: Owned, window: Window) -> bool:
        wrong = await self._states.write_kept(owned.tp)
        taken = window.take_broadcasts()
        told = [(item, self._resolver.broadcast(item.event)) for item in taken]
        lowest: dict[str, Position] = {}
        for item, recipients in told:
            for hosted in recipients:
                platform = hosted.platform.id
                lowest[platform] = min(item.entry.lowest, lowest.get(platform, item.entry.lowest))
        try:
            for platform, position in lowest.items():
                await self._marks.cover(platform, owned.tp, position, _WHY)
        except BaseException:
            window.put_back(taken)
            raise
        if not owned.held:
            return True
        for item, recipients in told:
            error = wrong.get(key_of(item.event, None))
            if error is not None:
                self._set_aside(item, error)
                continue
            for hosted in recipients:
                item.entry.opened(hosted.party.id, hosted.platform.id)
            item.entry.sealed = True
            for hosted in recipients:
                self._settling.end(item.entry, hosted.party.id, Outcome.MARKED, _WHY, 0.0)
            if not recipients:
                self._settling.close(item.entry)
        return bool(taken)


def next_state(before: ObjectState | None, event: Event, position: Position) -> ObjectState | None:
    """The state for everybody after a broadcast; None where what is known is as new."""
    if before is not None and before.position >= position:
        return None  # written by the owner before us, or by ourselves
    return after(before, event, position, audience=None, last_updated=event.last_updated)
