"""Numbers that go up and down, read where they live at a scrape, and what several processes' become together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from hub.counts import Labels
from routing.directory import Directory, Status


class Together(StrEnum):
    """How one number is made of those of several processes."""

    SUM = "sum"
    """Each has a part of it."""
    WORST = "worst"
    """The one farthest from 0 is what matters."""
    SAME = "same"
    """All see the same, so the one that is asked tells."""


class Gauge(NamedTuple):
    """What is shown. `labels` are the names of its labels."""

    name: str
    help: str
    labels: Labels
    together: Together


Values = Mapping[Labels, float]
Read = Callable[[], Iterable[tuple[Labels, float]]]

PLATFORMS: Final = Gauge("ocpi_hub_platforms", "Platforms by connection status", ("status",), Together.SAME)
LANES: Final = Gauge("ocpi_hub_lane_depth", "Objects in a lane", ("platform", "state"), Together.SUM)
CONCURRENCY: Final = Gauge(
    "ocpi_hub_lane_concurrency", "Broadcasts that may be in flight towards a platform", ("platform",), Together.SUM
)
MARKS: Final = Gauge("ocpi_hub_marks", "Partitions marked for resync", ("platform",), Together.SUM)
CUSTODY: Final = Gauge(
    "ocpi_hub_custody",
    "CDRs that the hub took: waiting or attempting, parked without an outcome, given_up",
    ("held",),
    Together.SUM,
)
CUSTODY_OLDEST: Final = Gauge(
    "ocpi_hub_custody_oldest_seconds",
    "How long the oldest of them has been so; of several processes the worst",
    ("held",),
    Together.WORST,
)
BEHIND: Final = Gauge(
    "ocpi_hub_behind_seconds",
    "How long the record that a worker read last had been on the log; of several processes the worst",
    (),
    Together.WORST,
)
ARCHIVE_BEHIND: Final = Gauge(
    "ocpi_hub_archive_behind_seconds",
    "How long the record that an archiver read last had been on the log; of several processes the worst",
    (),
    Together.WORST,
)
UNSETTLED: Final = Gauge(
    "ocpi_hub_unsettled_seconds",
    "How long the oldest event that is read and not settled has been so; of several processes the worst",
    (),
    Together.WORST,
)
AWAY: Final = Gauge(
    "ocpi_hub_engine_away", "1 while a process cannot use its log or its store, else 0", ("engine",), Together.WORST
)
LAG: Final = Gauge(
    "ocpi_hub_event_loop_lag_seconds",
    "How late the event loop woke a timer, at the last look; of several processes the worst",
    (),
    Together.WORST,
)
SKEW: Final = Gauge(
    "ocpi_hub_clock_skew_seconds",
    "By how much the log's clock is at least ahead of this machine's (negative: behind); of several the worst",
    (),
    Together.WORST,
)
PROCESSES: Final = Gauge(
    "ocpi_hub_processes", "Processes of this machine that run together, by how far they are", ("phase",), Together.SUM
)
WORST_LAG: Final = Gauge(
    "ocpi_hub_event_loop_lag_worst_seconds", "The same, the worst since the start", (), Together.WORST
)


def platforms(directory: Directory) -> list[tuple[Labels, float]]:
    """How many platforms there are of each status, those at 0 too."""
    counts = dict.fromkeys(Status, 0)
    for platform in directory.platforms.values():
        if not platform.removed:
            counts[platform.status] += 1
    return [((str(status),), count) for status, count in counts.items()]


def together(how: Together, own: Values, others: Sequence[Values]) -> dict[Labels, float]:
    """One gauge over this process and those beside it."""
    found = dict(own)
    if how is Together.SAME and own:
        return found
    for values in others:
        for labels, value in values.items():
            known = found.get(labels)
            if known is None:
                found[labels] = value
            elif how is Together.SUM:
                found[labels] = known + value
            elif how is Together.WORST:
                found[labels] = max(known, value, key=abs)
    return found
