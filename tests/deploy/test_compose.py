"""compose.yaml holds together, and says nothing that the hub does not understand; no Docker is needed for that."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from hub.settings import Settings, described, load
from routing.log.kafka.address import KafkaAddress
from tests.deploy.reading import DEPLOY, GIVEN, ROOT, compose, environment, filled, is_hub, parsed, services

EDGES = ("edge-1", "edge-2")
WORKERS = ("worker-1", "worker-2")
OPERATOR = Settings.model_fields["operator_port"].default
EDGE = Settings.model_fields["port"].default
HUBS = [name for name, service in services().items() if is_hub(service)]


def settings(service: str, monkeypatch: pytest.MonkeyPatch, **given: str) -> Settings:
    """What the hub of this service makes of its variables."""
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)
    for name, value in environment(service, **given).items():
        monkeypatch.setenv(name, value)
    return load()


# --- what it refers to -----------------------------------------------------------------------------------------------


def test_every_image_has_a_tag_that_is_not_latest() -> None:
    for name, service in services().items():
        _, colon, tag = service["image"].partition(":")
        assert colon, name
        assert tag != "latest", name


def test_the_hub_is_built_from_files_that_are_there() -> None:
    for name in HUBS:
        build = services()[name]["build"]
        context = (DEPLOY / build["context"]).resolve()
        assert context == ROOT
        assert (context / build["dockerfile"]).is_file()


def test_what_a_service_waits_for_is_there_and_can_come_about() -> None:
    for name, service in services().items():
        waits = service.get("depends_on", {})
        for other in waits:
            assert other in services(), f"{name} waits for {other}"
            condition = waits[other]["condition"] if isinstance(waits, dict) else "service_started"
            checked = services()[other].get("healthcheck", {"disable": not is_hub(services()[other])})
            assert condition != "service_healthy" or not checked.get("disable"), f"{other} has no health check"
            ends = services()[other].get("restart") in {"no", "on-failure:10"}
            assert condition != "service_completed_successfully" or ends, f"{other} never ends"


def test_what_is_always_there_waits_for_nothing_of_a_profile() -> None:
    for name, service in services().items():
        if not service.get("profiles"):
            assert not any(services()[other].get("profiles") for other in service.get("depends_on", ())), name


def test_volumes_are_declared_or_files_of_this_folder() -> None:
    used = set()
    for service in services().values():
        for volume in service.get("volumes", ()):
            source, target, *_ = volume.split(":")
            assert target.startswith("/")
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
                assert volume.endswith(":ro"), volume
            else:
                used.add(source)
    assert used == set(compose()["volumes"])


def test_ports_are_published_to_this_machine_only_and_once() -> None:
    published = [port for service in services().values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert len({port.split(":")[1] for port in published}) == len(published)


# --- the hub's own services ------------------------------------------------------------------------------------------


def test_there_are_two_edges_and_two_workers() -> None:
    commands = {name: services()[name]["command"] for name in HUBS}
    assert [name for name, words in commands.items() if words == ["edge"]] == list(EDGES)
    assert [name for name, words in commands.items() if words == ["worker"]] == list(WORKERS)
    assert commands["archive"] == ["archive"]


@pytest.mark.parametrize("name", [name for name in HUBS if "entrypoint" not in services()[name]])
def test_every_command_is_one_of_the_command_line(name: str) -> None:
    assert parsed(services()[name]["command"])


@pytest.mark.parametrize("script", sorted(DEPLOY.glob("sample/*.sh")), ids=lambda path: path.name)
def test_every_command_of_a_script_is_one_of_the_command_line(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    calls = re.findall(r"^\s*(?:exec )?ocpi-hub ([^|>\n]+)", text, re.MULTILINE)
    assert calls
    stands = {'"$1"': "cpo", '"$2"': "NL", '"$3"': "TNM", '"$4"': "CPO", '"${VERSIONS_URL:?}"': "http://hub/versions"}
    for call in calls:
        for word, value in stands.items():
            call = call.replace(word, value)
        assert parsed(shlex.split(call))
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0


@pytest.mark.parametrize("name", HUBS)
def test_every_variable_is_a_setting(name: str) -> None:
    known = {setting.name for setting in described()}
    assert {variable for variable in environment(name) if variable.startswith("HUB_")} <= known


@pytest.mark.parametrize("name", [*EDGES, *WORKERS, "topics", "invite"])
def test_the_settings_are_valid_and_those_of_one_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(name, monkeypatch)
    other = settings("edge-1", monkeypatch)
    assert not found.log.embedded and not found.store.embedded
    same = {"member", "operator_url"}
    assert found.model_dump(exclude=same) == other.model_dump(exclude=same)


@pytest.mark.parametrize("name", HUBS)
def test_the_hub_may_write_nowhere_but_where_it_is_told(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    written = {volume.split(":")[1] for volume in service.get("volumes", ())} | {
        folder.split(":")[0] for folder in service["tmpfs"]
    }
    assert {"/tmp", "/var/lib/ocpi-hub"} <= written


def test_workers_are_members_by_a_name_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [settings(name, monkeypatch).member for name in WORKERS]
    assert all(members)
    assert len(set(members)) == len(members)


def test_a_container_is_given_longer_to_stop_than_the_hub_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*EDGES, *WORKERS):
        seconds = int(services()[name]["stop_grace_period"].removesuffix("s"))
        assert seconds >= settings(name, monkeypatch).drain_seconds + 10


def test_without_keys_it_says_how_to_make_them() -> None:
    for name in GIVEN:
        with pytest.raises(AssertionError, match="README"):
            filled(compose()["x-settings"][name], {})


def test_parties_inside_may_be_called_and_only_they(monkeypatch: pytest.MonkeyPatch) -> None:
    (network,) = compose()["networks"]["default"]["ipam"]["config"]
    found = settings("edge-1", monkeypatch).allow_networks
    assert [str(one) for one in found] == [network["subnet"]]


# --- what they stand on ----------------------------------------------------------------------------------------------


def test_kafka_is_where_the_hub_looks_for_it_and_of_one_node(monkeypatch: pytest.MonkeyPatch) -> None:
    address = KafkaAddress.parse(settings("edge-1", monkeypatch).log.get_secret_value())
    kafka = services()["kafka"]["environment"]
    advertised = [urlsplit(one).netloc for one in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")]
    assert list(address.servers) == advertised[:1] == ["kafka:9092"]
    assert address.single_node and "--single-node" in services()["topics"]["command"]
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    listeners = {one.partition(":")[0] for one in kafka["KAFKA_LISTENERS"].split(",")}
    assert {one.partition(":")[0] for one in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")} == listeners


def test_mongodb_is_where_the_hub_looks_for_it_and_a_replica_set(monkeypatch: pytest.MonkeyPatch) -> None:
    url = urlsplit(settings("edge-1", monkeypatch).store.get_secret_value())
    script = (DEPLOY / "mongo" / "initiate.js").read_text(encoding="utf-8")
    assert url.netloc == "mongo:27017" and f'host: "{url.netloc}"' in script
    assert url.query == "replicaSet=rs0" and '_id: "rs0"' in script
    assert services()["mongo"]["command"][:2] == ["--replSet", "rs0"]
    assert services()["mongo"]["image"] == services()["replica-set"]["image"]


def test_the_balancer_stands_before_the_edges_and_outlasts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text(encoding="utf-8")
    assert re.findall(r"^ +server (\S+) (\S+)$", text, re.MULTILINE) == [(name, f"{name}:{EDGE}") for name in EDGES]
    assert re.search(rf"default-server check port {OPERATOR} ", text)
    assert "option httpchk GET /readyz" in text
    (server,) = re.findall(r"timeout server (\d+)s", text)
    found = settings("edge-1", monkeypatch)
    assert int(server) > max(found.list_seconds, found.directed_seconds, found.command_seconds)
    assert re.findall(r"retry-on (.+)", text) == ["conn-failure"]
    assert f"bind :{urlsplit(found.public_url).port}" in text
    assert urlsplit(found.public_url).hostname in services()


def test_what_the_balancer_answers_itself_is_an_envelope() -> None:
    text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text(encoding="utf-8")
    errors = dict(re.findall(r"http-error status (\d+) .*lf-string '(.+)'", text))
    assert errors.keys() == {"502", "503", "504"}
    for status, body in errors.items():
        envelope = json.loads(re.sub(r"%\[[^]]+\]", "2026-01-01T00:00:00Z", body))
        assert envelope.keys() == {"status_code", "status_message", "timestamp"}
        assert envelope["status_code"] == (4000 if status == "503" else 4002)


def test_prometheus_scrapes_every_process_of_the_hub() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "compose.yml").read_text(encoding="utf-8"))
    (job,) = config["scrape_configs"]
    targets = [target for one in job["static_configs"] for target in one["targets"]]
    assert targets == [f"{name}:{OPERATOR}" for name in (*EDGES, *WORKERS, "archive")]
    assert all((DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"])


# --- by Docker's own word --------------------------------------------------------------------------------------------


def _has_compose() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _has_compose(), reason="docker compose is not here, which would judge compose.yaml too")
def test_docker_compose_reads_it(tmp_path: Path) -> None:
    given = tmp_path / "env"
    given.write_text("".join(f"{name}={value}\n" for name, value in GIVEN.items()))
    command = ["docker", "compose", "--env-file", str(given), "--profile", "sample", "config", "--quiet"]
    ended = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
