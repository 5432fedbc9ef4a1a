"""Who reads what of a log inside one process: a consumer group, its members, and how partitions change hands.

The engines that live in one process share this. Everything runs in the event loop; only `owns` may be asked from
another thread. A partition has at most one owner; a generation that grows with every change of owner is what makes a
late commit recognisable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from routing.log.port import TopicPartition


@dataclass(slots=True, eq=False)
class Seat:
    """A member's place in its group. `wake` is called when what it should hold may have changed."""

    member: str
    topics: tuple[str, ...]
    wake: Callable[[], None]


@dataclass(slots=True)
class Group:
    """The seats of one group and the owner of each partition.

    Partitions are dealt to the members in the order of their names, so the same members always come to the same
    deal. A partition goes to its new owner only when the old one gave it up or is gone.
    """

    name: str
    partitions: int
    _seats: dict[str, Seat] = field(default_factory=dict)
    _owners: dict[TopicPartition, Seat] = field(default_factory=dict)
    _generations: dict[TopicPartition, int] = field(default_factory=dict)
    _target: dict[TopicPartition, Seat] = field(default_factory=dict)
    _bounced: dict[TopicPartition, None] = field(default_factory=dict)
    _turn: int = 0

    def join(self, seat: Seat) -> None:
        """Raises ValueError when a member of this name is there already."""
        if seat.member in self._seats:
            raise ValueError(f"group {self.name} has a member {seat.member} already")
        self._seats[seat.member] = seat
        self._deal()

    def leave(self, seat: Seat) -> list[TopicPartition]:
        """Take the seat and all it holds away, at once; returns what it held."""
        held = self.held(seat)
        if self._seats.get(seat.member) is seat:
            del self._seats[seat.member]
        self._free(held)
        self._deal()
        return held

    def rebalance(self) -> None:
        """Deal anew in another order, and make every owner give up what it holds, even if it gets it back."""
        self._turn += 1
        self._bounced = dict.fromkeys(self._owners)
        self._deal()

    def held(self, seat: Seat) -> list[TopicPartition]:
        return [tp for tp, owner in self._owners.items() if owner is seat]

    def owns(self, seat: Seat, tp: TopicPartition) -> bool:
        return self._owners.get(tp) is seat

    def generation(self, tp: TopicPartition) -> int:
        return self._generations.get(tp, 0)

    def to_give_up(self, seat: Seat) -> list[TopicPartition]:
        """What the seat holds and should not keep."""
        return [tp for tp in self.held(seat) if self._target.get(tp) is not seat or tp in self._bounced]

    def to_take(self, seat: Seat) -> list[TopicPartition]:
        """What the seat should hold and nobody holds."""
        return [tp for tp, target in self._target.items() if target is seat and tp not in self._owners]

    def take(self, seat: Seat, tps: Sequence[TopicPartition]) -> None:
        for tp in tps:
            self._owners[tp] = seat
            self._generations[tp] = self.generation(tp) + 1

    def give_up(self, seat: Seat, tps: Sequence[TopicPartition]) -> None:
        self._free([tp for tp in tps if self.owns(seat, tp)])
        self._wake()

    def _free(self, tps: Sequence[TopicPartition]) -> None:
        for tp in tps:
            del self._owners[tp]
            self._generations[tp] = self.generation(tp) + 1
            self._bounced.pop(tp, None)

    def _deal(self) -> None:
        seats = [self._seats[member] for member in sorted(self._seats)]
        self._target = {}
        for number, topic in enumerate(sorted({topic for seat in seats for topic in seat.topics})):
            readers = [seat for seat in seats if topic in seat.topics]
            for partition in range(self.partitions):
                seat = readers[(partition + number + self._turn) % len(readers)]
                self._target[TopicPartition(topic, partition)] = seat
        self._wake()

    def _wake(self) -> None:
        for seat in self._seats.values():
            seat.wake()
