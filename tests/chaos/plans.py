"""The runs of `python -m tests.chaos`: the honest hub, and one for each switch that breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos import kinds
from tests.chaos.moods import ATTEMPT_SECONDS
from tests.switches import SWITCHES

_SHORT = {"HUB_DIRECTED_SECONDS": "5", "HUB_CONNECT_SECONDS": "1"}
"""A directed push waits no longer than this for its turn, and so no drain waits for it."""

_MOST_EACH = 3

_NARROW = {"HUB_LANE_MAX_WAITING": "10"}
"""The slow recipient's lane is full all the time."""


@dataclass(frozen=True, slots=True)
class Away:
    """So many objects, each changed in every round, in no less than these seconds."""

    objects: int
    rounds: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `bare` says that too much is marked, or too little unsettled, for the demands on an honest run."""

    name: str
    kills: int
    terms: int = 0
    switch: str | None = None
    settings: Mapping[str, str] = field(default_factory=lambda: _SHORT)
    bare: bool = False
    troubles: Mapping[str, int] = field(default_factory=dict)
    """Of a fleet: how much of each kind of trouble."""
    away: Away | None = None
    """Of a run with recipients that are away (away_run)."""

    @property
    def what(self) -> str:
        """Its name, and whether it is broken."""
        return f"{self.name}, broken on purpose" if self.switch else self.name


def honest(kills: int, terms: int) -> list[Plan]:
    """The hub as it is; once more, briefly, where full lanes make marks all the time."""
    return [
        Plan("the hub", kills, terms),
        Plan("the hub with full lanes", min(kills, 1), min(terms, 1), settings=_SHORT | _NARROW, bare=True),
    ]


def broken(switch: str) -> Plan:
    """The hub with this switch thrown, and as few kills as find it."""
    settings = {
        "full-lane-drops": _SHORT | _NARROW,
        # whoever waits for a directed push must still wait after the restart
        "replayed-directed-push-attempted": {},
    }
    kills = {"full-lane-drops": 1, "cdr-memory-off": 1, "no-fold-at-takeover": 5}
    return Plan(switch, kills.get(switch, 2), switch=switch, settings=settings.get(switch, _SHORT), bare=True)


def switches() -> list[Plan]:
    return [broken(switch) for switch in SWITCHES]


def fleets(each: int) -> list[Plan]:
    """Several edges and workers on Kafka and MongoDB, and so much of every kind of trouble.

    Every few of each meet a new fleet: a restart leaves a mark now and then, and what a mark covers is judged no more.
    """
    runs = max(1, -(-each // _MOST_EACH))
    counts = [each // runs + (number < each % runs) for number in range(runs)]
    return [
        Plan(f"fleet {number}" if runs > 1 else "a fleet", 0, troubles=dict.fromkeys(kinds.KINDS, count))
        for number, count in enumerate(counts, start=1)
    ]


def broken_fleet(switch: str) -> Plan:
    """A fleet with this switch thrown, and as little trouble as finds it."""
    needed = {
        "full-lane-drops": {kinds.KILL_EDGE: 1},
        "cdr-memory-off": {kinds.KILL_EDGE: 1},
        "no-fold-at-takeover": {kinds.KILL_WORKER: 5},
    }
    settings = {"full-lane-drops": _SHORT | _NARROW, "replayed-directed-push-attempted": {}}
    return Plan(
        f"a fleet, {switch}", 0, switch=switch, settings=settings.get(switch, _SHORT), bare=True,
        troubles=needed.get(switch, {kinds.KILL_WORKER: 2}),
    )  # fmt: skip


def broken_fleets() -> list[Plan]:
    return [broken_fleet(switch) for switch in SWITCHES]


# --- recipients that are away ----------------------------------------------------------------------------------------

_QUICK = _SHORT | {
    "HUB_BROADCAST_SECONDS": str(ATTEMPT_SECONDS),
    "HUB_UNSETTLED_SECONDS": "4",
    "HUB_PLATFORM_CALLS_PER_SECOND": "10000",
}
"""Who hangs is marked while a run waits for it; and who changes all that it has at once is not told to call less."""
_ENGINES = dict.fromkeys((kinds.KILL_EDGE, kinds.KILL_WORKER, kinds.KILL_BROKER, kinds.KILL_MONGOD), 1)


def away(*, long: bool) -> list[Plan]:
    """10,000 updates of 1,000 objects while recipients are away; `long`: for three minutes."""
    troubles = {kinds.KILL: 4, kinds.TERM: 2} if long else {kinds.KILL: 1, kinds.TERM: 1}
    return [_away("recipients away", troubles, Away(1000, 10, 180.0 if long else 0.0))]


def away_fleet(*, long: bool) -> list[Plan]:
    """The same of a fleet, an engine killed; less of it unless `long`."""
    count = Away(1000, 10, 180.0) if long else Away(300, 5)
    return [_away("recipients away, a fleet", _ENGINES, count)]


def broken_away(switch: str) -> Plan:
    return _away(switch, {}, Away(100, 3), switch=switch)


def _away(name: str, troubles: Mapping[str, int], count: Away, *, switch: str | None = None) -> Plan:
    return Plan(name, 0, switch=switch, settings=_QUICK, bare=True, troubles=troubles, away=count)
