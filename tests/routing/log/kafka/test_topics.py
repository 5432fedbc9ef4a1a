"""Topics on a real Kafka: made, seen, judged; nothing that is there is changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.difference import Tools
from routing.log.kafka.rules import FOREIGN_EPOCH
from routing.log.kafka.topics import Report, State, administering, check, create, epochs, survey
from routing.log.port import LogAway
from routing.topics import ALL, EVENT_TOPICS, needs

NOW = 1_790_000_000_000
ENOUGH = {"message_timestamp_type": "LogAppendTime", "max_message_bytes": "2000000"}
ALONE = needs(body_limit=2**20, answer_limit=2**21, partitions=2, single_node=True)


class Cluster:
    """A real Kafka, seen through a prefix of this test's own."""

    def __init__(self, admin: AIOKafkaAdminClient, address: KafkaAddress) -> None:
        self.admin = admin
        self.prefix = f"{uuid4().hex[:8]}."
        self.tools = Tools.of(address)

    async def create(
        self, *, partitions: int | None = 2, now: int = NOW, single_node: bool = True
    ) -> dict[str, Report]:
        wanted = ALONE if single_node else needs(body_limit=2**20, answer_limit=2**21)
        reports = await create(self.admin, wanted, self.tools, now=now, partitions=partitions, prefix=self.prefix)
        return {report.topic.removeprefix(self.prefix): report for report in reports}

    async def foreign(self, name: str, partitions: int = 2, **settings: str) -> None:
        """A topic that somebody else made."""
        configs = {name.replace("_", "."): value for name, value in settings.items()}
        await self.admin.create_topics([NewTopic(self.prefix + name, partitions, 1, topic_configs=configs)])
        await self.until(lambda settings: name in settings)

    async def until(self, holds: Callable[[dict[str, dict[str, str]]], bool]) -> None:
        """Wait for what was changed to be seen: a broker learns of it a moment later."""
        for _ in range(200):
            if holds(await self.settings()):
                return
            await asyncio.sleep(0.1)
        raise AssertionError("it is not seen")

    async def settings(self) -> dict[str, dict[str, str]]:
        found = await survey(self.admin, [self.prefix + name for name in ALL])
        return {name.removeprefix(self.prefix): dict(one.config) for name, one in found.items()}


@pytest.fixture
async def cluster(kafka: str) -> AsyncIterator[Cluster]:
    address = KafkaAddress.parse(f"kafka://{kafka}")
    async with administering(address) as admin:
        yield Cluster(admin, address)


async def test_what_is_missing_is_made_as_it_must_be(cluster: Cluster) -> None:
    reports = await cluster.create()
    assert {one.state for one in reports.values()} == {State.CREATED}
    assert {(one.partitions, one.replication) for one in reports.values()} == {(2, 1)}
    settings = await cluster.settings()
    assert settings.keys() == set(ALL)
    for name, found in settings.items():
        assert found["cleanup.policy"] == "delete", name
        assert found["message.timestamp.type"] == "LogAppendTime", name
        assert found["min.insync.replicas"] == "1", name
        largest = 2**21 if name == "ocpi.replies" else 2**20
        assert found["max.message.bytes"] == str(largest + 65_536), name
        assert found["retention.ms"] == ("600000" if name == "ocpi.replies" else "604800000"), name
    judged = await check(cluster.admin, ALONE, cluster.tools, prefix=cluster.prefix)
    assert (judged.fatal, judged.warnings) == ([], [])


async def test_the_epoch_is_the_time_of_creation(cluster: Cluster) -> None:
    await cluster.foreign("ocpi.cdrs")
    await cluster.create()
    names = {name: cluster.prefix + name for name in ALL}
    found = await epochs(cluster.admin, list(names.values()))
    assert found[names["ocpi.tokens"]] == NOW
    assert found[names["ocpi.cdrs"]] == FOREIGN_EPOCH


async def test_a_second_time_changes_nothing(cluster: Cluster) -> None:
    await cluster.create()
    before = await cluster.settings()
    reports = await cluster.create(partitions=None, now=NOW + 1)
    assert {one.state for one in reports.values()} == {State.RIGHT}
    assert {one.partitions for one in reports.values()} == {2}
    assert await cluster.settings() == before


