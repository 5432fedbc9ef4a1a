"""A lane: the ordered, bounded queue towards one platform inside one process."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping

from connectors.values import PartyId
from routing.log.port import Position, TopicPartition
from routing.worker.slot import Line, Slot, SlotKey, Wave, module_in


class Shares:
    """A line in which the owners of the objects take turns: one that pushes thousands leaves the others theirs."""

    def __init__(self) -> None:
        self._by_owner: dict[PartyId, deque[Slot]] = {}

    def append(self, slot: Slot) -> None:
        self._by_owner.setdefault(slot.event.owner, deque()).append(slot)

    def popleft(self) -> Slot:
        """The next of the owner whose turn it is. Raises StopIteration where nobody stands in line."""
        owner = next(iter(self._by_owner))
        slots = self._by_owner.pop(owner)
        slot = slots.popleft()
        if slots:
            self._by_owner[owner] = slots
        return slot

    def __bool__(self) -> bool:
        return bool(self._by_owner)


class Lane:
    """The slots of one platform. What is ready stands in one of two lines: with a caller waiting, and broadcasts.

    `in_line`: its turn will come. `paced`: a timer will wake it, when the platform's rate allows another request.
    `rests`: so many answers of the platform asked for a pause that is not over.
    `took` is when the platform answered last that it took something (monotonic clock).
    """

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.slots: dict[SlotKey, Slot] = {}
        self.ready: dict[Line, Shares] = {line: Shares() for line in Line}
        self.begun_now: dict[Line, int] = dict.fromkeys(Line, 0)
        self.waiting = 0
        self.took: float | None = None
        self.in_line = False
        self.paced = False
        self.rests = 0
        self._by_tp: dict[TopicPartition, dict[SlotKey, Slot]] = {}
        self.begun: dict[SlotKey, Position] = {}
        self._whole: dict[SlotKey, tuple[int, Position]] = {}
        self._losses: Counter[TopicPartition] = Counter()
        self.lacking: dict[TopicPartition, Position] = {}
        self._asked: dict[tuple[PartyId, TopicPartition], int] = {}

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

    def lacks_below(self, tp: TopicPartition, position: Position) -> None:
        """A mark of this partition has ended: a part that waits, or was read below `position` and is not let in yet,
        may build on what the mark covered: a resync leaves out an object whose newest state is that part."""
        self.lacking[tp] = position
        for slot in self.of(tp):
            for item in slot.queue:
                if isinstance(item, Wave):
                    item.lacking = True

    def enqueue(self, slot: Slot) -> None:
        """Let a slot that has something to do stand in line; one that became urgent changes its line."""
        if slot.busy or slot.resting or not slot.queue or slot.line is Line.URGENT:
            return
        line = Line.URGENT if slot.urgent else Line.BROADCASTS
        if slot.line is not line:
            slot.line = line
            self.ready[line].append(slot)

    def next(self, line: Line, most: int) -> Slot | None:
        """Take the slot whose turn it is in this line, if fewer than `most` of it are in flight."""
        ready = self.ready[line]
        while ready and self.begun_now[line] < most:
            slot = ready.popleft()
            if slot.line is not line:
                continue  # it changed its line
            slot.line = None
            if slot.queue and not slot.busy and not slot.resting:
                if slot.urgent is (line is Line.URGENT):
                    return slot
                self.enqueue(slot)  # who waited has gone
        return None

    def remember(self, slot: Slot, position: Position, *, whole: bool = False, most: int = 10_000) -> None:
        """Keep what was begun while a mark stands, so that a catch-up sends nothing older.

        `whole`: with it everything older has arrived.
        """
        key = slot.key
        self.begun[key] = max(position, self.begun.get(key, position))
        if len(self.begun) > most:
            del self.begun[next(iter(self.begun))]
        if whole:
            before = self.whole(slot.tp, key)
            self._whole[key] = self._losses[slot.tp], position if before is None else max(position, before)
            if len(self._whole) > most:
                del self._whole[next(iter(self._whole))]

    def whole(self, tp: TopicPartition, key: SlotKey) -> Position | None:
        """Up to where everything of an object of this partition has arrived, as far as is known."""
        losses, position = self._whole.get(key, (0, None))
        return position if losses == self._losses[tp] else None

    def lose(self, tp: TopicPartition) -> None:
        """A partition is ours no more. Its next owner may send what arrived here once more, and be cut off in it: of
        what stands there then nothing is known, however soon the partition is back."""
        self.lacking.pop(tp, None)
        self._losses[tp] += 1

    def send_again(self, party: PartyId, asked: Mapping[TopicPartition, int]) -> None:
        """Forget what of these partitions has arrived at this party, once for each time that it was `asked` for.

        What is sent after that is kept as ever: it is sent once.
        """
        fresh = {(party, tp): at for tp, at in asked.items() if self._asked.get((party, tp)) != at}
        if fresh:
            self._asked.update(fresh)
            modules = {tp.topic.removeprefix("ocpi.") for _, tp in fresh}
            for key in [key for key in self._whole if key.recipient == party and module_in(key.object) in modules]:
                del self._whole[key]
