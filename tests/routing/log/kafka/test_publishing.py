"""Publishing while a real Kafka is killed, paused and away: what each answer promised is so."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaConnectionError

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.log import KafkaLog
from routing.log.kafka.produce_request import ProduceRequest
from routing.log.kafka.topics import administering
from routing.log.port import (
    LogAway,
    LogError,
    LogUnusable,
    Position,
    Published,
    PublishRefused,
    PublishUnknown,
    TopicPartition,
    partition_of,
)
from routing.topics import REPLIES
from tests.contract.engines import PARTITIONS, TOPICS, Kafka, make_topics
from tests.engines.kafka import Kafka as Broker
from tests.engines.process import free_ports

LOCATIONS, CDRS = TOPICS


async def everything(log: KafkaLog, topic: str = LOCATIONS) -> dict[TopicPartition, list[bytes]]:
    """All that is on the log, by partition, in order."""
    looker = log.consumer("lookers", [topic], member="looker")
    start = Position(0, 0)
    tps = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    return {tp: [record.value for record in await looker.fetch(tp, start, max_records=10**6)] for tp in tps}


async def until_well(log: KafkaLog) -> None:
    end = time.monotonic() + 30
    while log.trouble() is not None:
        assert time.monotonic() < end, log.trouble()
        await asyncio.sleep(0.05)


class Load:
    """Publishers that go on whatever happens; each has a key of its own and waits for each answer."""

    def __init__(self, log: KafkaLog) -> None:
        self.log = log
        self.landed: dict[bytes, Published] = {}
        self.unknown: set[bytes] = set()
        self.refused: set[bytes] = set()
        self._going = True
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, publishers: int = 8) -> None:
        self._tasks = [asyncio.create_task(self._publish(b"key %d" % number)) for number in range(publishers)]

    async def stop(self) -> None:
        self._going = False
        await asyncio.gather(*self._tasks)

    async def _publish(self, key: bytes) -> None:
        number = 0
        while self._going:
            number += 1
            value = b"%s:%d" % (key, number)
            try:
                self.landed[value] = await self.log.publish(LOCATIONS, key, (), value, within=1)
            except PublishUnknown:
                self.unknown.add(value)
            except PublishRefused:
                self.refused.add(value)
            await asyncio.sleep(0.005)


async def test_a_request_that_fails_in_an_unforeseen_way_fails_what_it_had_and_the_next_is_sent(
    engine: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = engine.log
    await log.publish(LOCATIONS, b"key", (), b"before", within=10)
    lane = log._lane(LOCATIONS, b"key")
    identity = lane.identity

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken for a test")

    with monkeypatch.context() as patched:
        patched.setattr(log.publisher._producer._wire, "ask", broken)
        with pytest.raises(PublishUnknown, match="RuntimeError: broken for a test"):
            await log.publish(LOCATIONS, b"key", (), b"meanwhile", within=5)
    await log.publish(LOCATIONS, b"key", (), b"after", within=10)
    assert lane.identity != identity, "what it had may be there: its numbers are not used again"
    there = await everything(log)
    assert there[lane.tp] == [b"before", b"after"]


async def test_a_broker_that_is_killed_loses_nothing_doubles_nothing_and_keeps_the_order(
    alone: Kafka, victim: Broker
) -> None:
    log = alone.log
    load = Load(log)
    load.start()
    troubles = set()
    for _ in range(2):
        await asyncio.sleep(1)
        await asyncio.to_thread(victim.kill)
        await asyncio.sleep(2)
        troubles.add(log.trouble())
        await asyncio.to_thread(victim.start)
        await until_well(log)
    landed = len(load.landed)
    await asyncio.sleep(1)
    await load.stop()
    assert len(load.landed) > landed  # it goes on by itself
    assert None not in troubles
    await asyncio.sleep(1)  # what is still under way lands
    there = await everything(log)
    counted = Counter(value for values in there.values() for value in values)
    assert set(load.landed) <= set(counted)
    assert set(counted) <= set(load.landed) | load.unknown
    assert not load.refused & set(counted)
    assert set(counted.values()) == {1}
    for values in there.values():
        for key in {value.split(b":")[0] for value in values}:
            numbers = [int(value.split(b":")[1]) for value in values if value.split(b":")[0] == key]
            assert numbers == sorted(numbers)


async def test_of_a_broker_that_is_silent_nobody_knows_and_what_waits_behind_is_refused(
    alone: Kafka, victim: Broker
) -> None:
    log = alone.log
    await log.publish(LOCATIONS, b"key", (), b"before", within=10)
    victim.pause()
    await asyncio.sleep(0.1)  # all of it stands still
    try:
        first = asyncio.create_task(log.publish(LOCATIONS, b"key", (), b"sent", within=1.5))
        await asyncio.sleep(0.2)
        second = asyncio.create_task(log.publish(LOCATIONS, b"key", (), b"waiting", within=1))
        with pytest.raises(PublishUnknown):
            await first
        with pytest.raises(PublishRefused):
            await second
        until = time.monotonic() + 10
        while log.trouble() is None:
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
    finally:
        victim.go_on()
    await until_well(log)
    await log.publish(LOCATIONS, b"key", (), b"after", within=10)
    there = await everything(log)
    assert there[TopicPartition(LOCATIONS, partition_of(b"key", PARTITIONS))] == [b"before", b"sent", b"after"]


async def test_closing_does_not_wait_for_a_broker_that_is_silent(alone: Kafka, victim: Broker) -> None:
    victim.pause()
    await asyncio.sleep(0.1)  # all of it stands still
    try:
        publishing = asyncio.create_task(alone.log.publish(LOCATIONS, b"key", (), b"sent", within=60))
        await asyncio.sleep(0.2)
        await asyncio.wait_for(alone.log.close(), 20)
        with pytest.raises(PublishUnknown):
            await publishing
    finally:
        victim.go_on()


async def test_more_than_fits_is_refused_at_once(engine: Kafka) -> None:
    publisher = engine.log.publisher
    publisher._most_records = 5
    engine.late()
    waiting = [asyncio.create_task(engine.log.publish(LOCATIONS, b"key", (), b"", within=5)) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(PublishRefused, match="too much waits"):
        await engine.log.publish(LOCATIONS, b"key", (), b"", within=5)
    engine.let_land()
    await asyncio.gather(*waiting)
    await engine.log.publish(LOCATIONS, b"key", (), b"", within=5)
    publisher._most_bytes = 100
    with pytest.raises(PublishRefused, match="too much waits"):
        await engine.log.publish(LOCATIONS, b"key", (), b"x" * 100, within=5)
    assert engine.held_bytes() == 0


async def test_a_record_larger_than_the_topic_takes_is_refused_and_the_next_is_not(engine: Kafka) -> None:
    address = KafkaAddress.parse(f"kafka://{engine.address.servers[0]}?prefix={engine.address.prefix}small.")
    await make_topics(address, (LOCATIONS, REPLIES), **{"max.message.bytes": "20000"})
    log = KafkaLog(address, [LOCATIONS])
    await log.start()
    try:
        with pytest.raises(PublishRefused, match=r"more than ocpi\.locations takes \(20000\)"):
            await log.publish(LOCATIONS, b"key", (), b"x" * 20_000, within=5)
        await log.publish(LOCATIONS, b"key", (), b"x" * 19_500, within=5)
        log._lanes[TopicPartition(LOCATIONS, 0)].largest = 10**6  # as if it had been made smaller meanwhile
        key = next(key for number in range(99) if partition_of(key := b"%d" % number, PARTITIONS) == 0)
        with pytest.raises(PublishRefused, match=r"ocpi\.locations does not take the record"):
            await log.publish(LOCATIONS, key, (), b"x" * 30_000, within=5)
        await asyncio.gather(*(log.publish(LOCATIONS, key, (), b"x", within=10) for _ in range(3)))
    finally:
        await log.close()


async def test_what_cannot_be_written_is_refused_and_harms_nobody(engine: Kafka) -> None:
    with pytest.raises(PublishRefused, match="cannot be written"):
        await engine.log.publish(LOCATIONS, b"key", (("\ud800", b""),), b"", within=5)
    await engine.log.publish(LOCATIONS, b"key", (), b"", within=5)


async def test_a_partition_that_is_busy_holds_up_no_other(engine: Kafka) -> None:
    engine._producer().hold(0)
    keys = {partition_of(key := b"%d" % number, PARTITIONS): key for number in range(99)}
    busy = [
        asyncio.create_task(engine.log.publish(LOCATIONS, keys[0], (), b"%d" % number, within=20))
        for number in range(9)
    ]
    await asyncio.sleep(0.01)
    await asyncio.gather(*(engine.log.publish(LOCATIONS, keys[1], (), b"", within=10) for _ in range(9)))
    assert not any(publishing.done() for publishing in busy)
    engine.let_land()
    landed = [await publishing for publishing in busy]
    assert [one.position for one in landed] == sorted(one.position for one in landed)


async def test_without_a_broker_the_start_says_so() -> None:
    (port,) = free_ports(1)
    with pytest.raises(LogAway, match=f"127.0.0.1:{port}: Connection refused"):
        await KafkaLog(KafkaAddress.parse(f"kafka://127.0.0.1:{port}"), TOPICS).start()


async def test_topics_that_are_missing_or_do_not_agree_end_the_start(engine: Kafka) -> None:
    address = engine.address
    with pytest.raises(LogUnusable, match=r"there is no topic t\w+\.ocpi\.tariffs: run ocpi-hub topics create"):
        await KafkaLog(address, [*TOPICS, "ocpi.tariffs"]).start()
    async with administering(address) as admin:
        await admin.create_topics([NewTopic(address.topic("ocpi.tariffs"), PARTITIONS + 1, 1)])
        while address.topic("ocpi.tariffs") not in await admin.list_topics():
            await asyncio.sleep(0.01)  # made, and its broker has not heard of it yet
    with pytest.raises(LogUnusable, match=r"different numbers of partitions \(4, 5\)"):
        await KafkaLog(address, [*TOPICS, "ocpi.tariffs"]).start()


async def test_a_start_that_is_cancelled_leaves_nothing(engine: Kafka) -> None:
    for seconds in (0.0, 0.005, 0.02, 0.05):
        log = KafkaLog(engine.address, TOPICS)
        starting = asyncio.create_task(log.start())
        await asyncio.sleep(seconds)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        if not starting.cancelled():
            await log.close()


async def test_what_is_sent_again_is_there_once(engine: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker takes it, and its answer is lost on the way: three times, then once more after others."""
    log = engine.log
    wire = log.publisher._producer._wire
    ask = wire.ask
    lost = 3

    async def without_answer(node: int, request: object, **options: Any) -> Any:
        nonlocal lost
        answer = await ask(node, request, **options)
        if isinstance(request, ProduceRequest) and lost:
            lost -= 1
            raise KafkaConnectionError("the connection was lost for a test")
        return answer

    monkeypatch.setattr(wire, "ask", without_answer)
    first = await log.publish(LOCATIONS, b"key", (), b"first", within=10)
    assert lost == 0
    second = await log.publish(LOCATIONS, b"key", (), b"second", within=10)
    lost = 1
    third = await log.publish(LOCATIONS, b"key", (), b"third", within=10)
    assert [one.position.offset for one in (first, second, third)] == [0, 1, 2]
    there = await everything(log)
    assert there[first.tp] == [b"first", b"second", b"third"]


