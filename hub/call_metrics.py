"""What is counted of every call: the hot path of the metrics."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from connectors.values import Module
from hub.counts import Counts, Family

_WHOLE: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
_OWN: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)

CALLS: Final = Family(
    "ocpi_hub_calls", "OCPI calls that reached the hub", ("module", "method", "route", "http", "ocpi")
)
WHOLE: Final = Family(
    "ocpi_hub_call_seconds", "A call from its request line to its answer", ("module", "route"), _WHOLE
)
OWN: Final = Family(
    "ocpi_hub_own_seconds",
    "The hub's own part of a call: without waiting for recipients and the log",
    ("module", "route"),
    _OWN,
)

_METHODS: Final = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
_MODULES: Final = frozenset((*Module, "versions"))
_HTTP: Final = frozenset((200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 500, 502, 503, 504))
_OCPI: Final = frozenset((1000, 2000, 2001, 2002, 2003, 2004, 3000, 3001, 3002, 3003, 4000, 4001, 4002, 4003))

Key = tuple[str, str, str, int, int | None]
Labels = tuple[str, str, str, str, str]


class _Counted:
    """Where the calls of one label set are counted, and their durations."""

    __slots__ = ("count", "own", "own_sum", "whole", "whole_sum")

    def __init__(self, count: int, whole: int, own: int) -> None:
        self.count = count
        self.whole = whole
        self.whole_sum = whole + WHOLE.width - 1
        self.own = own
        self.own_sum = own + OWN.width - 1


class CallMetrics:
    """Calls by module, method, route and both statuses; the whole and the hub's own part by module and route."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._values = counts.values
        self._known: dict[Key, _Counted] = {}
        self._counted: dict[Labels, _Counted] = {}

    def count(self, key: Key, seconds: float, own: float) -> None:
        """Count one call under (module, method, route, HTTP status, OCPI status)."""
        counted = self._known.get(key)
        if counted is None:
            counted = self._under(key)
        values = self._values
        values[counted.count] += 1
        values[counted.whole + bisect_left(_WHOLE, seconds)] += 1
        values[counted.whole_sum] += seconds
        values[counted.own + bisect_left(_OWN, own)] += 1
        values[counted.own_sum] += own

    def _under(self, key: Key) -> _Counted:
        module, method, route, http, ocpi = key
        module = bounded_module(module)
        labels = (module, method if method in _METHODS else "OTHER", route, bounded_http(http), bounded_ocpi(ocpi))
        counted = self._counted.get(labels)
        if counted is None:
            counted = self._counted[labels] = _Counted(
                self._counts.slot(CALLS, labels),
                self._counts.slot(WHOLE, (module, route)),
                self._counts.slot(OWN, (module, route)),
            )
        if labels == (key[0], method, route, str(http), str(ocpi)):
            self._known[key] = counted  # only keys that are their own labels are kept: those are bounded
        return counted


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
