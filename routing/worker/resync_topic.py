"""What one platform lacks of one topic is sent to it: newest first, a few objects at a time, each through its slot."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from connectors.errors import NotConnected
from connectors.values import PartyId
from routing import asked, letters
from routing.clock import Clock
from routing.deadletters import Reason
from routing.directory import Hosted
from routing.event import key
from routing.log.port import Log, Position, TopicPartition, partition_of
from routing.policy import DeliverySettings, Outcome
from routing.resync import correlation_id, event_of
from routing.state import ObjectState
from routing.store.port import MarkKey, StoreAway
from routing.worker.delivery import Delivery
from routing.worker.marks import Marks
from routing.worker.outcomes import Outcomes
from routing.worker.owned import Owned
from routing.worker.ports import Observer, Resolver
from routing.worker.reach import Reach
from routing.worker.resynced import Resynced, record
from routing.worker.slot import Newest
from routing.worker.stubborn import Stubborn, What
from routing.worker.unfinished import lowest_part

_BATCH: Final = 100
_TOLD_EVERY: Final = 1.0
_LOOK_EVERY: Final = 0.25
_UNWELL: Final = 3
"""So many objects in a row that a platform does not take: it is not the objects."""

Lacking = Iterator[tuple[ObjectState, TopicPartition, Hosted]]


class Ended(Exception):  # nobody's fault
    """For now: the platform cannot be reached, or the mark is somebody else's."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a resync works with. `owned` is the worker's own, `holds` says whether the group counts on it still."""

    log: Log
    reach: Reach
    marks: Marks
    delivery: Delivery
    resolver: Resolver
    owned: Mapping[TopicPartition, Owned]
    holds: Callable[[], bool]
    outcomes: Outcomes
    observer: Observer
    clock: Clock
    settings: DeliverySettings
    stubborn: Stubborn

    def may(self, tp: TopicPartition) -> bool:
        """Whether marks of this partition may be worked off here and now."""
        owned = self.owned.get(tp)
        return owned is not None and owned.active and not owned.leaving and self.holds()


class TopicResync:
    """One run. `tps` are partitions of one topic in which the platform is marked, or this one party of it."""

    def __init__(
        self, around: Around, platform: str, tps: Sequence[TopicPartition], party: PartyId | None = None
    ) -> None:
        self._around = around
        self._platform = platform
        self._party = party
        self._tps = tuple(tps)
        self._sent: Counter[TopicPartition] = Counter()
        self._topic = tps[0].topic
        self._module = module_of(tps[0])
        self._told = around.clock.monotonic()
        self._in_a_row = 0
        self._owned: dict[TopicPartition, Owned] = {}
        self._ends = False
        self._whole = True

    async def work_off(self) -> bool:
        """Whether nothing was left. Raises Ended, StoreAway."""
        since, before = await self._begin()
        store = self._around.reach.store
        while since < before:
            listed = partial(store.list_changed, self._module, since=since, before=before, limit=_BATCH)
            states = await self._around.reach.once(listed)
            if not states:
                break
            await self._send(self._lacking(states))
            before = states[-1].position
            await self._tell(before)
        if not self._around.resolver.may_have(self._platform, self._party):
            raise Ended
        await self._around.outcomes.flush()
        for tp in self._tps:
            await self._gone_out(tp)
        for tp in self._tps:
            await self._finish(tp)
        return self._whole

    async def _finish(self, tp: TopicPartition) -> None:
        marks, key = self._around.marks, self._key(tp)
        mark = marks.get(key)
        if mark is None or mark.upper is None or not self._may(tp):
            raise Ended
        sent = self._sent.pop(tp, 0)
        lane = self._around.delivery.lanes.get(self._platform)
        if (part := lowest_part(mark, self._owned[tp], lane, self._around.resolver)) is not None:
            # it came while what was read before went out; looked at again soon, when most often it has been sent
            if not await marks.left(key, part):
                raise Ended
            mark = replace(mark, beside=part)
        if mark.party is not None and mark.beside is None:
            ended = partial(asked.ended, self._around.reach.store, mark, mark.sent + sent)
            await self._around.reach.once(ended)
        if not self._may(tp) or not await marks.finish(key, sent):
            raise Ended
        if (lane := self._around.delivery.lanes.get(self._platform)) is not None:
            lane.lacks_below(tp, self._owned[tp].tracker.read_to)
        if self._party is None:
            for _ in self._around.resolver.left_out(self._platform):
                self._around.observer.resynced(self._module, Outcome.SKIPPED)

    async def _gone_out(self, tp: TopicPartition) -> None:
        """What was read by now has ended here: it goes out whole only while the mark is there, and who owns the
        partition next, and reads it again, would know nothing of that."""
        tracker = self._owned[tp].tracker
        to = tracker.read_to
        while tracker.waits_for(self._platform, to):
            if not self._may(tp):
                raise Ended
            await asyncio.sleep(_LOOK_EVERY)

    def _may(self, tp: TopicPartition) -> bool:
        """Whether it is ours as it was when this run began: lost and back again, its mark is another's work."""
        return self._around.owned.get(tp) is self._owned.get(tp) and self._around.may(tp)

    def _key(self, tp: TopicPartition) -> MarkKey:
        return MarkKey(self._platform, tp, self._party)

    async def _begin(self) -> tuple[Position, Position]:
        """Between which positions it is to be looked, all partitions together."""
        marks = self._around.marks
        for tp in self._tps:
            if not self._around.may(tp):
                raise Ended
            self._owned[tp] = self._around.owned[tp]
            if not await marks.begin(self._key(tp), self._around.owned[tp].tracker.read_to):
                raise Ended
        found = [mark for tp in self._tps if (mark := marks.get(self._key(tp))) is not None]
        if not found:
            raise Ended
        if self._party is not None:
            self._around.delivery.again(self._platform, self._party, {mark.tp: mark.asked for mark in found})
        before = max(mark.done or mark.upper or mark.position for mark in found)
        return min(mark.position for mark in found), before

    def _lacking(self, states: Sequence[ObjectState]) -> Lacking:
        around = self._around
        for state in states:
            owner, module, object_id, _, _ = state.key
            tp = TopicPartition(self._topic, partition_of(key(owner, module, object_id), around.log.partitions))
            mark = around.marks.get(self._key(tp)) if tp in self._tps else None
            if mark is not None and mark.lacks(state.position):
                for hosted in around.resolver.resynced(self._platform, owner, module):
                    if self._party in (None, hosted.party.id):
                        yield state, tp, hosted

    async def _send(self, lacking: Lacking) -> None:
        """All of these; raises Ended once the platform takes nothing any more."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._around.settings.resync_at_once):
                group.create_task(self._some(lacking))
        if self._ends:
            raise Ended

    async def _some(self, lacking: Lacking) -> None:
        for state, tp, hosted in lacking:
            outcome = await self._one(state, tp, hosted)
            self._in_a_row = 0 if outcome is not None else self._in_a_row + 1
            if outcome is not None and outcome is not Outcome.UNKNOWN:
                self._around.observer.resynced(self._module, outcome)
                self._count(tp, outcome)
            elif not await self._left(tp, state.position) or self._in_a_row >= _UNWELL:
                self._ends = True
            if self._ends:
                return

    async def _one(self, state: ObjectState, tp: TopicPartition, hosted: Hosted) -> Outcome | None:
        settings, around = self._around.settings, self._around
        made: list[Newest] = []
        outcome: Outcome | None = None
        begun = around.clock.utc()
        for number in range(settings.resync_attempts):
            if number:
                await asyncio.sleep(settings.resync_pause * 2 ** (number - 1))
            if self._ends or not self._may(tp):
                break
            item = around.delivery.newest(event_of(state, tp), tp, self._platform, hosted.party.id)
            made.append(item)
            outcome = await item.done
            if outcome is not None:
                break
        if outcome is None and await self._gives_up(state, tp, hosted, made):
            outcome = Outcome.DEAD_LETTER
        elif outcome is not None:
            around.stubborn.over(What(state.key, hosted.party.id))
        self._say(tp, hosted, made, outcome or Outcome.MARKED, begun)
        return outcome

    async def _gives_up(self, state: ObjectState, tp: TopicPartition, hosted: Hosted, made: Sequence[Newest]) -> bool:
        """Whether it was a round too many: then it is a dead letter, and that is durable."""
        around, party = self._around, hosted.party.id
        what, lane = What(state.key, party), around.delivery.lanes.get(self._platform)
        made_it = [one for item in made for one in item.attempts if one[3] != NotConnected.status_code]
        took = lane.took if lane is not None else None
        tried = around.stubborn.failed(what, made_it, now=around.clock.monotonic(), took=took)
        if tried is None:
            return False
        letter = letters.of_state(state, event_of(state, tp), tp, party, self._platform, tried, around.clock.utc())
        kept = around.reach.store.letters
        try:
            known = await around.reach.once(partial(kept.read, letter.id))
            if known is not None:
                letter = replace(letter, version=known.version + 1)
            await around.reach.once(partial(kept.put, letter))
        except StoreAway as error:
            around.reach.missed(error)
            return False
        around.stubborn.over(what)
        around.observer.dead_letter(Reason.RESYNC)
        around.observer.trouble(letters.sentence(letter))
        return True

    def _say(self, tp: TopicPartition, hosted: Hosted, made: Sequence[Newest], outcome: Outcome, begun: int) -> None:
        """It was an exchange, where any request was made."""
        mark = self._around.marks.get(self._key(tp))
        sent = [item for item in made if item.attempts]
        if sent and mark is not None:
            last = sent[-1]
            position = last.position or mark.position
            event = replace(last.event, correlation_id=correlation_id(tp, position))
            self._around.outcomes.tell(
                record(
                    Resynced(
                        event, tp, mark.began, position, hosted.party.id, last.method, begun, outcome,
                        tuple(one for item in sent for one in item.attempts), asked=mark.party is not None,
                    )
                )
            )  # fmt: skip

    def _count(self, tp: TopicPartition, outcome: Outcome) -> None:
        """An object more that was brought: what is only looked at again, because others were left, is none."""
        mark = self._around.marks.get(self._key(tp))
        if mark is not None and (mark.since == mark.asked or outcome in (Outcome.DELIVERED, Outcome.REFUSED)):
            self._sent[tp] += 1

    async def _left(self, tp: TopicPartition, position: Position) -> bool:
        """It was not taken, or only its owner knows what it should be there: the mark goes on to cover it."""
        self._whole = False
        try:
            return await self._around.marks.left(self._key(tp), position)
        except StoreAway as error:
            self._around.reach.missed(error)
            return False

    async def _tell(self, done: Position) -> None:
        """Keep how far it came, now and then."""
        now = self._around.clock.monotonic()
        if now < self._told + _TOLD_EVERY:
            return
        self._told = now
        await self._around.outcomes.flush()
        for tp in self._tps:
            sent = self._sent.pop(tp, 0)
            if not self._may(tp) or not await self._around.marks.progress(self._key(tp), done, sent):
                raise Ended


def module_of(tp: TopicPartition) -> str:
    return tp.topic.removeprefix("ocpi.")
