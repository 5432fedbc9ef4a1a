"""Reading a real Kafka: gaps, what others wrote, sessions that end, memory, replies between processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition as ClusterPartition

from routing.log.kafka.consumer import KafkaConsumer
from routing.log.kafka.log import KafkaLog
from routing.log.kafka.topics import administering
from routing.log.port import Committed, Headers, Position, Record, ReplyTo, TopicPartition, partition_of
from tests.contract.engines import PARTITIONS, TOPICS, Kafka, Told, after, read, settle
from tests.engines.kafka import Kafka as Broker

LOCATIONS, CDRS = TOPICS
KEY = b"key"
TP = TopicPartition(LOCATIONS, partition_of(KEY, PARTITIONS))


async def join(log: KafkaLog, member: str = "one", listener: Told | None = None) -> tuple[KafkaConsumer, Told]:
    told = listener or Told()
    consumer = log.consumer("workers", TOPICS, member=member)
    told.consumer = consumer
    await consumer.start(told)
    return consumer, told


async def put(log: KafkaLog, count: int) -> None:
    for number in range(count):
        await log.publish(LOCATIONS, KEY, (), b"%d" % number, within=10)


async def forget(engine: Kafka, offset: int) -> None:
    """What retention does, at once: nothing below this offset is there any more."""
    tp = ClusterPartition(engine.address.topic(TP.topic), TP.partition)
    async with administering(engine.address) as admin:
        await admin.delete_records({tp: _Before(offset)})


class _Before:
    def __init__(self, offset: int) -> None:
        self.before_offset = offset


class Writing(Told):
    """Writes down which gaps it is told of, and how often."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[TopicPartition] = []

    async def assigned(self, assignments: Any) -> None:
        await super().assigned(assignments)
        self.gaps += [assignment.tp for assignment in assignments if assignment.gap]


# --- gaps ------------------------------------------------------------------------------------------------------------


async def test_what_retention_took_before_it_was_settled_is_a_gap(engine: Kafka) -> None:
    await put(engine.log, 10)
    one, told = await join(engine.log)
    records = await read(one, 10)
    await one.commit({TP: Committed(after(records[3]), clean=True)})
    await one.stop()
    await forget(engine, 6)
    two, told = await join(engine.log, "two", Writing())
    assert [record.value for record in await read(two, 4)] == [b"6", b"7", b"8", b"9"]
    assert told.gaps == [TP]  # type: ignore[attr-defined]
    assert told.now[TP].committed == Committed(after(records[3]), clean=True)


async def test_what_retention_took_and_was_settled_is_none(engine: Kafka) -> None:
    await put(engine.log, 10)
    one, told = await join(engine.log)
    records = await read(one, 10)
    await one.commit({TP: Committed(after(records[7]))})
    await one.stop()
    await forget(engine, 6)
    two, told = await join(engine.log, "two", Writing())
    assert [record.value for record in await read(two, 2)] == [b"8", b"9"]
    assert told.gaps == []  # type: ignore[attr-defined]


async def test_a_reader_that_retention_overtakes_loses_the_partition_and_is_given_it_with_the_gap(
    engine: Kafka,
) -> None:
    told = Writing()
    one, _ = await join(engine.log, listener=told)
    await settle(one)
    one.pause([TP])
    await asyncio.sleep(0.3)  # the question that was asked before the pause is answered
    await put(engine.log, 10)
    await forget(engine, 7)
    one.resume([TP])
    assert [record.value for record in await read(one, 3)] == [b"7", b"8", b"9"]
    assert told.revoked_tps == [TP]
    assert told.gaps == [TP]
    await one.commit({TP: Committed(Position(told.now[TP].end.epoch, 10))})


async def test_a_commit_behind_the_end_goes_on_at_the_end_and_is_a_gap(engine: Kafka) -> None:
    """The log lost its end (an unclean election)."""
    await put(engine.log, 3)
    one, told = await join(engine.log)
    await settle(one)
    await one.commit({TP: Committed(Position(told.now[TP].end.epoch, 99))})
    await one.stop()
    two, told = await join(engine.log, "two", Writing())
    await settle(two)
    assert told.gaps == [TP]  # type: ignore[attr-defined]
    await put(engine.log, 1)
    assert [record.value for record in await read(two, 1)] == [b"0"]


