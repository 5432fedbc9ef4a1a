"""Where a topic differs from what it must be: what is fatal, what is a warning, and the command that mends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.difference import Difference, Tools
from routing.log.kafka.rules import EPOCH, FOREIGN_EPOCH, Found, Judged, config, differences, judge
from routing.topics import ALL, Need, needs

TOOLS = Tools("one:9092")
NEEDS = {need.name: need for need in needs(body_limit=4 * 2**20, answer_limit=16 * 2**20)}
EVENTS, OTHER = NEEDS["ocpi.cdrs"], NEEDS["ocpi.outcomes"]
DAY = 86_400_000


def found(need: Need, settings: dict[str, str] | None = None, *, partitions: int = 24, replication: int = 3) -> Found:
    """The topic as it would be made, with these settings instead."""
    return Found(partitions, replication, config(need, epoch=1_700_000_000_000) | (settings or {}))


def one(need: Need, settings: dict[str, str]) -> Difference:
    (difference,) = differences(need, found(need, settings), TOOLS)
    return difference


@pytest.mark.parametrize("name", ALL)
def test_a_topic_as_it_is_made_is_right(name: str) -> None:
    assert differences(NEEDS[name], found(NEEDS[name]), TOOLS) == []
    alone = replace(NEEDS[name], replication=1, in_sync=1)
    assert differences(alone, found(alone, replication=1), TOOLS) == []


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("policy", ["compact", "compact,delete", "delete,compact"])
def test_compaction_is_refused_on_every_topic(name: str, policy: str) -> None:
    difference = one(NEEDS[name], {"cleanup.policy": policy})
    assert difference.fatal
    assert difference.command.endswith("--add-config cleanup.policy=delete")


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"message.timestamp.type": "CreateTime"}, "message.timestamp.type=LogAppendTime"),
        ({"max.message.bytes": "1048588"}, "max.message.bytes=4259840"),
        ({"min.insync.replicas": "1"}, "min.insync.replicas=2"),
        ({"unclean.leader.election.enable": "true"}, "unclean.leader.election.enable=false"),
        ({"retention.ms": str(DAY - 1)}, "retention.ms=604800000"),
    ],
)
def test_what_breaks_a_promise_is_fatal_on_events_and_a_warning_elsewhere(
    settings: dict[str, str], wanted: str
) -> None:
    fatal, warning = one(EVENTS, settings), one(OTHER, settings)
    assert fatal.fatal
    assert not warning.fatal
    assert fatal.command == (
        "kafka-configs.sh --bootstrap-server one:9092 --entity-type topics --entity-name ocpi.cdrs"
        f" --alter --add-config {wanted}"
    )


@pytest.mark.parametrize("settings", [{"retention.ms": str(3 * DAY)}, {"retention.bytes": "1000000000"}])
def test_keeping_less_than_a_week_is_a_warning(settings: dict[str, str]) -> None:
    assert not one(EVENTS, settings).fatal


@pytest.mark.parametrize(
    "settings",
    [
        {"retention.ms": "-1"},
        {"retention.ms": str(30 * DAY)},
        {"max.message.bytes": "20000000"},
        {"min.insync.replicas": "3"},
        {"segment.ms": "1000"},
        {"compression.type": "zstd"},
    ],
)
def test_more_than_is_needed_is_right(settings: dict[str, str]) -> None:
    assert differences(EVENTS, found(EVENTS, settings), TOOLS) == []


def test_too_few_replicas_are_fatal_where_the_cluster_is_more_than_one_machine() -> None:
    difference, impossible = differences(EVENTS, found(EVENTS, replication=1), TOOLS)
    assert difference.fatal
    assert (difference.wanted, difference.found) == ("3", "1")
    assert "kafka-reassign-partitions.sh" in str(difference)
    assert "nothing can be published" in impossible.why


def test_fewer_replicas_than_must_be_in_sync_are_fatal_also_on_one_machine() -> None:
    alone = replace(OTHER, replication=1, in_sync=1)
    (difference,) = differences(alone, found(alone, {"min.insync.replicas": "2"}, replication=1), TOOLS)
    assert difference.fatal
    assert difference.command.endswith("min.insync.replicas=1")


def test_a_topic_made_by_something_else_is_told_of_its_epoch() -> None:
    assert found(EVENTS).epoch == 1_700_000_000_000
    difference = one(EVENTS, {EPOCH: str(FOREIGN_EPOCH)})
    assert not difference.fatal
    assert f"{EPOCH}=$(date +%s%3N)" in difference.command


def test_missing_topics_are_one_sentence_with_the_command() -> None:
    there = {name: found(need) for name, need in NEEDS.items() if name not in {"ocpi.tokens", "ocpi.replies"}}
    judged = judge(list(NEEDS.values()), there, TOOLS)
    assert judged.fatal == ["missing on Kafka: ocpi.tokens, ocpi.replies. Make them: ocpi-hub topics create"]
    assert judged.warnings == []


@pytest.mark.parametrize("count", [12, 48])
def test_an_event_topic_with_another_number_of_partitions_is_fatal(count: int) -> None:
    there = {name: found(need) for name, need in NEEDS.items()} | {"ocpi.cdrs": found(EVENTS, partitions=count)}
    (sentence,) = judge(list(NEEDS.values()), there, TOOLS).fatal
    assert sentence.startswith(f"ocpi.cdrs: the number of partitions is {count} and must be 24: ")
    assert sentence.endswith("--delete --topic ocpi.cdrs && ocpi-hub topics create")


def test_any_number_of_partitions_is_right_where_event_topics_have_the_same() -> None:
    there = {name: found(need, partitions=6 if need.events else 3) for name, need in NEEDS.items()}
    assert judge(list(NEEDS.values()), there, TOOLS) == Judged((), ())


def test_what_is_true_of_many_topics_is_said_once_with_one_command() -> None:
    there = {name: found(need, {"message.timestamp.type": "CreateTime"}) for name, need in NEEDS.items()}
    judged = judge(list(NEEDS.values()), there, TOOLS)
    (fatal,), (warning,) = judged.fatal, judged.warnings
    assert fatal.startswith("ocpi.locations, ocpi.tariffs, ocpi.tokens, ocpi.sessions, ocpi.cdrs: message.")
    assert "for topic in ocpi.locations ocpi.tariffs ocpi.tokens ocpi.sessions ocpi.cdrs; do kafka-configs" in fatal
    assert "--entity-name $topic --alter" in fatal
    assert warning.startswith("ocpi.outcomes, ocpi.exchanges, ocpi.replies: message.")


def test_a_cluster_with_tls_or_sasl_is_reached_with_a_file_of_its_settings() -> None:
    tools = Tools.of(KafkaAddress.parse("kafka://hub:s3cret@one,two:9093?security_protocol=SASL_SSL"))
    command = tools.config("ocpi.cdrs", "retention.ms", "1")
    assert "--bootstrap-server one:9092,two:9093 --command-config client.properties --entity-type" in command
    assert "s3cret" not in command
