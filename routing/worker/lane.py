"""A lane: the ordered, bounded queue towards one platform inside one process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from routing.log.port import Position, TopicPartition
from routing.worker.slot import Directed, Slot, SlotKey


class Lane:
    """The slots of one platform. What is ready waits in two queues: pushes with a caller, and broadcasts."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.slots: dict[SlotKey, Slot] = {}
        self.ready: deque[Slot] = deque()
        self.ready_directed: deque[Slot] = deque()
        self.broadcasts = 0
        self.directed = 0
        self.waiting = 0
        self.in_line = False
        self._by_tp: dict[TopicPartition, dict[SlotKey, Slot]] = {}
        self.begun: dict[SlotKey, Position] = {}

    def add(self, slot: Slot) -> Slot:
        self.slots[slot.key] = slot
        self._by_tp.setdefault(slot.tp, {})[slot.key] = slot
        return slot

    def of(self, tp: TopicPartition) -> list[Slot]:
        return list(self._by_tp.get(tp, {}).values())

    def partitions(self) -> Iterator[TopicPartition]:
        return iter(list(self._by_tp))

    def drop(self, slot: Slot) -> None:
        """Forget a slot that holds nothing."""
        if self.slots.get(slot.key) is slot:
            del self.slots[slot.key]
            slots = self._by_tp[slot.tp]
            slots.pop(slot.key, None)
            if not slots:
                del self._by_tp[slot.tp]

    def enqueue(self, slot: Slot) -> None:
        """Let a slot that has something to do stand in line, once."""
        if slot.busy or slot.queued or slot.resting or not slot.queue:
            return
        slot.queued = True
        (self.ready_directed if isinstance(slot.queue[0], Directed) else self.ready).append(slot)

    def next_directed(self, most: int) -> Slot | None:
        return self._next(self.ready_directed, directed=True) if self.directed < most else None

    def next_broadcast(self, most: int) -> Slot | None:
        return self._next(self.ready, directed=False) if self.broadcasts < most else None

    def _next(self, ready: deque[Slot], *, directed: bool) -> Slot | None:
        while ready:
            slot = ready.popleft()
            slot.queued = False
            if slot.queue and not slot.busy and not slot.resting:
                if isinstance(slot.queue[0], Directed) is directed:
                    return slot
                self.enqueue(slot)  # what stood first has gone: it belongs in the other line
        return None

    def remember(self, key: SlotKey, position: Position, most: int = 10_000) -> None:
        """Keep what was begun while a mark stands, so that a catch-up sends nothing older."""
        self.begun[key] = max(position, self.begun.get(key, position))
        if len(self.begun) > most:
            del self.begun[next(iter(self.begun))]
