"""Every metric of the hub in one place, in Prometheus' terms. Label sets stay bounded whatever callers send.

Children are kept by their labels, so that counting a call costs two or three microseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.values import Module
from routing.directory import Directory, Status
from routing.policy import Outcome

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

LAG_SECONDS: Final = 0.5

_METHODS: Final = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
_MODULES: Final = frozenset((*Module, "versions"))
_HTTP: Final = frozenset((200, 201, 202, 204, 400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 502, 503, 504))
_OCPI: Final = frozenset((1000, 2000, 2001, 2002, 2003, 2004, 3000, 3001, 3002, 3003, 4000, 4001, 4002, 4003))
_OUTCOMES: Final = frozenset(Outcome)

_WHOLE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
_OWN = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)


class LaneDepth(NamedTuple):
    """What one lane holds at the moment of a scrape."""

    platform: str
    waiting: int
    in_flight: int


class Metrics:
    """The metrics of one process. Make one, hand it round, and give `page()` to who scrapes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "ocpi_hub_calls",
            "OCPI calls that reached the hub",
            ["module", "method", "route", "http", "ocpi"],
            registry=self.registry,
        )
        self._whole = Histogram(
            "ocpi_hub_call_seconds",
            "A call from its request line to its answer",
            ["module", "route"],
            buckets=_WHOLE,
            registry=self.registry,
        )
        self._own = Histogram(
            "ocpi_hub_own_seconds",
            "The hub's own part of a call: without waiting for recipients and the log",
            ["module", "route"],
            buckets=_OWN,
            registry=self.registry,
        )
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
        self._by_call: dict[tuple[str, str, str, int, int | None], tuple[Counter, Histogram, Histogram]] = {}
        self._worst = 0.0

    # --- counted as it happens ---------------------------------------------------------------------------------------

    def call(
        self, module: str, method: str, route: str, http: int, ocpi: int | None, seconds: float, own: float
    ) -> None:
        """Count one call. `route` is a catalogue row's id or one of the hub's own few words, never a caller's."""
        key = (module, method, route, http, ocpi)
        children = self._by_call.get(key)
        if children is None:
            children = self._children(key)
        counter, whole, mine = children
        counter.inc()
        whole.observe(seconds)
        mine.observe(own)

    def _children(self, key: tuple[str, str, str, int, int | None]) -> tuple[Counter, Histogram, Histogram]:
        module, method, route, http, ocpi = key
        module = bounded_module(module)
        children = (
            self._calls.labels(
                module, method if method in _METHODS else "OTHER", route, bounded_http(http), bounded_ocpi(ocpi)
            ),
            self._whole.labels(module, route),
            self._own.labels(module, route),
        )
        if method in _METHODS and http in _HTTP and (ocpi is None or ocpi in _OCPI):
            self._by_call[key] = children  # only keys of bounded parts are kept
        return children

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


def bounded_module(module: str) -> str:
    return module if module in _MODULES else "other"


def bounded_http(status: int) -> str:
    """The status, or its class such as `5xx` where it is none that the hub expects."""
    if status in _HTTP:
        return str(status)
    return f"{status // 100}xx" if 100 <= status <= 599 else "other"


def bounded_ocpi(code: int | None) -> str:
    """The OCPI status code (2.2.1, 5), or its range such as `2xxx` where the specification does not name it."""
    if code is None:
        return "none"
    if code in _OCPI:
        return str(code)
    return f"{code // 1000}xxx" if 1000 <= code <= 4999 else "other"