async def test_a_batch_that_is_refused_ends_the_identity_of_its_partition_alone(engine: Kafka) -> None:
    log = engine.log
    keys = {partition_of(key := b"%d" % number, PARTITIONS): key for number in range(99)}
    lanes = [log._lane(LOCATIONS, keys[number]) for number in (0, 1)]
    for number in (0, 1):
        await log.publish(LOCATIONS, keys[number], (), b"before", within=10)
    before = [lane.identity for lane in lanes]
    assert before[0] == before[1]
    engine.refuse()
    with pytest.raises(PublishRefused):
        await log.publish(LOCATIONS, keys[0], (), b"refused", within=10)
    for number in (0, 1):
        await log.publish(LOCATIONS, keys[number], (), b"after", within=10)
    assert (lanes[0].identity != before[0], lanes[1].identity == before[1]) == (True, True)
    assert [lane.sequence for lane in lanes] == [1, 2]


async def test_numbers_of_batches_begin_anew_behind_the_largest(engine: Kafka) -> None:
    log = engine.log
    await log.publish(LOCATIONS, b"key", (), b"0", within=10)
    lane = log._lane(LOCATIONS, b"key")
    lane.identity = None  # under a new one, as if it had sent two thousand million
    log.publisher._producer._identity = None
    await log.publish(LOCATIONS, b"other", (), b"", within=10)
    lane.identity, lane.sequence = log.publisher._producer._identity, 2**31 - 2
    records = [(b"key", (), b"%d" % number) for number in (1, 2, 3)]
    await log.publish_all(LOCATIONS, records, within=10)
    assert lane.sequence == 1
    await log.publish(LOCATIONS, b"key", (), b"4", within=10)
    there = await everything(log)
    assert [value for value in there[lane.tp] if value] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_publisher_that_never_started_refuses() -> None:
    log = KafkaLog(KafkaAddress.parse("kafka://one:9092"), TOPICS)
    assert log.trouble()
    with pytest.raises(LogError):
        await log.publish(LOCATIONS, b"", (), b"", within=1)


async def test_each_batch_tells_when_it_was_appended_by_the_logs_clock(engine: Kafka) -> None:
    log = await engine.open()
    told: list[tuple[int, int, int]] = []
    log.publisher.appended = lambda *moments: told.append(moments)
    published = [await log.publish(LOCATIONS, b"key", (), b"value", within=10) for _ in range(3)]
    assert [appended for _, appended, _ in told] == [one.append_time for one in published]
    for sent, appended, answered in told:
        assert sent <= appended <= answered  # broker and test have one clock
