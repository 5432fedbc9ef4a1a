"""Every metric of the hub in one place, in Prometheus' terms. Label sets stay bounded whatever callers send.

What every call is counted by is in call_metrics.py, because it is the hot path. Of several processes on one machine
any is asked for all: their counts are summed (counts_file.py), their gauges put together (gauges.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hub import call_metrics, gauges
from hub.call_metrics import CallMetrics, bounded_module
from hub.counts import Counter, Counts, Family, Key, Labels, OwnCounts, cumulative
from hub.gauges import Gauge, Read, Values, together
from routing.deadletters import Reason
from routing.directory import Directory
from routing.policy import Outcome

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

LAG_SECONDS: Final = 0.5

DELIVERIES: Final = Family("ocpi_hub_deliveries", "Events settled for a recipient, by outcome", ("module", "outcome"))
FINDINGS: Final = Family("ocpi_hub_findings", "What was off in bodies that were judged", ("module", "kind"))
DROPPED: Final = Family("ocpi_hub_exchanges_dropped", "Relays whose record did not fit the buffer", ())
RESTARTS: Final = Family(
    "ocpi_hub_process_restarts", "Processes that ended though nobody asked them to, and were started again", ()
)
RESYNCED: Final = Family(
    "ocpi_hub_resynced", "Objects that a platform may have missed, by how bringing them ended", ("module", "outcome")
)
ASIDE: Final = Family("ocpi_hub_records_set_aside", "Records of the log that could not be handled", ("topic",))
LETTERS: Final = Family("ocpi_hub_dead_letters", "What the hub gave up on for a recipient, by why", ("reason",))
FAMILIES: Final = (
    call_metrics.CALLS,
    call_metrics.WHOLE,
    call_metrics.OWN,
    DELIVERIES,
    FINDINGS,
    DROPPED,
    RESTARTS,
    ASIDE,
    RESYNCED,
    LETTERS,
)
"""Everything that is counted, in the order of the page."""

_OUTCOMES: Final = frozenset(Outcome)


class LaneDepth(NamedTuple):
    """What one lane holds at the moment of a scrape."""

    platform: str
    waiting: int
    in_flight: int


class Metrics:
    """The metrics of one process. Make one, hand it round, and give `page()` to who scrapes.

    `counts` are where the numbers stand that only grow, its own if left out.
    """

    def __init__(self, counts: Counts | None = None) -> None:
        counts = counts or OwnCounts()
        self.registry = CollectorRegistry()
        self.others: Callable[[], Sequence[Mapping[str, Values]]] = tuple
        """Gives the gauges of the processes beside this one, each by name."""
        self._gauges: dict[Gauge, Read] = {}
        self._calls = CallMetrics(counts)
        self._deliveries = Counter(counts, DELIVERIES)
        self._findings = Counter(counts, FINDINGS)
        self._dropped = Counter(counts, DROPPED)
        self._aside = Counter(counts, ASIDE)
        self._resynced = Counter(counts, RESYNCED)
        self._letters = Counter(counts, LETTERS)
        self._dropped.add(by=0)
        for reason in Reason:
            self._letters.add(reason.value, by=0)  # an alert on its growth needs where it began
        self._lag = self._worst = 0.0
        self.gauge(gauges.LAG, lambda: [((), self._lag)])
        self.gauge(gauges.WORST_LAG, lambda: [((), self._worst)])
        self.registry.register(_Counted(counts))
        self.registry.register(_Shown(self))

    # --- counted as it happens ---------------------------------------------------------------------------------------

    def call(
        self, module: str, method: str, route: str, http: int, ocpi: int | None, seconds: float, own: float
    ) -> None:
        """Count one call. `route` is a catalogue row's id or one of the hub's own few words, never a caller's."""
        self._calls.count((module, method, route, http, ocpi), seconds, own)

    def delivery(self, module: str, outcome: str, count: int = 1) -> None:
        """Count events settled for one recipient; an outcome that is not known counts as `other`."""
        self._deliveries.add(bounded_module(module), outcome if outcome in _OUTCOMES else "other", by=count)

    def findings(self, module: str, fatal: int, noted: int) -> None:
        """Count what was off in one body."""
        module = bounded_module(module)
        if fatal:
            self._findings.add(module, "fatal", by=fatal)
        if noted:
            self._findings.add(module, "noted", by=noted)

    def exchange_dropped(self) -> None:
        """Count a relay whose record did not fit."""
        self._dropped.add()

    def set_aside(self, topic: str) -> None:
        """Count a record of this topic of the log that could not be handled."""
        self._aside.add(topic)

    def resynced(self, module: str, outcome: str) -> None:
        """Count an object that a platform may have missed, or a mark that was given up (skipped)."""
        self._resynced.add(bounded_module(module), outcome if outcome in _OUTCOMES else "other")

    def dead_letter(self, reason: Reason) -> None:
        """Count something that the hub gave up on."""
        self._letters.add(reason.value)

    def lag(self, seconds: float) -> None:
        self._lag = seconds
        self._worst = max(self._worst, seconds)

    # --- asked for at every scrape -----------------------------------------------------------------------------------

    def gauge(self, gauge: Gauge, read: Read) -> None:
        """Where a gauge comes from, asked at every scrape: (its labels' values, its value)."""
        self._gauges[gauge] = read

    def watch(
        self,
        *,
        directory: Callable[[], Directory] | None = None,
        lanes: Callable[[], Iterable[LaneDepth]] | None = None,
        marks: Callable[[], Iterable[tuple[str, int]]] | None = None,
    ) -> None:
        """The same for those that have a shape of their own: `marks` gives (platform id, how many)."""
        if directory is not None:
            self.gauge(gauges.PLATFORMS, lambda: gauges.platforms(directory()))
        if lanes is not None:
            self.gauge(gauges.LANES, lambda: _depths(lanes()))
        if marks is not None:
            self.gauge(gauges.MARKS, lambda: [((platform,), count) for platform, count in marks()])

    def gauges(self) -> dict[Gauge, dict[Labels, float]]:
        """Those of this process alone, now."""
        return {gauge: dict(read()) for gauge, read in self._gauges.items()}

    def page(self) -> bytes:
        """What /metrics answers, as CONTENT_TYPE."""
        return generate_latest(self.registry)

    async def measure_lag(self) -> None:
        """Look every half second how late the event loop is; runs until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            self.lag(max(0.0, loop.time() - due))


class _Counted(Collector):
    """What is counted, of all processes."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        found: dict[tuple[str, int], list[tuple[Key, Sequence[float]]]] = {}
        for key, numbers in self._counts.read().items():
            found.setdefault((key.name, key.width), []).append((key, numbers))
        for family in FAMILIES:
            yield _shown(family, found.get((family.name, family.width), []))


def _shown(family: Family, found: Iterable[tuple[Key, Sequence[float]]]) -> Metric:
    if family.bounds:
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for key, numbers in found:
            histogram.add_metric(key.labels, *cumulative(family, numbers))
        return histogram
    counter = CounterMetricFamily(family.name, family.help, labels=family.labels)
    for key, numbers in found:
        counter.add_metric(key.labels, numbers[0])
    return counter


class _Shown(Collector):
    """The gauges, of all processes."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        others = self._metrics.others()
        for gauge, own in self._metrics.gauges().items():
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels)
            for labels, value in together(gauge.together, own, [one.get(gauge.name, {}) for one in others]).items():
                family.add_metric(labels, value)
            yield family


def _depths(lanes: Iterable[LaneDepth]) -> Iterator[tuple[Labels, float]]:
    for lane in lanes:
        yield (lane.platform, "waiting"), lane.waiting
        yield (lane.platform, "in_flight"), lane.in_flight
