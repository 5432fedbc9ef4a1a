"""The replay window of a partition while it is read: its broadcasts, folded once an object and not once a recipient.

Nothing of a window is sent before all of it was read (takeover), so whoever gets an object in the end gets at most its
newest state. To fold it for everybody at once, and to let it into the recipients' slots then, is what makes a long
backlog short. A directed push keeps its place among the broadcasts of its object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from routing.event import Event
from routing.fold import Request, fold, request_of
from routing.worker.slot import object_name
from routing.worker.tracker import Entry, Fold


class Gathered:
    """Broadcasts of one object that follow one another and go to the same recipients; `event` is the newest of them.

    `requests` are what all of them together ask for.
    """

    __slots__ = ("entry", "event", "fold", "requests")

    def __init__(self, entry: Entry, event: Event) -> None:
        self.entry = entry
        self.event = event
        self.fold: Fold | None = None
        self.requests: tuple[Request, ...] = (request_of(event, entry.position),)

    def takes(self, event: Event) -> bool:
        """Whether it goes to the same recipients, whoever they are."""
        mine = self.event
        same = event.platform == mine.platform and event.sender == mine.sender
        return same and event.sender_role is mine.sender_role

    def add(self, entry: Entry, event: Event) -> None:
        """Raises what folding raises, and then nothing has changed."""
        self.requests = fold(self.requests, request_of(event, entry.position))
        if self.fold is None:
            self.fold = Fold(self.entry)
        self.fold.add(entry)
        self.entry, self.event = entry, event

    @property
    def size(self) -> int:
        """The bytes of its bodies."""
        return sum([len(request.body) for request in self.requests])

    def apart(self) -> list[Entry]:
        """Its entries, each for itself from now on."""
        entries = [self.entry] if self.fold is None else [*self.fold.older, self.entry]
        for entry in entries:
            entry.fold = None
        return entries


@dataclass(frozen=True, slots=True)
class Directed:
    """A directed push, and how it is let in when its turn comes."""

    event: Event
    let_in: Callable[[], None]


Place = list[Gathered | Directed]


class Window:
    """What was read of one partition's window, object by object. `told` are the names of those objects whose owner told
    the hub more after some of it: the former owner may have sent that already, so nothing older may go any more."""

    def __init__(self) -> None:
        self._objects: dict[str, Place] = {}
        self.told: set[str] = set()

    def __len__(self) -> int:
        """How many objects."""
        return len(self._objects)

    def broadcast(self, entry: Entry, event: Event) -> Gathered:
        """Let a broadcast in; what it is part of now. Raises what folding raises, and then it is not in."""
        name = object_name(event)
        place = self._objects.get(name)
        if place is None:
            place = self._objects[name] = []
        elif isinstance(last := place[-1], Gathered) and last.takes(event):
            last.add(entry, event)
            return last
        made = Gathered(entry, event)
        place.append(made)
        return made

    def directed(self, event: Event, let_in: Callable[[], None]) -> bool:
        """Keep a directed push in its place, if there is anything of its object before it."""
        place = self._objects.get(object_name(event))
        if place is None:
            return False
        place.append(Directed(event, let_in))
        return True

    def read(self, event: Event) -> None:
        """What the owner of an object was found to have is its newest state here."""
        if (name := object_name(event)) in self._objects:
            self.told.add(name)

    def take(self) -> list[Place]:
        """Everything, each object's in order; the window is empty then."""
        objects, self._objects = self._objects, {}
        return list(objects.values())

    def take_broadcasts(self) -> list[Gathered]:
        """All of those objects that no directed push waits for; the others stay."""
        taken = {
            name: place for name, place in self._objects.items()
            if not any(isinstance(item, Directed) for item in place)
        }  # fmt: skip
        for name in taken:
            del self._objects[name]
        return [item for place in taken.values() for item in place if isinstance(item, Gathered)]

    def put_back(self, gathered: list[Gathered]) -> None:
        """What was taken and could not be dealt with; nothing came in meanwhile."""
        for item in gathered:
            self._objects.setdefault(object_name(item.event), []).append(item)
