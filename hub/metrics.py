"""Every metric of the hub in one place, in Prometheus' terms. Label sets stay bounded whatever callers send.

What every call is counted by is in call_metrics.py, because it is the hot path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.call_metrics import CallMetrics, bounded_module
from routing.directory import Directory, Status
from routing.policy import Outcome

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

LAG_SECONDS: Final = 0.5

_OUTCOMES: Final = frozenset(Outcome)


class LaneDepth(NamedTuple):
    """What one lane holds at the moment of a scrape."""

    platform: str
    waiting: int
    in_flight: int


class Metrics:
    """The metrics of one process. Make one, hand it round, and give `page()` to who scrapes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = CallMetrics()
        self.registry.register(self._calls)
        self._deliveries = Counter(
            "ocpi_hub_deliveries",
            "Events settled for a recipient, by outcome",
            ["module", "outcome"],
            registry=self.registry,
        )
        self._findings = Counter(
            "ocpi_hub_findings", "What was off in bodies that were judged", ["module", "kind"], registry=self.registry
        )
        self._lag = Gauge(
            "ocpi_hub_event_loop_lag_seconds",
            "How late the event loop woke a timer, at the last look",
            registry=self.registry,
        )
        self._worst_lag = Gauge(
            "ocpi_hub_event_loop_lag_worst_seconds", "The same, the worst since the start", registry=self.registry
        )
        self._watched = _Watched()
        self.registry.register(self._watched)
        self._worst = 0.0

    # --- counted as it happens ---------------------------------------------------------------------------------------

    def call(
        self, module: str, method: str, route: str, http: int, ocpi: int | None, seconds: float, own: float
    ) -> None:
        """Count one call. `route` is a catalogue row's id or one of the hub's own few words, never a caller's."""
        self._calls.count((module, method, route, http, ocpi), seconds, own)

    def delivery(self, module: str, outcome: str, count: int = 1) -> None:
        """Count events settled for one recipient; an outcome that is not known counts as `other`."""
        self._deliveries.labels(bounded_module(module), outcome if outcome in _OUTCOMES else "other").inc(count)

    def findings(self, module: str, fatal: int, noted: int) -> None:
        """Count what was off in one body."""
        module = bounded_module(module)
        if fatal:
            self._findings.labels(module, "fatal").inc(fatal)
        if noted:
            self._findings.labels(module, "noted").inc(noted)

    def lag(self, seconds: float) -> None:
        self._lag.set(seconds)
        if seconds > self._worst:
            self._worst = seconds
            self._worst_lag.set(seconds)

    # --- asked for at every scrape -----------------------------------------------------------------------------------

    def watch(
        self,
        *,
        directory: Callable[[], Directory] | None = None,
        lanes: Callable[[], Iterable[LaneDepth]] | None = None,
        marks: Callable[[], Iterable[tuple[str, int]]] | None = None,
        exchanges_dropped: Callable[[], int] | None = None,
    ) -> None:
        """Where gauges come from, each asked at every scrape: `marks` gives (platform id, how many)."""
        watched = self._watched
        watched.directory = directory or watched.directory
        watched.lanes = lanes or watched.lanes
        watched.marks = marks or watched.marks
        watched.exchanges_dropped = exchanges_dropped or watched.exchanges_dropped

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


class _Watched(Collector):
    """Metrics that are read where they live, at the moment of a scrape."""

    def __init__(self) -> None:
        self.directory: Callable[[], Directory] | None = None
        self.lanes: Callable[[], Iterable[LaneDepth]] | None = None
        self.marks: Callable[[], Iterable[tuple[str, int]]] | None = None
        self.exchanges_dropped: Callable[[], int] | None = None

    def collect(self) -> Iterator[Metric]:
        if self.directory is not None:
            yield _platforms(self.directory())
        if self.lanes is not None:
            depth = GaugeMetricFamily("ocpi_hub_lane_depth", "Objects in a lane", labels=["platform", "state"])
            for lane in self.lanes():
                depth.add_metric([lane.platform, "waiting"], lane.waiting)
                depth.add_metric([lane.platform, "in_flight"], lane.in_flight)
            yield depth
        if self.marks is not None:
            marked = GaugeMetricFamily("ocpi_hub_marks", "Partitions marked for resync", labels=["platform"])
            for platform, count in self.marks():
                marked.add_metric([platform], count)
            yield marked
        if self.exchanges_dropped is not None:
            dropped = CounterMetricFamily("ocpi_hub_exchanges_dropped", "Relays whose record did not fit the buffer")
            dropped.add_metric([], self.exchanges_dropped())
            yield dropped


def _platforms(directory: Directory) -> Metric:
    counts = dict.fromkeys(Status, 0)
    for platform in directory.platforms.values():
        if not platform.removed:
            counts[platform.status] += 1
    family = GaugeMetricFamily("ocpi_hub_platforms", "Platforms by connection status", labels=["status"])
    for status, count in counts.items():
        family.add_metric([str(status)], count)
    return family
