"""The log engines as the contract suite sees them: what it takes to open one, and to make it misbehave."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from secrets import token_hex
from sqlite3 import SQLITE_FULL, OperationalError
from typing import Any, Protocol, cast

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import MessageSizeTooLargeError

from routing.log.embedded import EmbeddedLog
from routing.log.faults import Fate, PublishFault, ScriptedFaults
from routing.log.kafka import KafkaAddress
from routing.log.kafka.batch import Batch
from routing.log.kafka.consumer import KafkaConsumer
from routing.log.kafka.log import KafkaLog
from routing.log.kafka.producer import Producer
from routing.log.kafka.topics import administering
from routing.log.local import LocalConsumer
from routing.log.memory import MemoryLog
from routing.log.port import Assignment, Committed, Consumer, Log, Position, Record, TopicPartition
from routing.topics import REPLIES

TOPICS = ("ocpi.locations", "ocpi.cdrs")
PARTITIONS = 4
TAIL = 2**20  # bytes of records that the embedded engine may keep beside what is being written


class LogEngine(Protocol):
    """One engine with a log that is open."""

    @property
    def log(self) -> Log: ...

    async def open(self) -> Log: ...

    async def close(self) -> None: ...

    def kill(self, consumer: Consumer) -> None:
        """End a member as kill -9 does: it says nothing and leaves nothing in order."""

    def late(self) -> None:
        """The next record lands, but only after its publisher was told that nobody knows."""

    def let_land(self) -> None:
        """It lands now."""

    def refuse(self) -> None:
        """The next record cannot be written."""

    def held_bytes(self) -> int:
        """What records take in memory because somebody has not read them yet."""


class Embedded:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._go = threading.Event()
        self._go.set()
        self._failures = 0

    async def open(self) -> Log:
        self.log = EmbeddedLog(
            self._folder, TOPICS, partitions=PARTITIONS, tail_bytes=TAIL, settle=0.2, before_commit=self._before_commit
        )
        await self.log.start()
        return self.log

    async def close(self) -> None:
        self._go.set()
        await self.log.close()

    def kill(self, consumer: Consumer) -> None:
        assert isinstance(consumer, LocalConsumer)
        consumer.abandon()

    def late(self) -> None:
        self._go.clear()

    def let_land(self) -> None:
        self._go.set()

    def refuse(self) -> None:
        self._failures = 1

    def held_bytes(self) -> int:
        return self.log.held_bytes

    def _before_commit(self) -> None:
        self._go.wait(10)
        if self._failures:
            self._failures -= 1
            error = OperationalError("database or disk is full")
            error.sqlite_errorcode = SQLITE_FULL
            raise error


class Memory:
    def __init__(self, folder: Path) -> None:
        del folder
        self._faults = ScriptedFaults(publishes=deque())

    async def open(self) -> Log:
        self.log = MemoryLog(
            TOPICS, partitions=PARTITIONS, settle=0.2, faults=self._faults, clock=lambda: time.time_ns() // 1_000_000
        )
        await self.log.start()
        return self.log

    async def close(self) -> None:
        await self.log.close()

    def kill(self, consumer: Consumer) -> None:
        assert isinstance(consumer, LocalConsumer)
        self.log.kill(consumer.member)

    def late(self) -> None:
        self._faults.publishes.append(PublishFault(Fate.LATE, 0.02))

    def let_land(self) -> None:
        """It does by itself."""

    def refuse(self) -> None:
        self._faults.publishes.append(PublishFault(Fate.REFUSED))

    def held_bytes(self) -> int:
        return 0  # its records stand for the disk; nothing is copied for a reader


class Kafka:
    """A real Kafka that others use too: every log has topics and groups of its own."""

    def __init__(self, servers: str, *, session: float = 2.5, settle: float = 1.0, static: bool = False) -> None:
        self.address = KafkaAddress.parse(f"kafka://{servers}?prefix=t{token_hex(6)}.")
        self._options = {"session": session, "settle": settle, "static": static}
        self.logs: list[KafkaLog] = []

    async def open(self) -> KafkaLog:
        await make_topics(self.address, (*TOPICS, REPLIES))
        self.log = await self.another()
        return self.log

    async def another(self, **options: Any) -> KafkaLog:
        """A second log over the same topics, as another process has one."""
        log = KafkaLog(self.address, TOPICS, **{**self._options, **options})
        await log.start()
        self.logs.append(log)
        return log

    async def close(self) -> None:
        self.let_land()
        for log in self.logs:
            await log.close()

    def kill(self, consumer: Consumer) -> None:
        assert isinstance(consumer, KafkaConsumer)
        consumer.abandon()

    def late(self) -> None:
        self._producer().hold()

    def let_land(self) -> None:
        producer: object = self.log.publisher._producer
        if isinstance(producer, Held):
            producer.let_go()

    def refuse(self) -> None:
        self._producer().refuse()

    def held_bytes(self) -> int:
        return self.log.held_bytes

    def _producer(self) -> Held:
        publisher: Any = self.log.publisher
        if not isinstance(publisher._producer, Held):
            publisher._producer = Held(publisher._producer)
        return cast("Held", publisher._producer)


class Held:
    """A producer between whose hands and the cluster's a test stands."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._kept: list[Batch] = []
        self._holds = False
        self._held: int | None = None
        self._refusals = 0

    def hold(self, partition: int | None = None) -> None:
        """What goes to this partition, or to any."""
        self._held = partition
        self._holds = True

    def let_go(self) -> None:
        self._holds = False
        kept, self._kept = self._kept, []
        self._producer.send(kept)

    def refuse(self) -> None:
        self._refusals += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def send(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            if self._refusals:
                self._refusals -= 1
                refused = self._producer._refused
                asyncio.get_running_loop().call_soon(refused, batch, MessageSizeTooLargeError())
            elif self._holds and self._held in {None, batch.lane.tp.partition}:
                self._kept.append(batch)
            else:
                self._producer.send([batch])


async def make_topics(address: KafkaAddress, names: Sequence[str], **settings: str) -> None:
    """Topics as the hub needs them, each of PARTITIONS partitions, seen by the broker when this returns."""
    configs = {"message.timestamp.type": "LogAppendTime", "delete.retention.ms": "1790000000000", **settings}
    async with administering(address) as admin:
        await admin.create_topics(
            [NewTopic(address.topic(name), PARTITIONS, 1, topic_configs=configs) for name in names]
        )
        while True:
            led = {
                topic["topic"]
                for topic in await admin.describe_topics()
                if topic["partitions"] and all(one["leader"] >= 0 for one in topic["partitions"])
            }
            if led >= {address.topic(name) for name in names}:
                return
            await asyncio.sleep(0.02)


LOG_ENGINES: dict[str, Callable[[Path, pytest.FixtureRequest], LogEngine]] = {
    "embedded": lambda folder, _request: Embedded(folder),
    "kafka": lambda _folder, request: Kafka(request.getfixturevalue("kafka")),
    "memory": lambda folder, _request: Memory(folder),
}
"""An engine joins the suite by standing here."""


class Told:
    """A listener that writes down what it is told, and settles as it is told to."""

    def __init__(self) -> None:
        self.consumer: Consumer | None = None
        self.now: dict[TopicPartition, Assignment] = {}
        self.revoked_tps: list[TopicPartition] = []
        self.on_revoke: dict[TopicPartition, Committed] = {}
        self.errors: list[Exception] = []

    async def assigned(self, assignments: Sequence[Assignment]) -> None:
        self.now.update({assignment.tp: assignment for assignment in assignments})

    async def revoked(self, tps: Sequence[TopicPartition]) -> None:
        self.revoked_tps += tps
        for tp in tps:
            self.now.pop(tp, None)
        mine = {tp: committed for tp, committed in self.on_revoke.items() if tp in tps}
        if mine and self.consumer is not None:
            try:
                await self.consumer.commit(mine)
            except Exception as error:
                self.errors.append(error)


async def join(log: Log, member: str, group: str = "workers", topics: Sequence[str] = TOPICS) -> tuple[Consumer, Told]:
    """A member that has started; it is assigned nothing before it reads."""
    told = Told()
    told.consumer = log.consumer(group, topics, member=member)
    await told.consumer.start(told)
    return told.consumer, told


async def read(consumer: Consumer, count: int, seconds: float = 5.0, **limits: int) -> list[Record]:
    """Read until there are `count` records, or nothing more comes for long."""
    records: list[Record] = []
    until = time.monotonic() + seconds
    limits = {"max_records": 500, "max_bytes": 2**20, **limits}
    while len(records) < count and time.monotonic() < until:
        records += await consumer.read(wait=0.2, **limits)
    return records


async def settle(*consumers: Consumer) -> None:
    """Let assignment changes happen, which need all members to read in turn.

    Where the group is kept in this process that is done after a few turns; else when they hold everything between them.
    """
    for _ in range(3):
        for consumer in consumers:
            await consumer.read(max_records=0, max_bytes=0, wait=0)
    until = time.monotonic() + 20
    while isinstance(consumers[0], KafkaConsumer) and not _share(consumers):
        assert time.monotonic() < until, "these members never held all partitions between them"
        for consumer in consumers:
            await consumer.read(max_records=0, max_bytes=0, wait=0.01)


def _share(consumers: Sequence[Consumer]) -> bool:
    tps = [TopicPartition(topic, number) for topic in TOPICS for number in range(PARTITIONS)]
    held = [[tp for tp in tps if consumer.position(tp) is not None] for consumer in consumers]
    return all(held) and sum(map(len, held)) == len(tps)


def after(record: Record) -> Position:
    """The position that is committed once this record is settled."""
    return Position(record.position.epoch, record.position.offset + 1)
