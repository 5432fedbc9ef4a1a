"""Serving broadcasts: one wave of a slot at a time, again with the newest state if it fails, then the mark."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from connectors.errors import OcpiError
from connectors.values import PartyId
from routing import resync
from routing.clock import Clock
from routing.fold import Request, fold_all, replaces_all
from routing.outbound import Answered, speaker
from routing.policy import DeliverySettings, Outcome, ended, pause, retry_after
from routing.repeat import may_repeat, saw
from routing.state import key_of, whole_for
from routing.store.port import StoreAway
from routing.worker.asking import Asking
from routing.worker.lane import Lane
from routing.worker.marking import Ended
from routing.worker.marks import Marks
from routing.worker.ports import Push, Resolver, Sender
from routing.worker.slot import Slot, Wave
from routing.worker.states import States
from routing.worker.tracker import attempt
from routing.worker.turns import Turns

COMPOSED = "composed"
"""Marks, in the outcome record, a delivery whose body the hub put together by folding (P6)."""


class Waves:
    """`active` says whether a slot's partition is ours; `mark` takes a wave whose attempts are used up, `cover` one
    that was sent to a platform that lacks something before it."""

    def __init__(
        self,
        *,
        hub: PartyId,
        sender: Sender,
        resolver: Resolver,
        marks: Marks,
        states: States,
        asking: Asking,
        settings: DeliverySettings,
        clock: Clock,
        random: Random,
        ended: Ended,
        turns: Turns,
        active: Callable[[Slot], bool],
        permit: Callable[[Slot], Callable[[], bool]],
        mark: Callable[[Lane, Slot, Wave, str], None],
        cover: Callable[[Lane, Slot, Wave, str], None],
        store_away: Callable[[], bool],
    ) -> None:
        self._hub = hub
        self._sender = sender
        self._resolver = resolver
        self._marks = marks
        self._states = states
        self._asking = asking
        self._settings = settings
        self._clock = clock
        self._random = random
        self._ended = ended
        self._turns = turns
        self._active = active
        self._permit = permit
        self._mark = mark
        self._cover = cover
        self._store_away = store_away

    async def serve(self, lane: Lane, slot: Slot, wave: Wave) -> None:
        """Send what the wave asks for; it stands first in its slot, and leaves it when it has ended."""
        wave.frozen = True
        event, party = slot.event, slot.key.recipient
        started = self._clock.monotonic()
        composed = repaired = known = False
        lacks = wave.lacking or self._marks.reaches(lane.platform, slot.tp) is not None
        if lacks:
            # what its parts belong to may be lacking there, or what was marked between them
            known = await self._made_whole(slot, wave)
        known = known or (len(wave.requests) == 1 and _is_own(wave.requests[0]))
        wave.taken = wave.taken or not wave.requests  # a resync brought it
        while wave.requests:
            hosted = self._resolver.still(event, party, lane.platform)
            if hosted is None:
                return self.finish(lane, slot, wave, Outcome.SKIPPED, "not allowed or not there any more")
            request = wave.requests[0]
            begun = self._clock.utc()
            composed = composed or request.composed
            push = Push(
                hosted, speaker(hosted.platform, event.owner, self._hub), event.module, request.operation,
                event.path[:3] + request.path, event.query, request.body, wave.entries[-1].identity[1],
            )  # fmt: skip
            within = self._resolver.terms(party, event.module).attempt_seconds
            failure: Answered | OcpiError
            try:
                failure = await self._sender.push(push, within=within, permit=self._permit(slot))
            except OcpiError as error:
                failure = error.with_traceback(None)  # this frame, which it holds, holds it: garbage that waits long
            else:
                outcome = ended(failure)
                if outcome is not None and (outcome is Outcome.REFUSED or wave.attempts or wave.refused):
                    self._tried(wave, party, begun, failure)
                if outcome is Outcome.REFUSED:
                    if _unknown_there(failure) and not repaired and await self._made_whole(slot, wave):
                        repaired = known = True
                        continue
                    unknown = _unknown_there(failure) and not replaces_all(request)
                    if unknown and not repaired and await self._comes_whole(slot):
                        return self._cover(lane, slot, wave, "it does not know the object, and was sent a part")
                    # of the others it was not asked yet
                    wave.refused = {**wave.refused, request.position: str(failure.status_code)}
                    wave.requests = wave.requests[1:]
                    continue
                if outcome is not None:
                    wave.taken = True
                    if self._marks.reaches(lane.platform, slot.tp) is not None:
                        # a part says nothing of what was missed before it
                        lane.remember(slot, request.position, whole=known)
                    wave.requests = wave.requests[1:]
                    continue
            self._tried(wave, party, begun, failure)
            return self._failed(lane, slot, wave, failure)
        ms = (self._clock.monotonic() - started) * 1000
        if not wave.taken:
            return self.finish(lane, slot, wave, Outcome.REFUSED, [*wave.refused.values()][-1], ms)
        if lacks and not known:
            return self._cover(lane, slot, wave, "it may lack what a part that it was sent builds on")
        return self.finish(lane, slot, wave, Outcome.DELIVERED, COMPOSED if composed else "", ms)

    async def _made_whole(self, slot: Slot, wave: Wave) -> bool:
        """Let the whole object go in place of its parts, where it is known and nothing newer comes behind."""
        event, last = slot.event, wave.requests[-1] if wave.requests else None
        if last is None or (len(wave.requests) == 1 and _is_own(last)):
            return False
        keys = [key_of(event, to) for to in (None, slot.key.recipient)]
        try:
            known = await self._states.read(keys)
        except StoreAway:
            return False
        whole = whole_for(known.get(keys[0]), known.get(keys[1]))
        if whole is None or whole.position != last.position:
            return False
        wave.requests, wave.refused = (whole,), {}
        return True

    async def _comes_whole(self, slot: Slot) -> bool:
        """Whether a resync brings the whole object: it is known, if not as it was told here, or its owner is asked."""
        keys = [key_of(slot.event, to) for to in (None, slot.key.recipient)]
        try:
            known = await self._states.read(keys)
        except StoreAway:
            return False
        state = known.get(keys[0])
        if state is None or whole_for(state, known.get(keys[1])) is not None:
            return state is not None
        sought = resync.sought(state)
        if not state.parts or state.body is not None or not self._asking.may_tell(sought):
            return False
        self._asking.wants(sought)
        return True

    def finish(self, lane: Lane, slot: Slot, wave: Wave, outcome: Outcome, detail: str = "", ms: float = 0.0) -> None:
        """The newest entry of a wave ended so; those folded into it were superseded by it, or refused on their own."""
        del slot.queue[0]
        lane.waiting -= 1
        if outcome is Outcome.DELIVERED:
            lane.took = self._clock.monotonic()
        party, newest = slot.key.recipient, wave.entries[-1]
        older = (Outcome.SUPERSEDED, "") if outcome is Outcome.DELIVERED else (outcome, detail)
        for entry in wave.entries:
            how, why = (outcome, detail) if entry is newest else older
            if (code := wave.refused.get(entry.position)) is not None:
                how, why = Outcome.REFUSED, code
            self._ended(entry, party, how, why, ms if entry is newest else 0.0)

    def _tried(self, wave: Wave, party: PartyId, begun: int, failure: Answered | OcpiError) -> None:
        """Note an attempt for all that it was made for."""
        made = attempt(party, begun, failure, self._clock.utc())
        for entry in wave.entries:
            entry.tried(made)

    def _failed(self, lane: Lane, slot: Slot, wave: Wave, failure: Answered | OcpiError) -> None:
        if not self._active(slot):
            return  # it goes with the partition: the next owner sends the newest state
        wave.attempts += 1
        wave.frozen = False
        later = slot.queue[1] if len(slot.queue) > 1 else None
        if isinstance(later, Wave):
            # what failed is carried by what came meanwhile
            wave.requests = fold_all(wave.requests, later.requests)
            wave.entries += later.entries
            wave.lacking = wave.lacking or later.lacking
            del slot.queue[1]
            lane.waiting -= 1
        terms = self._resolver.terms(slot.key.recipient, slot.event.module)
        seen = saw(failure)
        again = all(may_repeat(request.operation, slot.event.module, seen) for request in wave.requests)
        if (wave.attempts >= terms.attempts or not again) and not self._store_away():
            self._mark(lane, slot, wave, f"{_why(failure)} (attempt {wave.attempts} of {terms.attempts}: {terms.by})")
            return
        # without a store to mark it in it is tried on
        most = self._settings.unsettled_most
        asked = retry_after(failure, self._clock.utc())
        delay = pause(terms, wave.attempts, asked, self._random.random(), most=most)
        if asked is not None:
            self._turns.rest(lane, min(asked, most))
        slot.resting = True
        asyncio.get_running_loop().call_later(delay, self._rested, lane, slot)

    def _rested(self, lane: Lane, slot: Slot) -> None:
        slot.resting = False
        self._turns.wake(lane, slot)


def _is_own(request: Request) -> bool:
    """Whether it is the whole object as its owner said it."""
    return replaces_all(request) and not request.composed


def _unknown_there(answered: Answered) -> bool:
    """Whether a recipient says that it does not know the object (OCPI 2.2.1, 4.1.6 and 5: 404, 2003)."""
    return answered.http_status == 404 or answered.status_code == 2003


def _why(failure: Answered | OcpiError) -> str:
    if isinstance(failure, OcpiError):
        return f"{failure.status_code} {failure.message}"
    return f"it answered HTTP {failure.http_status}, OCPI {failure.status_code}"