# --- what others write -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def foreign(engine: Kafka, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=list(engine.address.servers), **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def test_odd_records_are_given_as_they_are_and_break_nothing(engine: Kafka) -> None:
    topic = engine.address.topic(LOCATIONS)
    async with foreign(engine) as producer:
        await producer.send_and_wait(topic, None, key=b"no value", partition=TP.partition)
        await producer.send_and_wait(topic, b"no key", key=None, partition=TP.partition)
        await producer.send_and_wait(topic, b"headers", partition=TP.partition, headers=[("", b""), ("none", None)])
    async with foreign(engine, compression_type="gzip") as producer:
        await producer.send_and_wait(topic, b"packed" * 100, partition=TP.partition)
    await put(engine.log, 1)
    one, _ = await join(engine.log)
    records = await read(one, 5)
    assert [(record.key, record.value) for record in records] == [
        (b"no value", b""),
        (b"", b"no key"),
        (b"", b"headers"),
        (b"", b"packed" * 100),
        (KEY, b"0"),
    ]
    assert records[2].headers == (("", b""), ("none", b""))


async def test_a_name_that_is_no_utf8_is_one_odd_record_and_the_next_are_read(engine: Kafka) -> None:
    topic = engine.address.topic(LOCATIONS)
    async with foreign(engine) as producer:
        batch = producer.create_batch()
        for value in (b"good", b"odd", b"after"):
            batch.append(key=None, value=value, timestamp=None, headers=[("nXme" if value == b"odd" else "name", b"")])
        batch.close()
        data = batch._build()
        at = data.index(b"nXme") + 1
        data[at : at + 1] = b"\xff"
        batch._buffer = seal(data)
        await (await producer.send_batch(batch, topic, partition=TP.partition))
    await put(engine.log, 1)
    one, _ = await join(engine.log)
    records = await read(one, 3)
    assert [record.value for record in (records[0], records[2])] == [b"good", b"0"]
    assert records[1].position.offset == 1
    assert b"odd" in records[1].value  # the batch as it is, to be looked at
    assert (records[1].key, records[1].headers) == (b"", ())
    position = one.position(TP)
    assert position is not None
    assert position.offset == 4


def seal(data: bytearray) -> bytearray:
    """With the checksum that its bytes have now."""
    from aiokafka.record.util import calc_crc32c

    data[17:21] = calc_crc32c(bytes(data[21:])).to_bytes(4, "big")
    return data


async def test_the_marks_of_transactions_are_passed_over(engine: Kafka) -> None:
    topic = engine.address.topic(LOCATIONS)
    async with foreign(engine, transactional_id=engine.address.prefix) as producer:
        for value in (b"one", b"two"):
            async with producer.transaction():
                await producer.send_and_wait(topic, value, partition=TP.partition)
    one, told = await join(engine.log)
    records = await read(one, 2)
    assert [(record.value, record.position.offset) for record in records] == [(b"one", 0), (b"two", 2)]
    until = time.monotonic() + 5
    while one.position(TP) != told.now[TP].end:  # behind the last mark
        assert time.monotonic() < until
        await one.read(max_records=10, max_bytes=1000, wait=0.05)


# --- sessions, sizes, brokers that go --------------------------------------------------------------------------------


async def test_a_session_that_the_broker_forgot_is_begun_anew(engine: Kafka) -> None:
    one, _ = await join(engine.log)
    await settle(one)
    await put(engine.log, 3)
    assert len(await read(one, 3)) == 3
    (node,) = [node for (_, topic), node in one._fetcher._nodes.items() if topic == engine.address.topic(LOCATIONS)]
    assert node.session
    for session, epoch in ((node.session, node.epoch + 5), (node.session ^ 1, node.epoch)):
        node.session, node.epoch = session, epoch
        await put(engine.log, 3)
        assert [record.value for record in await read(one, 3)] == [b"0", b"1", b"2"]
        assert node.session != session


async def test_a_record_larger_than_what_is_asked_for_is_read(engine: Kafka) -> None:
    await engine.log.publish(LOCATIONS, KEY, (), b"x" * 1_000_000, within=10)
    one, _ = await join(engine.log)
    one._fetcher._wait_ms = 10
    assert len((await read(one, 1))[0].value) == 1_000_000
    found = await one.fetch(TP, Position(0, 0), max_records=1)
    assert len(found[0].value) == 1_000_000


async def test_reading_goes_on_by_itself_after_the_broker_was_killed(alone: Kafka, victim: Broker) -> None:
    one, told = await join(alone.log)
    await settle(one)
    await put(alone.log, 5)
    records = await read(one, 3, max_records=3)
    await asyncio.to_thread(victim.kill)
    records += await one.read(max_records=100, max_bytes=10**6, wait=1)
    await asyncio.to_thread(victim.start)
    await put(alone.log, 5)
    records += await read(one, 10 - len(records), seconds=30)
    assert [record.value for record in records] == [b"%d" % number for number in (*range(5), *range(5))]
    await one.commit({TP: Committed(after(records[-1]))})
    assert set(told.now) >= {TP}


