"""A hub that starts against topics that are missing or wrong says which and how to mend it, and ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex

import pytest
from aiokafka.admin import NewTopic

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.difference import Tools
from routing.log.kafka.rules import config
from routing.log.kafka.topics import administering, create
from routing.topics import Need, needs

BODY, ANSWER = 2**20, 2**20


@pytest.fixture
def address(kafka: str) -> KafkaAddress:
    """The cluster, seen through names of this test's own."""
    return KafkaAddress.parse(f"kafka://{kafka}?prefix={token_hex(4)}.&single_node=true")


async def topics_with(address: KafkaAddress, name: str, *, partitions: int = 1, **settings: str) -> None:
    """All topics as they must be, but for this one."""
    wanted = needs(body_limit=BODY, answer_limit=ANSWER, single_node=True)
    (need,) = [need for need in wanted if need.name == name]
    own = config(need, epoch=1) | {setting.replace("_", "."): value for setting, value in settings.items()}
    async with administering(address) as admin:
        await admin.create_topics([NewTopic(address.topic(name), partitions, 1, topic_configs=own)])
        others: list[Need] = [need for need in wanted if need.name != name]
        await create(admin, others, Tools.of(address), now=1, partitions=1, prefix=address.prefix)


def settings(address: KafkaAddress, folder: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
        "HUB_LOG": f"{address}?prefix={address.prefix}&single_node=true",
        "HUB_MAX_BODY_BYTES": str(BODY),
        "HUB_MAX_ANSWER_BYTES": str(ANSWER),
        "HUB_DATA": str(folder),
        "HUB_PORT": "0",
        "HUB_OPERATOR_PORT": "0",
    }


async def said(environment: Mapping[str, str]) -> str:
    """What the hub says when it ends by itself with 1, as it must here."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub.cli.main", "serve", env=environment, stderr=subprocess.PIPE
    )
    try:
        _, printed = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 1, printed
    assert b"Traceback" not in printed
    return printed.decode()


async def test_missing_topics_are_named_with_the_command(address: KafkaAddress, tmp_path: Path) -> None:
    told = await said(settings(address, tmp_path))
    assert f"missing on Kafka: {address.topic('ocpi.locations')}, " in told
    assert "ocpi-hub topics create" in told


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"cleanup_policy": "compact"}, "cleanup.policy is compact and must be delete"),
        ({"message_timestamp_type": "CreateTime"}, "message.timestamp.type is CreateTime and must be LogAppendTime"),
    ],
)
async def test_a_wrong_topic_is_refused_with_the_command(
    address: KafkaAddress, tmp_path: Path, wrong: dict[str, str], sentence: str
) -> None:
    await topics_with(address, "ocpi.cdrs", **wrong)  # type: ignore[arg-type]
    told = await said(settings(address, tmp_path))
    assert f"{address.topic('ocpi.cdrs')}: {sentence}" in told
    assert f"kafka-configs.sh --bootstrap-server {address.servers[0]} " in told


async def test_unlike_numbers_of_partitions_are_refused_with_the_command(address: KafkaAddress, tmp_path: Path) -> None:
    await topics_with(address, "ocpi.cdrs", partitions=3)
    told = await said(settings(address, tmp_path))
    assert f"{address.topic('ocpi.cdrs')}: the number of partitions is 3 and must be 1" in told
    assert f"--delete --topic {address.topic('ocpi.cdrs')} && ocpi-hub topics create" in told


async def test_replicas_are_asked_for_unless_the_cluster_is_said_to_be_one(
    address: KafkaAddress, tmp_path: Path
) -> None:
    await topics_with(address, "ocpi.cdrs")
    given = settings(address, tmp_path)
    told = await said({**given, "HUB_LOG": given["HUB_LOG"].removesuffix("&single_node=true")})
    assert "the replication factor is 1 and must be 3" in told
    assert "single_node=true" in told
