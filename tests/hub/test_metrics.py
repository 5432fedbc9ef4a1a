"""Metrics: what is counted, and that label sets stay bounded whatever callers send."""

from __future__ import annotations

import pytest

from connectors.values import PartyId
from hub.call_metrics import bounded_http, bounded_ocpi
from hub.metrics import LaneDepth, Metrics
from routing.directory import Directory, Platform, Status


def samples(metrics: Metrics, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name
    }


def test_calls_are_counted_by_module_method_route_and_both_statuses() -> None:
    metrics = Metrics()
    for _ in range(3):
        metrics.call("locations", "GET", "LOC-S2", 200, 1000, 0.02, 0.0002)
    key = (("http", "200"), ("method", "GET"), ("module", "locations"), ("ocpi", "1000"), ("route", "LOC-S2"))
    assert samples(metrics, "ocpi_hub_calls_total") == {key: 3.0}
    whole = samples(metrics, "ocpi_hub_call_seconds_sum")
    assert whole == {(("module", "locations"), ("route", "LOC-S2")): pytest.approx(0.06)}
    buckets = {dict(labels)["le"]: n for labels, n in samples(metrics, "ocpi_hub_call_seconds_bucket").items()}
    assert (buckets["0.01"], buckets["0.025"], buckets["+Inf"]) == (0.0, 3.0, 3.0)
    assert list(samples(metrics, "ocpi_hub_call_seconds_count").values()) == [3.0]
    own = samples(metrics, "ocpi_hub_own_seconds_sum")
    assert own == {(("module", "locations"), ("route", "LOC-S2")): pytest.approx(0.0006)}


def test_labels_stay_bounded_whatever_callers_send() -> None:
    metrics = Metrics()
    for n in range(2000):
        metrics.call(f"module-{n}", f"BREW{n}", "unknown", 100 + n, n, 0.1, 0.1)
    assert len(samples(metrics, "ocpi_hub_calls_total")) < 80
    assert len(metrics._calls._known) == 0


@pytest.mark.parametrize(
    ("status", "label"), [(200, "200"), (418, "4xx"), (599, "5xx"), (600, "other"), (7, "other"), (-1, "other")]
)
def test_http_statuses_are_bounded(status: int, label: str) -> None:
    assert bounded_http(status) == label


@pytest.mark.parametrize(
    ("code", "label"),
    [(None, "none"), (1000, "1000"), (2004, "2004"), (1999, "1xxx"), (4999, "4xxx"), (5000, "other"), (0, "other")],
)
def test_ocpi_codes_are_bounded(code: int | None, label: str) -> None:
    assert bounded_ocpi(code) == label


def test_outcomes_and_findings_are_counted() -> None:
    metrics = Metrics()
    metrics.delivery("locations", "delivered", 2)
    metrics.delivery("locations", "something else")
    metrics.findings("tokens", 1, 3)
    assert samples(metrics, "ocpi_hub_deliveries_total") == {
        (("module", "locations"), ("outcome", "delivered")): 2.0,
        (("module", "locations"), ("outcome", "other")): 1.0,
    }
    assert samples(metrics, "ocpi_hub_findings_total") == {
        (("kind", "fatal"), ("module", "tokens")): 1.0,
        (("kind", "noted"), ("module", "tokens")): 3.0,
    }


def test_gauges_are_read_where_they_live_at_every_scrape() -> None:
    metrics = Metrics()
    platforms = [Platform("a", status=Status.CONNECTED), Platform("b"), Platform("c", removed=True)]
    metrics.watch(
        directory=lambda: Directory(platforms, hub=PartyId("NL", "HUB")),
        lanes=lambda: [LaneDepth("a", 3, 1)],
        marks=lambda: [("a", 2)],
    )
    assert samples(metrics, "ocpi_hub_platforms") == {
        (("status", "CONNECTED"),): 1.0,
        (("status", "OFFLINE"),): 0.0,
        (("status", "PLANNED"),): 1.0,
        (("status", "SUSPENDED"),): 0.0,
    }
    assert samples(metrics, "ocpi_hub_lane_depth") == {
        (("platform", "a"), ("state", "waiting")): 3.0,
        (("platform", "a"), ("state", "in_flight")): 1.0,
    }
    assert samples(metrics, "ocpi_hub_marks") == {(("platform", "a"),): 2.0}


def test_a_relay_whose_record_did_not_fit_is_counted_and_none_is_shown_as_0() -> None:
    metrics = Metrics()
    assert samples(metrics, "ocpi_hub_exchanges_dropped_total") == {(): 0.0}
    metrics.exchange_dropped()
    assert samples(metrics, "ocpi_hub_exchanges_dropped_total") == {(): 1.0}


def test_gauges_of_several_processes_are_put_together_as_each_of_them_asks() -> None:
    metrics = Metrics()
    metrics.watch(
        directory=lambda: Directory([Platform("a")], hub=PartyId("NL", "HUB")),
        lanes=lambda: [LaneDepth("a", 3, 1)],
        marks=lambda: [("a", 2)],
    )
    metrics.lag(0.2)
    beside = Metrics()
    beside.watch(
        directory=lambda: Directory([Platform("a"), Platform("b")], hub=PartyId("NL", "HUB")),
        lanes=lambda: [LaneDepth("a", 4, 0), LaneDepth("b", 1, 1)],
        marks=lambda: [("b", 5)],
    )
    beside.lag(0.7)
    beside.lag(0.1)
    metrics.others = lambda: [{gauge.name: values for gauge, values in beside.gauges().items()}]
    assert samples(metrics, "ocpi_hub_lane_depth") == {
        (("platform", "a"), ("state", "waiting")): 7.0,
        (("platform", "a"), ("state", "in_flight")): 1.0,
        (("platform", "b"), ("state", "waiting")): 1.0,
        (("platform", "b"), ("state", "in_flight")): 1.0,
    }
    assert samples(metrics, "ocpi_hub_marks") == {(("platform", "a"),): 2.0, (("platform", "b"),): 5.0}
    assert samples(metrics, "ocpi_hub_platforms")[(("status", "PLANNED"),)] == 1.0
    assert samples(metrics, "ocpi_hub_event_loop_lag_seconds") == {(): 0.2}
    assert samples(metrics, "ocpi_hub_event_loop_lag_worst_seconds") == {(): 0.7}


def test_the_page_is_text_that_prometheus_reads_and_keeps_the_worst_lag() -> None:
    metrics = Metrics()
    metrics.lag(0.5)
    metrics.lag(0.1)
    page = metrics.page().decode()
    assert "ocpi_hub_event_loop_lag_seconds 0.1\n" in page
    assert "ocpi_hub_event_loop_lag_worst_seconds 0.5\n" in page
