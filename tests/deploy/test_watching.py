"""The dashboard and the alerts ask for nothing that the hub's own /metrics page does not have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from hub import gauges
from tests.deploy.reading import DEPLOY
from tests.engines.plugin import Engines
from tests.scenarios.backing import OnEngines, OwnFolder
from tests.scenarios.hub import RunningHub
from tests.scenarios.vault import Vault

DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "ocpi-hub.json").read_text("utf-8"))
RULES: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text("utf-8"))
ON_KAFKA = {gauges.SKEW.name}
"""What there is where the log has a clock of its own."""
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def asked() -> dict[str, list[str]]:
    """Every expression, by where it stands."""
    found = {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in panels()}
    for group in RULES["groups"]:
        found |= {rule["alert"]: [rule["expr"]] for rule in group["rules"]}
    return found


@pytest.fixture(scope="module", params=["embedded", "engines"])
def page(request: pytest.FixtureRequest, engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The name of every number on the page of a hub that runs on such engines."""
    backing = OwnFolder() if request.param == "embedded" else OnEngines(engines.kafka(), engines.mongo())
    with RunningHub(tmp_path_factory.mktemp("hub"), Vault(), backing=backing) as hub:
        families = list(text_string_to_metric_families(hub.ask("GET", "/metrics")[1].decode()))
    names = {family.name + suffix for family in families for suffix in SUFFIXES.get(family.type, ())}
    return names | ON_KAFKA if request.param == "embedded" else names


def test_every_metric_is_one_of_the_hubs_own_page(page: set[str]) -> None:
    for where, expressions in asked().items():
        for expression in expressions:
            names = set(re.findall(r"\bocpi_hub_\w+", expression))
            assert names <= page, where
            assert names or "up{" in expression, where


def _family(name: str) -> str:
    return re.sub(r"_(total|bucket|sum|count)$", "", name)


def test_what_is_measured_is_shown(page: set[str]) -> None:
    everything = " ".join(expression for expressions in asked().values() for expression in expressions)
    shown = {_family(name) for name in re.findall(r"ocpi_hub_\w+", everything)}
    assert {_family(name) for name in page} - shown <= {"ocpi_hub_event_loop_lag_worst_seconds"}


def test_panels_have_a_place_an_explanation_and_a_name_of_their_own() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len({panel["title"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert panel["type"] == "row" or panel["description"]
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_dashboard_finds_its_source_and_grafana_the_dashboard() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text("utf-8"))["datasources"]
    used = {target["datasource"]["uid"] for panel in panels() for target in panel["targets"]}
    assert used == {source["uid"]}
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "ocpi-hub.yml").read_text("utf-8"))["providers"]
    grafana = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["grafana"]
    mounted = dict(volume.split(":")[1::-1] for volume in grafana["volumes"] if volume.startswith("."))
    folder = DEPLOY / mounted[provider["options"]["path"]]
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (folder / home.name).is_file() and str(home.parent) == provider["options"]["path"]


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    names = [rule["alert"] for group in RULES["groups"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"critical", "warning"}
            assert rule["annotations"]["summary"] and rule["annotations"]["action"]
