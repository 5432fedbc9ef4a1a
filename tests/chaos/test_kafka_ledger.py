"""What the harness reads of a fleet's log: every event with its place and time, and how many are not settled."""

from __future__ import annotations

from secrets import token_hex

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.structs import OffsetAndMetadata

from connectors.values import Role
from routing.event import Event, Operation, encode
from routing.log.kafka import topics
from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.difference import Tools
from routing.log.port import Position, TopicPartition, partition_of
from routing.topics import needs
from routing.worker.worker import GROUP
from tests.chaos import bodies, kafka_ledger

PARTITIONS = 2
EPOCH = 1_700_000_000_000


def event(seq: int, *, expires: int = 2**60) -> Event:
    body = bodies.dump(bodies.tariff(f"T{seq}", seq))
    return Event(
        id=f"e{seq}", module="tariffs", owner=bodies.CPO, object_id=f"T{seq}", operation=Operation.PUT,
        path=("NL", "TNM", f"T{seq}"), query="", audience=None, sender=bodies.CPO, sender_role=Role.CPO, platform="p",
        accepted=0, expires=expires, request_id=str(seq), correlation_id=str(seq), revision=1, payload=body,
    )  # fmt: skip


async def test_the_ledger_reads_what_stands_and_what_is_not_settled(kafka: str) -> None:
    address = KafkaAddress.parse(f"kafka://{kafka}?single_node=true&prefix=ledger-{token_hex(4)}.")
    wanted = needs(body_limit=2**20, answer_limit=2**20, partitions=PARTITIONS, single_node=True)
    async with topics.administering(address) as admin:
        await topics.create(admin, wanted, Tools(kafka), now=EPOCH, prefix=address.prefix)
    assert await kafka_ledger.unsettled(address) == 0
    assert await kafka_ledger.stood(address) == []
    events = [event(seq, expires=0 if seq == 3 else 2**60) for seq in range(1, 21)]
    last: dict[int, int] = {}
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        for each in events:
            partition, headers = partition_of(each.key, PARTITIONS), list(encode(each))
            topic = address.topic(each.topic)
            sent = await producer.send_and_wait(topic, each.payload, each.key, partition, headers=headers)
            last[partition] = sent.offset
    assert await kafka_ledger.unsettled(address) == 20
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=address.group(GROUP), enable_auto_commit=False)
    await consumer.start()
    tp = KafkaPartition(address.topic("ocpi.tariffs"), 0)
    consumer.assign([tp])
    await consumer.commit({tp: OffsetAndMetadata(last[0], "")})
    await consumer.stop()
    assert await kafka_ledger.unsettled(address) == 20 - last[0]
    stood = {each.seq: each for each in await kafka_ledger.stood(address)}
    assert sorted(stood) == list(range(1, 21))
    assert [seq for seq, each in stood.items() if each.landed_late] == [3]
    of_first = sorted(each.position for each in stood.values() if each.tp == TopicPartition("ocpi.tariffs", 0))
    assert of_first == [Position(EPOCH, offset) for offset in range(last[0] + 1)]
    assert all(each.append_time > EPOCH for each in stood.values())
