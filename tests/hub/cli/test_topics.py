"""`ocpi-hub topics` on a real Kafka, and where there is none."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from hub.cli.main import app
from routing.topics import ALL


@pytest.fixture
def hub_log(kafka: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """HUB_LOG of a cluster of one, with names of this test's own."""
    url = f"kafka://{kafka}?prefix={uuid4().hex[:8]}.&single_node=true"
    monkeypatch.setenv("HUB_LOG", url)
    return url


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["topics", *words])


def document(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_embedded_engine_has_nothing_to_create(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUB_LOG", raising=False)
    for command in ("create", "check"):
        result = run(command)
        assert result.exit_code == 0
        assert "there is nothing to create" in result.stdout
        assert document(run(command, "--json"))["topics"] == []


def test_what_is_missing_is_said_then_made_then_right(hub_log: str) -> None:
    before = run("check")
    assert before.exit_code == 1
    assert "Make them: ocpi-hub topics create" in before.stdout
    made = run("create", "--partitions", "2")
    assert made.exit_code == 0, made.output
    assert made.stdout.count("created") == len(ALL)
    after = run("check")
    assert (after.exit_code, after.stdout) == (0, "A hub can start on these topics.\n")
    again = run("create", "--json")
    assert again.exit_code == 0
    assert {(one["state"], one["partitions"], one["fatal"]) for one in document(again)["topics"]} == {
        ("right", 2, False)
    }


def test_what_differs_ends_with_1_and_the_way_to_mend_it(hub_log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("create", "--partitions", "1").exit_code == 0
    monkeypatch.setenv("HUB_MAX_BODY_BYTES", str(2**23))
    for command in ("create", "check"):
        result = run(command)
        assert result.exit_code == 1
        assert "--alter --add-config max.message.bytes=8454144" in result.stdout
    fatal = document(run("check", "--json"))["fatal"]
    assert len(fatal) == 1 and "max.message.bytes is 4259840 and must be 8454144" in fatal[0]


def test_replicas_are_kept_unless_the_cluster_is_said_to_be_one(hub_log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_LOG", hub_log.removesuffix("&single_node=true"))
    refused = run("create")
    assert refused.exit_code == 1
    assert "say --single-node" in refused.stdout
    few = run("create", "--replication", "2")
    assert few.exit_code == 2
    assert "only with --single-node" in few.output
    made = run("create", "--single-node", "--partitions", "1")
    assert made.exit_code == 0, made.output
    assert "single_node=true in HUB_LOG" in made.stdout
    assert run("check").exit_code == 1
    assert run("check", "--single-node").exit_code == 0


@pytest.mark.parametrize("wait", ["0", "0.1"])
def test_a_cluster_that_is_away_is_one_sentence(monkeypatch: pytest.MonkeyPatch, wait: str) -> None:
    monkeypatch.setenv("HUB_LOG", "kafka://hub:s3cret@127.0.0.1:1?security_protocol=SASL_PLAINTEXT")
    for command in ("create", "check"):
        result = run(command, "--wait", wait)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.startswith("Kafka cannot be reached (127.0.0.1:1: ")
        assert result.stderr.count("\n") == 1
        assert "s3cret" not in result.output
