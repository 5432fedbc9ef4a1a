"""Taking over a partition: what the replay window leaves of each object and recipient is at most the newest state.

The window's broadcasts were folded in their slots while nothing was sent. Before anything is, each slot is settled
on what may still go: nothing older than a directed push that may have arrived, or than what the object's owner told the
hub meanwhile, and never several parts of one object, of which the former owner may have sent the later ones already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from routing.fold import Request, replaces_all
from routing.log.port import TopicPartition
from routing.state import ObjectState, StateKey, key_of, whole_for
from routing.worker.delivery import Delivery
from routing.worker.lane import Lane
from routing.worker.marking import lowest_of
from routing.worker.marks import Marks
from routing.worker.owned import Owned
from routing.worker.slot import Barrier, Directed, Slot, Wave
from routing.worker.states import States

_WHY = "a restart left parts of an object of which newer ones may have been sent, and its whole is not known"

Told = AbstractSet[str]
"""Names of objects whose owner told the hub more after some of what the window holds of them."""

_NOTHING: Told = frozenset()


@dataclass(slots=True)
class _Plan:
    """What is to become of one lane's waves: these are marked, those replaced by the whole object."""

    marked: list[tuple[Slot, Wave]] = field(default_factory=list)
    wholes: list[tuple[Wave, Request]] = field(default_factory=list)


def needs_store(owned: Owned, delivery: Delivery) -> bool:
    """Whether what the window left cannot be settled without the store."""
    told = _told(owned)
    return any(_is_open(slot, told) for lane in delivery.lanes.values() for slot in lane.of(owned.tp))


async def needs_store_in_turns(owned: Owned, delivery: Delivery) -> bool:
    """The same of a window that left much: lane by lane, and who has a caller waiting gets its turn in between.

    Nothing may be let in meanwhile.
    """
    told = _told(owned)
    for lane in list(delivery.lanes.values()):
        if slots := lane.of(owned.tp):
            if any(_is_open(slot, told) for slot in slots):
                return True
            await asyncio.sleep(0)
    return False


async def conclude(owned: Owned, delivery: Delivery, states: States, marks: Marks) -> None:
    """Turn the folded window of a partition into what is sent, and what becomes a mark; then let it go.

    Raises StoreAway, and then nothing has changed.
    """
    lanes, told = list(delivery.lanes.values()), _told(owned)
    parts = [slot for lane in lanes for slot in lane.of(owned.tp) if _in_parts(slot, told)]
    known = await states.read({key for slot in parts for key in _keys(slot)})
    plans = [(lane, _plan(owned.tp, lane, known, told)) for lane in lanes]
    for lane, plan in plans:
        lowest = lowest_of(plan.marked)
        if lowest is not None:
            await marks.cover(lane.platform, owned.tp, lowest, _WHY)
    if owned.held:
        for lane, plan in plans:
            _carry_out(owned, lane, plan, delivery)
        let_go(owned, delivery)


def let_go(owned: Owned, delivery: Delivery) -> None:
    """The window is settled: what waits of the partition may be sent."""
    for slot in (slot for lane in delivery.lanes.values() for slot in lane.of(owned.tp)):
        if not _is_one_wave(slot):
            slot.queue = [item for item in slot.queue if not isinstance(item, Barrier)]
    owned.replay = owned.window = None
    owned.placing = False
    owned.active = owned.held and not owned.leaving
    delivery.releasing.release(owned)


def _told(owned: Owned) -> Told:
    return owned.window.told if owned.window is not None else _NOTHING


def _plan(tp: TopicPartition, lane: Lane, known: Mapping[StateKey, ObjectState], told: Told) -> _Plan:
    plan = _Plan()
    for slot in lane.of(tp):
        behind = _before_barrier(slot)
        plan.marked += [(slot, wave) for wave in behind]
        everybody, mine = _keys(slot)
        for wave in _partial(slot, told, known.get(everybody)):
            if wave in behind:
                continue
            whole = None if _followed(slot, wave) else whole_for(known.get(everybody), known.get(mine))
            if whole is not None:
                plan.wholes.append((wave, whole))
            else:
                plan.marked.append((slot, wave))
    return plan


def _carry_out(owned: Owned, lane: Lane, plan: _Plan, delivery: Delivery) -> None:
    for wave, whole in plan.wholes:
        wave.requests = (whole,)
    for slot, wave in plan.marked:
        at = slot.queue.index(wave)
        for item in [item for item in slot.queue[at:] if isinstance(item, Directed)]:
            slot.queue.remove(item)
            delivery.give_up(item, owned, "what waits before it for this recipient cannot go first")
        del slot.queue[at]
    lane.waiting -= len(plan.marked)
    delivery.marking.end(plan.marked, _WHY)


def _is_open(slot: Slot, told: Told) -> bool:
    """Whether it cannot be settled without the store."""
    if _is_one_wave(slot):
        return _in_parts(slot, told)
    return bool(_before_barrier(slot)) or _in_parts(slot, told)


def _is_one_wave(slot: Slot) -> bool:
    """Nearly all are, and there are many: what is asked of the others costs ten times as much."""
    return len(slot.queue) == 1 and isinstance(slot.queue[0], Wave)


def _before_barrier(slot: Slot) -> list[Wave]:
    """The waves that stand before a directed push which may have arrived."""
    items = list(slot.queue)
    last = max((i for i, item in enumerate(items) if isinstance(item, Barrier)), default=-1)
    return [item for item in items[: last + 1] if isinstance(item, Wave)]


def _partial(slot: Slot, told: Told, state: ObjectState | None) -> Iterator[Wave]:
    """Those that may be less than what was sent of the object already."""
    for wave in (item for item in slot.queue if isinstance(item, Wave)):
        last = wave.requests[-1]
        older = state is None or not replaces_all(last) or last.position < state.position
        if len(wave.requests) > 1 or (slot.key.object in told and older):
            yield wave


def _in_parts(slot: Slot, told: Told) -> bool:
    if slot.key.object in told:
        return True
    return any(isinstance(item, Wave) and len(item.requests) > 1 for item in slot.queue)


def _followed(slot: Slot, wave: Wave) -> bool:
    items = list(slot.queue)
    return any(isinstance(item, Directed) for item in items[items.index(wave) + 1 :])


def _keys(slot: Slot) -> tuple[StateKey, StateKey]:
    return key_of(slot.event, None), key_of(slot.event, slot.key.recipient)
