"""The stories of cars that charge, told from the calls that make them up. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from connectors.sample.record import Call

_IDS = ("reference", "session", "callback")
_KEPT = 500
_LATER = ("STOP_SESSION", "completed", "CDR")  # than the updates of a session


@dataclass(slots=True)
class Story:
    """One car: how it began, where, and what happened since, in order; `done` once its CDR arrived."""

    number: int
    how: str
    place: str = ""
    steps: list[str] = field(default_factory=list)
    updates: int = 0
    kwh: str = ""
    done: bool = False

    def told(self) -> str:
        """All of it in one line."""
        steps = list(self.steps)
        if self.updates:
            at = next((at for at, step in enumerate(steps) if step.startswith(_LATER)), len(steps))
            steps.insert(at, f"{self.updates} update{'s'[: self.updates > 1]}, {_number(self.kwh):.1f} kWh")
        return f"#{self.number}{f' {self.place}' if self.place else ''}, {self.how}: {' > '.join(steps)}"


class Stories:
    """The newest stories, found by the ids that their calls carry."""

    def __init__(self) -> None:
        self.told: list[Story] = []
        self.finished = 0
        self._number = 0
        self._by: OrderedDict[str, Story] = OrderedDict()
        self._places: dict[str, str] = {}

    def hear(self, call: Call) -> Story | None:
        """The story that this call belongs to, told on by it; None where it is of none."""
        facts = call.facts
        if call.module == "locations":
            if "place" in facts:
                self._places[facts["id"]] = facts["place"]
            return None
        ids = [facts[name] for name in _IDS if name in facts]
        story = next((self._by[id] for id in ids if id in self._by), None)
        if story is None:
            story = self._begin(call)
        if story is None:
            return None
        for id in ids:
            self._by[id] = story
        while len(self._by) > _KEPT:
            self._by.popitem(last=False)
        for step in _steps(call, story):
            if step not in story.steps:
                story.steps.append(step)
        if call.module == "cdrs" and _well(call) and not story.done:
            story.done = True
            self.finished += 1
        return story

    def _begin(self, call: Call) -> Story | None:
        what, result = call.facts.get("what"), call.facts.get("result")
        if what == "authorize" and result == "ALLOWED":
            how = "plugged in"
        elif what == "START_SESSION" and result == "ACCEPTED":
            how = "by app"
        else:
            return None
        self._number += 1
        story = Story(self._number, how, self._places.get(call.facts.get("location", ""), ""))
        self.told = [*self.told[-99:], story]
        return story


def _steps(call: Call, story: Story) -> Iterator[str]:
    """What the call adds; each is told once, though both ends of a call are heard."""
    facts, made = call.facts, call.direction == "out"
    what, result = facts.get("what", ""), facts.get("result", "")
    if not _well(call):
        if made:
            yield f"{what} answered {call.ocpi_status or 'with nothing'}"
        return
    if what == "authorize":
        yield "authorised" if result == "ALLOWED" else f"authorize: {result}"
    elif call.module == "commands":
        what = "its result" if what.endswith(" result") else what
        yield what if result == "ACCEPTED" else f"{what}: {result}"
    elif call.module == "sessions":
        if call.method == "PUT":
            yield "session"
        elif result == "COMPLETED":
            yield "completed"
        elif made and call.method == "PATCH":
            story.updates += 1
        story.kwh = max(story.kwh, facts.get("kwh", ""), key=_number)
    elif call.module == "cdrs":
        yield f"CDR {_number(facts.get('cost', '')):.2f} {facts.get('currency', '')}".strip()


def _well(call: Call) -> bool:
    return call.ocpi_status is not None and 1000 <= call.ocpi_status < 2000


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0
