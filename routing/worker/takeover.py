"""Taking over a partition: what the replay window leaves of each object and recipient is at most the newest state.

The window's broadcasts were folded in their slots while nothing was sent. Before anything is, each slot is settled
on what may still go: nothing older than a directed push that may have arrived, and never several parts of one
object, of which the former owner may have sent the later ones already.
"""

from __future__ import annotations

from routing.log.port import TopicPartition
from routing.state import ObjectState, StateKey, key_of, whole_for
from routing.worker.delivery import Delivery
from routing.worker.lane import Lane
from routing.worker.owned import Owned
from routing.worker.slot import Barrier, Directed, Slot, Wave
from routing.worker.states import States


async def conclude(owned: Owned, delivery: Delivery, states: States) -> None:
    """Turn the folded window of a partition into what is sent, and what becomes a mark; then let it go."""
    parts = [slot for lane in delivery.lanes.values() for slot in lane.of(owned.tp) if _in_parts(slot)]
    known = await states.read({key for slot in parts for key in _keys(slot)})
    for lane in list(delivery.lanes.values()):
        await _conclude_lane(owned.tp, lane, delivery, known)
    owned.replay = None
    owned.active = owned.held
    delivery.release(owned)


async def _conclude_lane(
    tp: TopicPartition, lane: Lane, delivery: Delivery, known: dict[StateKey, ObjectState]
) -> None:
    marked: list[tuple[Slot, Wave]] = []
    for slot in lane.of(tp):
        behind = _before_barrier(slot)
        for wave in behind:
            slot.queue.remove(wave)
        slot.queue = [item for item in slot.queue if not isinstance(item, Barrier)]
        marked += [(slot, wave) for wave in behind]
        for wave in [item for item in slot.queue if isinstance(item, Wave) and len(item.requests) > 1]:
            everybody, mine = _keys(slot)
            whole = None if _followed(slot, wave) else whole_for(known.get(everybody), known.get(mine))
            if whole is not None:
                wave.requests = (whole,)
            else:
                slot.queue.remove(wave)
                marked.append((slot, wave))
    lane.waiting -= len(marked)
    await delivery.cover(lane, tp, marked, "a restart left several parts of an object, and its whole is not known")


def _before_barrier(slot: Slot) -> list[Wave]:
    """The waves that stand before a directed push which may have arrived."""
    items = list(slot.queue)
    last = max((i for i, item in enumerate(items) if isinstance(item, Barrier)), default=-1)
    return [item for item in items[: last + 1] if isinstance(item, Wave)]


def _in_parts(slot: Slot) -> bool:
    return any(isinstance(item, Wave) and len(item.requests) > 1 for item in slot.queue)


def _followed(slot: Slot, wave: Wave) -> bool:
    items = list(slot.queue)
    return any(isinstance(item, Directed) for item in items[items.index(wave) + 1 :])


def _keys(slot: Slot) -> tuple[StateKey, StateKey]:
    return key_of(slot.event, None), key_of(slot.event, slot.key.recipient)
