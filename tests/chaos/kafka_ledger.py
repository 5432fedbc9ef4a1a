"""What a fleet leaves in Kafka and MongoDB: the events on the log, how many are not settled, the marks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from routing import event as events
from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.topics import epochs
from routing.log.port import Position, TopicPartition
from routing.store.mongo import MongoStore
from routing.store.port import Mark
from routing.topics import EVENT_TOPICS
from routing.worker.worker import GROUP
from tests.judging import Stood

_TRIES = 100
_AGAIN_SECONDS = 0.1


async def unsettled(address: KafkaAddress) -> int:
    """Events on the log that stand at or after what the routing group has committed of their partition."""
    async with _admin(address) as admin, _reader(address) as reader:
        ends = await _ends(address, admin, reader)
        committed = await _committed(admin, address.group(GROUP))
        return sum(end - max(committed[tp].offset if tp in committed else 0, 0) for tp, end in ends.items())


async def stood(address: KafkaAddress) -> list[Stood]:
    """Every event of the log. The request id of each is its seq."""
    found: list[Stood] = []
    async with _admin(address) as admin, _reader(address) as reader:
        epoch_of = await epochs(admin, [address.topic(name) for name in EVENT_TOPICS])
        ends = {tp: end for tp, end in (await _ends(address, admin, reader)).items() if end}
        reader.assign(list(ends))
        for tp in ends:
            await reader.seek_to_beginning(tp)
        while any([await reader.position(tp) < end for tp, end in ends.items()]):
            for tp, records in (await reader.getmany(timeout_ms=1000)).items():
                topic = tp.topic.removeprefix(address.prefix)
                for record in records:
                    event = events.decode(tuple(record.headers), record.value or b"")
                    position = Position(epoch_of[tp.topic], record.offset)
                    late = record.timestamp > event.expires
                    place = TopicPartition(topic, tp.partition)
                    found.append(Stood(event, int(event.request_id), place, position, late, record.timestamp))
    return found


async def marks(uri: str) -> Sequence[Mark]:
    """The marks of a hub that has stopped."""
    store = MongoStore(uri)
    await store.start()
    try:
        return await store.load_marks()
    finally:
        await store.close()


async def _committed(admin: AIOKafkaAdminClient, group: str) -> dict[KafkaPartition, OffsetAndMetadata]:
    """The cluster's first group ever has to wait for its coordinator."""
    for _ in range(_TRIES):
        try:
            found: dict[KafkaPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(group)
            return found
        except KafkaError as error:
            if not error.retriable:
                raise
            await asyncio.sleep(_AGAIN_SECONDS)
    return {}


async def _ends(
    address: KafkaAddress, admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer
) -> dict[KafkaPartition, int]:
    topics = {address.topic(name) for name in EVENT_TOPICS}
    described = [topic for topic in await admin.describe_topics() if topic["topic"] in topics]
    tps = [KafkaPartition(topic["topic"], each["partition"]) for topic in described for each in topic["partitions"]]
    ends: dict[KafkaPartition, int] = await reader.end_offsets(tps)
    return ends


@asynccontextmanager
async def _admin(address: KafkaAddress) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=list(address.servers))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def _reader(address: KafkaAddress) -> AsyncIterator[AIOKafkaConsumer]:
    reader = AIOKafkaConsumer(bootstrap_servers=list(address.servers), enable_auto_commit=False)
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()
