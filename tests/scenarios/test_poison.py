"""A record on Kafka that no worker can handle: set aside, counted, read by the command line; the next one goes on."""

from __future__ import annotations

import base64

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from routing.event import TYPE
from routing.log.kafka.address import KafkaAddress
from routing.log.port import Headers
from tests.scenarios import bodies
from tests.scenarios.backing import PARTITIONS
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, Parties, check, eventually, got, party_of

pytestmark = pytest.mark.timeout(240)
TOPIC = "ocpi.locations"
COUNTED = f"ocpi_hub_records_set_aside_total{{topic={TOPIC}}}"
JUNK = b"\xff\x00 no JSON, no UTF-8"
WITHIN = 15.0
"""Generous: the machine may be busy. What is asked for is a second, and the simulation measures that."""


def address_of(hub: RunningHub) -> KafkaAddress:
    return KafkaAddress.parse(hub.environment()["HUB_LOG"])


async def newest(address: KafkaAddress) -> tuple[bytes, Headers, bytes]:
    """Key, headers and value of an event on the topic, as the hub wrote it."""
    reader = AIOKafkaConsumer(bootstrap_servers=list(address.servers), enable_auto_commit=False)
    await reader.start()
    try:
        tps = [TopicPartition(address.topic(TOPIC), number) for number in range(PARTITIONS)]
        (tp,) = [tp for tp, end in (await reader.end_offsets(tps)).items() if end]
        reader.assign([tp])
        await reader.seek_to_beginning(tp)
        record = await reader.getone()
        return record.key or b"", tuple(record.headers), record.value or b""
    finally:
        await reader.stop()


async def write(address: KafkaAddress, key: bytes, headers: Headers, value: bytes) -> list[tuple[int, int]]:
    """Straight to every partition of the topic, past every edge; partition and offset of each."""
    producer = AIOKafkaProducer(bootstrap_servers=list(address.servers))
    await producer.start()
    try:
        told = [
            await producer.send_and_wait(address.topic(TOPIC), value, key=key, partition=number, headers=list(headers))
            for number in range(PARTITIONS)
        ]
        return [(one.partition, one.offset) for one in told]
    finally:
        await producer.stop()


def changed(headers: Headers, **values: bytes) -> Headers:
    return tuple((name, values.get(name, value)) for name, value in headers)


@pytest.mark.parametrize("backing", ["engines"], indirect=True)
async def test_what_is_no_event_of_this_release_is_set_aside_and_the_next_event_goes_on(make_hub: MakeHub) -> None:
    with make_hub() as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            first = bodies.location(party_of(cpo))
            path = (*party_of(cpo), first["id"])
            check(await cpo.call("PUT", "locations", RECEIVER, *path, to=HUB, body=first), 200, 1000)
            address = address_of(hub)
            key, headers, payload = await newest(address)
            later = TYPE.replace(".v1", ".v9")
            cases: dict[str, tuple[Headers, bytes]] = {
                "is not": ((), JUNK),
                later: (changed(headers, ce_type=later.encode()), payload),
                "the envelope cannot be read": (changed(headers, ce_ocpihub=JUNK), payload),
            }
            for number, (reason, (wrong, value)) in enumerate(cases.items()):
                before = emsp.recorder.count
                stands = await write(address, key, wrong, value)
                body = first | {"name": f"after {number}"}
                check(await cpo.call("PUT", "locations", RECEIVER, *path, to=HUB, body=body), 200, 1000)
                # the record was in front of it, in its own partition too
                await eventually(
                    lambda before=before, name=body["name"]: (  # type: ignore[misc]
                        [one.json["name"] for one in got(emsp, "locations", after=before)] == [name]
                    ),
                    within=WITHIN,
                )
                await set_aside(hub, (number + 1) * PARTITIONS)
                partition, offset = stands[0]
                code, out, err = await hub.cli("poison", "show", TOPIC, str(partition), str(offset), "--json")
                assert code == 0, err
                shown = orjson.loads(out)
                assert reason in shown["reason"]
                assert shown["key"] == key.decode()
                assert [name for name, _ in shown["headers"]] == [name for name, _ in wrong]
                assert whole(shown) == value
            hub.stop()
            await hub.start_again()  # they are settled: nobody meets them again
            before, last = emsp.recorder.count, first | {"name": "after the restart"}
            check(await cpo.call("PUT", "locations", RECEIVER, *path, to=HUB, body=last), 200, 1000)
            await eventually(lambda: bool(got(emsp, "locations", after=before)), within=WITHIN)
            assert len(await listed(hub)) == len(cases) * PARTITIONS


def whole(shown: bodies.Json) -> bytes:
    """The value that `poison show` gives."""
    return base64.b64decode(shown["value_base64"]) if shown.get("value_base64") else shown["value"].encode()


async def set_aside(hub: RunningHub, count: int) -> None:
    """So many are listed and counted."""

    async def all_of_them() -> bool:
        return len(await listed(hub)) == count

    await eventually(all_of_them, within=WITHIN)
    assert hub.metrics()[COUNTED] == count


async def listed(hub: RunningHub) -> list[bodies.Json]:
    """What `ocpi-hub poison list` says."""
    code, out, err = await hub.cli("poison", "list", "--json")
    assert code == 0, err
    rows: list[bodies.Json] = orjson.loads(out)
    assert {row["topic"] for row in rows} <= {TOPIC}
    return rows
