"""Records that no worker can handle, on a real Kafka: set aside, read by the command line, no obstacle to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.engines.plugin import Engines
from tests.scenarios import bodies
from tests.scenarios.backing import PARTITIONS, OnEngines
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, Parties, check, eventually, got, party_of
from tests.scenarios.vault import Vault

pytestmark = pytest.mark.timeout(240)
AT_ONCE = 5.0
"""Seconds; a second where nothing else is going on."""


@pytest.fixture
def backing(engines: Engines) -> OnEngines:
    return OnEngines(engines.kafka(), engines.mongo())


@pytest.fixture
def hub(tmp_path: Path, vault: Vault, backing: OnEngines) -> Iterator[RunningHub]:
    with RunningHub(tmp_path / "hub", vault, backing=backing) as running:
        yield running


Record = tuple[bytes | None, list[tuple[str, bytes]], bytes]


async def newest(backing: OnEngines, topic: str) -> Record:
    """Key, headers and value of some event that the hub wrote."""
    reader = AIOKafkaConsumer(bootstrap_servers=backing.kafka.address, enable_auto_commit=False)
    await reader.start()
    try:
        reader.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        await reader.seek_to_beginning()
        record = await reader.getone()
        return record.key, list(record.headers), record.value
    finally:
        await reader.stop()


async def test_they_are_set_aside_with_a_reason_and_the_next_event_of_the_partition_is_delivered(
    hub: RunningHub, backing: OnEngines
) -> None:
    topic = f"{backing.name}.ocpi.locations"
    async with Parties(hub) as parties:
        cpo, emsp = await parties.pair()

        async def push() -> str:
            body = bodies.location(party_of(cpo))
            answer = await cpo.call("PUT", "locations", RECEIVER, *party_of(cpo), body["id"], to=HUB, body=body)
            check(answer, 200, 1000)
            return str(body["id"])

        def arrived(ids: Sequence[str]) -> bool:
            return {one.json["id"] for one in got(emsp, "locations")} >= set(ids)

        first = await push()
        await eventually(lambda: arrived([first]), within=30)
        key, headers, value = await newest(backing, topic)
        (kind,) = [content for name, content in headers if name == "ce_type"]
        stranger = [(name, kind[:-1] + b"99" if name == "ce_type" else content) for name, content in headers]
        garbled = [(name, b"\xff" + content) for name, content in headers]
        producer = AIOKafkaProducer(bootstrap_servers=backing.kafka.address)
        await producer.start()
        try:
            for number in range(PARTITIONS):
                await producer.send_and_wait(topic, b"\xff\xfe", key=key, partition=number)
                await producer.send_and_wait(topic, value, key=key, headers=stranger, partition=number)
                await producer.send_and_wait(topic, value, key=key, headers=garbled, partition=number)
        finally:
            await producer.stop()
        ids = [await push() for _ in range(PARTITIONS * 8)]
        await eventually(lambda: arrived(ids), within=AT_ONCE)
        wanted = PARTITIONS * 3

        async def are_set_aside() -> bool:
            code, out, err = await hub.cli("poison", "list", "--json")
            assert code == 0, err
            return len(orjson.loads(out)) == wanted

        await eventually(are_set_aside, within=30)
    _, out, _ = await hub.cli("poison", "list", "--json")
    listed = orjson.loads(out)
    assert {row["topic"] for row in listed} == {"ocpi.locations"} and all(row["reason"] for row in listed)
    assert any("v99" in row["reason"] for row in listed), [row["reason"] for row in listed]
    one = listed[0]
    code, out, err = await hub.cli("poison", "show", one["topic"], str(one["partition"]), str(one["offset"]), "--json")
    assert code == 0, err
    assert orjson.loads(out)["reason"] == one["reason"]
    assert hub.metrics()["ocpi_hub_records_set_aside_total{topic=ocpi.locations}"] == wanted