async def test_what_exists_and_differs_is_said_and_left(cluster: Cluster) -> None:
    await cluster.foreign("ocpi.cdrs", cleanup_policy="compact")
    await cluster.foreign("ocpi.outcomes", retention_ms="1000")
    before = await cluster.settings()
    reports = await cluster.create()
    differ = {name: one for name, one in reports.items() if one.state is State.DIFFERS}
    assert differ.keys() == {"ocpi.cdrs", "ocpi.outcomes"}
    assert differ["ocpi.cdrs"].fatal
    assert not differ["ocpi.outcomes"].fatal
    compaction, *_ = differ["ocpi.cdrs"].differences
    assert (compaction.what, compaction.wanted, compaction.found) == ("cleanup.policy", "delete", "compact")
    after = await cluster.settings()
    assert {name: after[name] for name in before} == before
    judged = await check(cluster.admin, ALONE, cluster.tools, prefix=cluster.prefix)
    assert any("cleanup.policy is compact and must be delete" in sentence for sentence in judged.fatal)


async def test_the_command_that_mends_is_the_one_that_mends(cluster: Cluster) -> None:
    await cluster.foreign("ocpi.cdrs", cleanup_policy="compact")
    reports = await cluster.create()
    name = cluster.prefix + "ocpi.cdrs"
    settings = dict(
        one.command.rpartition("--add-config ")[2].split("=") for one in reports["ocpi.cdrs"].differences if one.command
    )
    settings["delete.retention.ms"] = str(NOW)  # what the shell makes of $(date ...)
    await cluster.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, settings)])
    await cluster.until(lambda settings: settings["ocpi.cdrs"]["delete.retention.ms"] == str(NOW))
    assert (await cluster.create())["ocpi.cdrs"].state is State.RIGHT


async def test_missing_topics_are_named_and_none_is_made_by_looking(cluster: Cluster) -> None:
    for _ in range(2):
        judged = await check(cluster.admin, ALONE, cluster.tools, prefix=cluster.prefix)
        (sentence,) = judged.fatal
        assert all(cluster.prefix + name in sentence for name in ALL)
        assert "ocpi-hub topics create" in sentence


async def test_replicas_that_the_cluster_cannot_give_are_refused_with_its_own_words(cluster: Cluster) -> None:
    reports = await cluster.create(single_node=False)
    assert {one.state for one in reports.values()} == {State.REFUSED}
    assert "--single-node" in reports["ocpi.cdrs"].reason
    assert await cluster.settings() == {}


async def test_missing_topics_get_the_partitions_of_those_that_are_there(cluster: Cluster) -> None:
    await cluster.foreign("ocpi.cdrs", 3, **ENOUGH)
    refused = await cluster.create(partitions=4)
    states = {name: one.state for name, one in refused.items()}
    assert {name for name, state in states.items() if state is State.REFUSED} == set(EVENT_TOPICS) - {"ocpi.cdrs"}
    assert "have 3 partitions, not 4" in refused["ocpi.tokens"].reason
    assert refused["ocpi.cdrs"].differences[-1].found == "3" and not refused["ocpi.cdrs"].fatal
    made = await cluster.create(partitions=None)
    assert {made[name].partitions for name in EVENT_TOPICS} == {3}


async def test_an_event_topic_that_is_unlike_the_others_is_fatal_until_it_is_made_anew(cluster: Cluster) -> None:
    await cluster.foreign("ocpi.cdrs", 3, **ENOUGH)
    await cluster.foreign("ocpi.tokens", 2, **ENOUGH)
    await cluster.foreign("ocpi.tariffs", 2, **ENOUGH)
    reports = await cluster.create(partitions=None)
    assert {name for name, one in reports.items() if one.fatal} == {"ocpi.cdrs"}
    judged = await check(cluster.admin, ALONE, cluster.tools, prefix=cluster.prefix)
    assert any("--delete --topic" in sentence for sentence in judged.fatal)
    await cluster.admin.delete_topics([cluster.prefix + "ocpi.cdrs"])
    await cluster.until(lambda settings: "ocpi.cdrs" not in settings)
    assert (await cluster.create(partitions=None))["ocpi.cdrs"].state is State.CREATED


async def test_a_cluster_that_is_away_is_said() -> None:
    with pytest.raises(LogAway, match=r"cannot be reached \(127\.0\.0\.1:1: .+\)"):
        async with administering(KafkaAddress.parse("kafka://127.0.0.1:1")):
            pass


async def test_what_the_cluster_refuses_is_a_sentence(kafka: str) -> None:
    with pytest.raises(match=r"cannot be read: .+ is invalid"):
        async with administering(KafkaAddress.parse(f"kafka://{kafka}")) as admin:
            await epochs(admin, ["not a topic's name?"])
