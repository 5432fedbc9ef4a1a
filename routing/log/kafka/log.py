"""The Kafka log: put together from publishers, consumers and replies over what its topics were found to be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aiokafka.protocol.metadata import MetadataRequest

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.answers import Nobody, One, Together
from routing.log.kafka.batch import Item, Lane
from routing.log.kafka.consumer import KafkaConsumer
from routing.log.kafka.offsets import END, offsets
from routing.log.kafka.publisher import Publisher
from routing.log.kafka.replies import Replies
from routing.log.kafka.rules import Found
from routing.log.kafka.topics import administering, survey
from routing.log.kafka.wire import KafkaError, Wire, quiet
from routing.log.port import (
    Headers,
    LogAway,
    LogUnusable,
    Position,
    Published,
    PublishRefused,
    ReplyTo,
    TopicPartition,
    partition_of,
)
from routing.topics import EVENT_RETENTION_MS, EVENT_TOPICS, REPLIES

SESSION: Final = 10.0
_PING_SECONDS: Final = 1.0
_PING_TIMEOUT: Final = 2.0
_REPLY_SECONDS: Final = 10.0
_REPLY_RECORDS: Final = 10_000
_REPLY_BYTES: Final = 32 * 2**20
_DEFAULT_LARGEST: Final = 2**20


class KafkaLog:
    """The log port over a cluster. `topics` are those that are published to or read, without that of the replies.

    `settle` is how many seconds a listener may take over `revoked`, `session` after how many seconds without a sign of
    life a consumer's partitions go to others. With `static` consumers are known by their member's name: a member that
    is ended and comes back under its name is given what it had; the name is used again only when its former process
    is known to have ended. With `stay` its partitions wait for it, too, where it stops in order.
    """

    def __init__(
        self,
        address: KafkaAddress,
        topics: Sequence[str],
        *,
        settle: float = 10.0,
        session: float = SESSION,
        static: bool = False,
        stay: bool = False,
    ) -> None:
        self._address = address
        self._names = tuple(topics)
        self._settle = settle
        self._session = session
        self._static = static
        self._stay = stay
        self._counts: dict[str, int] = {}
        self._epochs: dict[str, int] = {}
        self._lanes: dict[TopicPartition, Lane] = {}
        self._consumers: list[KafkaConsumer] = []
        self._closed = True
        self._away: str | None = None
        self._watching: asyncio.Task[None] | None = None
        self.publisher = Publisher(address, [address.topic(name) for name in topics])
        self._replier: Publisher | None = None
        self._wire: Wire | None = None
        self._replies: Replies | None = None

    @property
    def partitions(self) -> int:
        return max(self._counts[name] for name in [name for name in self._names if name in EVENT_TOPICS] or self._names)

    @property
    def held_bytes(self) -> int:
        """What records take in memory: those on their way to the cluster, and those fetched and not yet read."""
        readers = sum(consumer.held_bytes for consumer in self._consumers)
        writers = sum(each.held_bytes for each in (self.publisher, self._replier) if each is not None)
        return writers + readers + (self._replies.held_bytes if self._replies is not None else 0)

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises LogAway, or LogUnusable for topics that are missing or do not agree; nothing is left behind then."""
        quiet()
        await self._learn()
        wire = Wire(self._address, [self._address.topic(name) for name in self._counts])
        try:
            await wire.start()
            await self.publisher.start()
        except BaseException:
            await wire.close()
            raise
        self._wire = wire
        self._replies = Replies(wire, self._address.topic(REPLIES), self._epochs[REPLIES])
        self._closed = False
        self._watching = asyncio.get_running_loop().create_task(self._watch(wire))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for consumer in self._consumers:
            consumer.abandon()
        if self._watching is not None:
            self._watching.cancel()
        publishers = (self.publisher, self._replier)
        await asyncio.gather(*(publisher.close() for publisher in publishers if publisher is not None))
        await asyncio.gather(*(consumer.close() for consumer in self._consumers))
        if self._replies is not None:
            await self._replies.close()
        if self._wire is not None:
            await self._wire.close()

    async def _learn(self) -> None:
        """How many partitions each topic has, its epoch and its largest record."""
        wanted = dict.fromkeys([*self._names, REPLIES])
        async with administering(self._address) as admin:
            survey_ = await survey(admin, [self._address.topic(name) for name in wanted])
        found: dict[str, Found] = {}
        for name in wanted:
            there = survey_.get(self._address.topic(name))
            if there is None:
                raise LogUnusable(f"there is no topic {self._address.topic(name)}: run ocpi-hub topics create")
            found[name] = there
        counts = {found[name].partitions for name in self._names if name in EVENT_TOPICS}
        if len(counts) > 1:
            raise LogUnusable(f"the event topics have different numbers of partitions ({', '.join(map(str, counts))})")
        for name, there in found.items():
            self._counts[name] = there.partitions
            self._epochs[name] = there.epoch
            largest = int(there.config.get("max.message.bytes") or _DEFAULT_LARGEST)
            for number in range(there.partitions):
                tp = TopicPartition(name, number)
                self._lanes[tp] = Lane(tp, self._address.topic(name), there.epoch, largest)

    # --- publishing --------------------------------------------------------------------------------------------------

    async def publish(self, topic: str, key: bytes, headers: Headers, value: bytes, *, within: float) -> Published:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Published] = loop.create_future()
        item = self.publisher.put(self._lane(topic, key), key, headers, value, One(future))
        late = loop.call_later(within, self.publisher.give_up, (item,))
        try:
            return await future
        finally:
            late.cancel()

    def publish_all(
        self, topic: str, records: Sequence[tuple[bytes, Headers, bytes]], *, within: float
    ) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        together = Together(len(records), done)
        if not records:
            done.set_result(None)
            return done
        items: list[Item] = []
        try:
            for key, headers, value in records:
                items.append(self.publisher.put(self._lane(topic, key), key, headers, value, together))
        except PublishRefused as error:
            together.failed(error)
        late = loop.call_later(within, self.publisher.give_up, items)
        done.add_done_callback(lambda _: late.cancel())
        return done

    def _lane(self, topic: str, key: bytes) -> Lane:
        count = self._counts.get(topic)
        if count is None:
            raise PublishRefused(f"there is no topic {topic}")
        return self._lanes[TopicPartition(topic, partition_of(key, count))]

    # --- reading -----------------------------------------------------------------------------------------------------

    async def ends(self, topic: str) -> Mapping[int, Position]:
        if self._wire is None or self._closed:
            raise LogAway("the log is closed")
        name, epoch = self._address.topic(topic), self._epochs[topic]
        found = await offsets(self._wire, [(name, number) for number in range(self._counts[topic])], END)
        return {number: Position(epoch, offset) for (_, number), offset in found.items()}

    async def at(self, topic: str, moment: int) -> Mapping[int, Position]:
        ends = await self.ends(topic)
        if moment < time.time() * 1000 - EVENT_RETENTION_MS:
            return dict.fromkeys(ends, Position(0, 0))
        assert self._wire is not None  # noqa: S101  # `ends` has looked
        name = self._address.topic(topic)
        found = await offsets(self._wire, [(name, number) for number in ends], max(moment, 0))
        return {
            number: end if (offset := found[name, number]) < 0 else Position(end.epoch, offset)
            for number, end in ends.items()
        }

    def consumer(self, group: str, topics: Sequence[str], *, member: str) -> KafkaConsumer:
        """Raises LogUnusable for a topic that there is not, or one with another number of partitions."""
        for topic in topics:
            if self._counts.get(topic) != self.partitions:
                raise LogUnusable(f"there is no topic {topic} with {self.partitions} partitions")
        consumer = KafkaConsumer(
            self._address,
            group,
            {topic: self._epochs[topic] for topic in topics},
            member=member,
            partitions=self.partitions,
            session=self._session,
            settle=self._settle,
            static=self._static,
            stay=self._stay,
        )
        self._consumers.append(consumer)
        return consumer

    def leaves(self) -> None:
        """The names of the consumers will not come back: their partitions wait for nobody when they stop."""
        for consumer in self._consumers:
            consumer.stay = False

    # --- replies -----------------------------------------------------------------------------------------------------

    async def open_replies(self, edge: str, on_reply: Callable[[Headers, bytes], None]) -> ReplyTo:
        """Raises LogAway."""
        to = ReplyTo(edge, partition_of(edge.encode(), self._counts[REPLIES]))
        if self._replies is None:
            raise LogUnusable("replies are opened before the log was started")
        await self._replies.open(edge, to.partition, on_reply)
        return to

    def reply(self, to: ReplyTo, headers: Headers, value: bytes) -> None:
        edge = to.edge.encode()
        on_reply = self._replies.edges.get(edge) if self._replies is not None else None
        if on_reply is not None:  # an edge of this process
            asyncio.get_running_loop().call_soon(on_reply, headers, value)
            return
        lane = self._lanes.get(TopicPartition(REPLIES, to.partition))
        if lane is None or self._closed:
            return
        replier = self._replier
        if replier is None:
            # Its own: a reply is worth nothing when it is late, and much of it when it waits for no replica.
            replier = self._replier = Publisher(
                self._address, [lane.named[0]], durable=False, most_records=_REPLY_RECORDS, most_bytes=_REPLY_BYTES
            )
            replier.begin()
        nobody = Nobody()
        try:
            item = replier.put(lane, edge, headers, value, nobody)
        except PublishRefused:
            return  # whoever waits for it learns of it by its deadline
        nobody.late = asyncio.get_running_loop().call_later(_REPLY_SECONDS, replier.give_up, (item,))

    async def trim(self) -> int:
        """Nothing to do: retention is the cluster's."""
        return 0

    # --- trouble -----------------------------------------------------------------------------------------------------

    def trouble(self) -> str | None:
        if self._closed:
            return "the log is closed"
        return self._away or self.publisher.trouble() or (self._replies.failure if self._replies is not None else None)

    async def _watch(self, wire: Wire) -> None:
        """Whether the cluster answers at all, also when nothing is published."""
        while True:
            try:
                node = wire.any_node()
                await wire.ask(node or 0, MetadataRequest([]), lane="watching", timeout=_PING_TIMEOUT)
                self._away = None
            except KafkaError:
                self._away = f"Kafka ({self._address}) does not answer"
            await asyncio.sleep(_PING_SECONDS)