async def test_a_partition_that_is_paused_takes_no_memory_from_the_others(engine: Kafka) -> None:
    one, _ = await join(engine.log)
    await settle(one)
    one.pause([TP])
    other = next(key for number in range(99) if partition_of(key := b"%d" % number, PARTITIONS) != TP.partition)
    for _ in range(12):  # more than is ever fetched ahead
        await engine.log.publish(LOCATIONS, KEY, (), b"x" * 900_000, within=10)
    for number in range(12):
        await engine.log.publish(LOCATIONS, other, (), b"%d" % number + b"x" * 900_000, within=10)
    records: list[Record] = []
    while len(records) < 12:
        taken = await one.read(max_records=1, max_bytes=10**6, wait=5)
        assert taken
        records += taken
    assert {record.key for record in records} == {other}
    assert one.held_bytes < 2 * 10**6


async def test_what_is_new_of_one_topic_waits_for_no_backlog_of_another(engine: Kafka) -> None:
    keys = [b"%d" % number for number in range(40)]  # of every partition
    one, _ = await join(engine.log)
    await settle(one)
    waves = [engine.log.publish(LOCATIONS, key, (), b"x" * 100_000, within=10) for key in keys]
    await asyncio.gather(*waves)
    async with asyncio.timeout(10):
        while one.held_bytes < 10**6:  # as much is fetched ahead as ever is, and more is there
            await asyncio.sleep(0.01)
    held = -1
    while one.held_bytes != held:
        held = one.held_bytes
        await asyncio.sleep(0.3)  # what was asked for before may still come
    await engine.log.publish(CDRS, KEY, (), b"new", within=10)
    async with asyncio.timeout(10):
        while one.held_bytes == held:
            await asyncio.sleep(0.01)
    taken = await one.read(max_records=2, max_bytes=10**6, wait=5)
    assert CDRS in {record.tp.topic for record in taken}, "it came behind what was fetched ahead of the backlog"


# --- replies ---------------------------------------------------------------------------------------------------------


async def test_a_reply_reaches_an_edge_of_another_process_and_no_other(engine: Kafka) -> None:
    worker = await engine.another()
    got: dict[str, list[tuple[Headers, bytes]]] = {"one": [], "two": []}
    edge = await engine.another()
    for number in range(20):  # so that some share a partition
        await edge.open_replies(f"other {number}", lambda headers, value: got["two"].append((headers, value)))
    to = await edge.open_replies("one", lambda headers, value: got["one"].append((headers, value)))
    for number in range(50):
        worker.reply(to, (("id", b"%d" % number),), b"%d" % number)
    worker.reply(ReplyTo("gone", to.partition), (), b"nobody's")
    until = time.monotonic() + 10
    while len(got["one"]) < 50:
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
    assert got["one"] == [((("id", b"%d" % number),), b"%d" % number) for number in range(50)]
    assert got["two"] == []


async def test_an_edge_reads_no_reply_from_before_it_was_there(engine: Kafka) -> None:
    worker = await engine.another()
    to = ReplyTo("one", partition_of(b"one", PARTITIONS))
    worker.reply(to, (), b"old")
    async with asyncio.timeout(10):
        while worker.held_bytes:
            await asyncio.sleep(0.01)
    got: list[bytes] = []
    edge = await engine.another()
    assert await edge.open_replies("one", lambda _headers, value: got.append(value)) == to
    worker.reply(to, (), b"new")
    async with asyncio.timeout(10):
        while not got:
            await asyncio.sleep(0.01)
    assert got == [b"new"]


async def test_one_odd_reply_is_not_the_end_of_the_others(engine: Kafka, caplog: pytest.LogCaptureFixture) -> None:
    worker, edge = await engine.another(), await engine.another()
    got: list[bytes] = []

    def take(headers: Headers, value: bytes) -> None:
        del headers
        got.append(value)
        if value == b"odd":
            raise ValueError("odd")

    to = await edge.open_replies("one", take)
    worker.reply(to, (), b"odd")
    worker.reply(to, (), b"good")
    async with asyncio.timeout(10):
        while len(got) < 2:
            await asyncio.sleep(0.01)
    assert "a reply could not be taken" in caplog.text


async def test_a_reply_within_one_process_takes_no_way_round(engine: Kafka) -> None:
    got: list[bytes] = []
    to = await engine.log.open_replies("one", lambda _headers, value: got.append(value))
    engine.log.reply(to, (), b"here")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert got == [b"here"]
