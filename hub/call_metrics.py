"""What is counted of every call, in plain numbers that prometheus-client reads at a scrape.

Its own counters and histograms take a lock for each number, four a call, which is dear on a path of microseconds and
protects from threads that an event loop does not have.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.values import Module

WHOLE: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
OWN: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)

_METHODS: Final = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
_MODULES: Final = frozenset((*Module, "versions"))
_HTTP: Final = frozenset((200, 201, 202, 204, 400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 502, 503, 504))
_OCPI: Final = frozenset((1000, 2000, 2001, 2002, 2003, 2004, 3000, 3001, 3002, 3003, 4000, 4001, 4002, 4003))

Key = tuple[str, str, str, int, int | None]
Labels = tuple[str, str, str, str, str]


class _Durations:
    """One histogram: how many seconds fell into each bucket, and their sum."""

    __slots__ = ("bounds", "buckets", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.buckets[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        total, found = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.buckets, strict=True):
            total += count
            found.append((bound, float(total)))
        return found


class _Counted:
    """How many calls of one label set, and where their durations go."""

    __slots__ = ("count", "own", "whole")

    def __init__(self, whole: _Durations, own: _Durations) -> None:
        self.count = 0
        self.whole = whole
        self.own = own


class CallMetrics(Collector):
    """Calls by module, method, route and both statuses; the whole and the hub's own part by module and route."""

    def __init__(self) -> None:
        self._known: dict[Key, _Counted] = {}
        self._counted: dict[Labels, _Counted] = {}
        self._durations: dict[tuple[str, str], tuple[_Durations, _Durations]] = {}

    def count(self, key: Key, seconds: float, own: float) -> None:
        """Count one call under (module, method, route, HTTP status, OCPI status)."""
        counted = self._known.get(key)
        if counted is None:
            counted = self._under(key)
        counted.count += 1
        counted.whole.observe(seconds)
        counted.own.observe(own)

    def _under(self, key: Key) -> _Counted:
        module, method, route, http, ocpi = key
        module = bounded_module(module)
        labels = (module, method if method in _METHODS else "OTHER", route, bounded_http(http), bounded_ocpi(ocpi))
        counted = self._counted.get(labels)
        if counted is None:
            whole, own = self._durations.setdefault((module, route), (_Durations(WHOLE), _Durations(OWN)))
            counted = self._counted[labels] = _Counted(whole, own)
        if labels == (key[0], method, route, str(http), str(ocpi)):
            self._known[key] = counted  # only keys that are their own labels are kept: those are bounded
        return counted

    def collect(self) -> Iterator[Metric]:
        calls = CounterMetricFamily(
            "ocpi_hub_calls", "OCPI calls that reached the hub", labels=["module", "method", "route", "http", "ocpi"]
        )
        for labels, counted in self._counted.items():
            calls.add_metric(labels, counted.count)
        yield calls
        by = ["module", "route"]
        whole = HistogramMetricFamily("ocpi_hub_call_seconds", "A call from its request line to its answer", labels=by)
        own = HistogramMetricFamily(
            "ocpi_hub_own_seconds",
            "The hub's own part of a call: without waiting for recipients and the log",
            labels=by,
        )
        for route, (all_of_it, ours) in self._durations.items():
            whole.add_metric(route, all_of_it.cumulative(), all_of_it.sum)
            own.add_metric(route, ours.cumulative(), ours.sum)
        yield from (whole, own)


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
