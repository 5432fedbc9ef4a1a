"""The log in memory, for tests and the simulation: no thread, no clock of its own, deterministic on a virtual loop.

What was published outlives every consumer, as a log on other machines would. Delays are the running loop's; nothing
here depends on the order of a set or on a hash.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from routing.log.faults import Fate, Faults
from routing.log.local import LocalConsumer
from routing.log.members import Group
from routing.log.memory_cursors import EPOCH, MemoryCursors, MemoryPartition
from routing.log.port import (
    Committed,
    Headers,
    Position,
    Published,
    PublishRefused,
    PublishUnknown,
    Record,
    ReplyTo,
    TopicPartition,
    partition_of,
)


class MemoryLog:
    """The log port in memory. `clock` is UTC ms; `retention_ms` and `settle` (seconds) as in the embedded engine.

    For the simulation: `kill`, `expire`, `away`, `back` by the member's name, `rebalance` by the group's.
    """

    def __init__(
        self,
        topics: Sequence[str],
        *,
        clock: Callable[[], int],
        partitions: int = 24,
        faults: Faults | None = None,
        retention_ms: int = 86_400_000,
        settle: float = 10.0,
    ) -> None:
        self._clock = clock
        self._count = partitions
        self._faults = faults or Faults()
        self._retention_ms = retention_ms
        self._settle = settle
        tps = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        self._partitions = {tp: MemoryPartition(tp) for tp in tps}
        self._topics = frozenset(topics)
        self._commits: dict[tuple[str, TopicPartition], Committed] = {}
        self._readers: dict[str, dict[str, None]] = {topic: {} for topic in topics}
        self._groups: dict[str, Group] = {}
        self._consumers: list[tuple[LocalConsumer, MemoryCursors]] = []
        self._replies: dict[str, Callable[[Headers, bytes], None]] = {}
        self._last = 0
        self._closed = False

    @property
    def partitions(self) -> int:
        return self._count

    async def start(self) -> None:
        self._closed = False

    async def close(self) -> None:
        self._closed = True
        for consumer, _ in self._consumers:
            consumer.abandon()
        self._replies.clear()

    async def publish(self, topic: str, key: bytes, headers: Headers, value: bytes, *, within: float) -> Published:
        return await self._begin(topic, key, headers, value, within)

    def _begin(
        self, topic: str, key: bytes, headers: Headers, value: bytes, within: float
    ) -> asyncio.Future[Published]:
        """What becomes of it is on timers: a publisher that ends meanwhile takes nothing back."""
        if self._closed or topic not in self._topics:
            raise PublishRefused("the log is closed" if self._closed else f"there is no topic {topic}")
        fault = self._faults.publish()
        fate, delay = fault.fate, fault.delay
        tp = TopicPartition(topic, partition_of(key, self._count))
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Published] = loop.create_future()

        def land() -> None:
            published = self._append(tp, key, headers, value)
            if fate is not Fate.LATE and not answer.done():
                answer.set_result(published)

        if fate is Fate.LANDS and not delay:
            land()
        elif fate is Fate.LANDS or fate is Fate.LATE:
            loop.call_later(delay + (within if fate is Fate.LATE else 0), land)
        elif fate is Fate.REFUSED:
            loop.call_later(delay, _fail, answer, PublishRefused("the log refused the record"))
        if not (fate in (Fate.LANDS, Fate.REFUSED) and delay <= within):
            loop.call_later(within, _fail, answer, PublishUnknown("the log did not answer in time"))
        return answer

    def publish_all(
        self, topic: str, records: Sequence[tuple[bytes, Headers, bytes]], *, within: float
    ) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        left = len(records)

        def answered(answer: asyncio.Future[Published]) -> None:
            nonlocal left
            left -= 1
            error = answer.exception()
            if not done.done() and error is not None:
                done.set_exception(error)
            elif not done.done() and not left:
                done.set_result(None)

        try:
            for record in records:
                self._begin(topic, *record, within).add_done_callback(answered)
        except PublishRefused as error:
            done.set_exception(error)
        if not records:
            done.set_result(None)
        return done

    async def ends(self, topic: str) -> Mapping[int, Position]:
        return {number: self.end(TopicPartition(topic, number)) for number in range(self._count)}

    async def at(self, topic: str, moment: int) -> Mapping[int, Position]:
        tps = [TopicPartition(topic, number) for number in range(self._count)]
        if moment < self._clock() - self._retention_ms:
            return dict.fromkeys(range(self._count), Position(0, 0))
        later = {tp: [one.position for one in self._partitions[tp].records if one.append_time >= moment] for tp in tps}
        return {tp.partition: min(later[tp], default=self.end(tp)) for tp in tps}

    def consumer(self, group: str, topics: Sequence[str], *, member: str) -> LocalConsumer:
        """Raises ValueError for a topic that there is not."""
        if unknown := [topic for topic in topics if topic not in self._topics]:
            raise ValueError(f"there is no topic {', '.join(unknown)}")
        for topic in topics:
            self._readers[topic][group] = None
        members = self._groups.setdefault(group, Group(group, self._count))
        cursors = MemoryCursors(self._partitions)
        consumer = LocalConsumer(members, member, topics, cursors, self, self._settle)
        self._consumers = [held for held in self._consumers if not held[0].gone]
        self._consumers.append((consumer, cursors))
        return consumer

    async def open_replies(self, edge: str, on_reply: Callable[[Headers, bytes], None]) -> ReplyTo:
        self._replies[edge] = on_reply
        return ReplyTo(edge, 0)

    def close_replies(self, edge: str) -> None:
        """The edge process is gone."""
        self._replies.pop(edge, None)

    def reply(self, to: ReplyTo, headers: Headers, value: bytes) -> None:
        delay = self._faults.reply()
        if delay is not None:
            asyncio.get_running_loop().call_later(delay, self._deliver, to.edge, headers, value)

    async def trim(self) -> int:
        gone = 0
        before = self._clock() - self._retention_ms
        for tp, partition in self._partitions.items():
            committed = (self._commits.get((group, tp)) for group in self._readers[tp.topic])
            floor = min((at.next.offset if at else 0 for at in committed), default=partition.end)
            old = 0
            for record in partition.records:
                if record.position.offset >= floor or record.append_time >= before:
                    break
                old += 1
            del partition.records[:old]
            partition.base += old
            gone += old
        return gone

    def trouble(self) -> str | None:
        return "the log is closed" if self._closed else None

    # --- what the simulation does to members -------------------------------------------------------------------------

    def kill(self, member: str) -> None:
        """End it as a killed process; its partitions go to the others at once."""
        self._member(member).abandon()

    def expire(self, member: str) -> None:
        """Its session ends while it lives: its partitions go; its next `read` tells its listener and joins again."""
        self._member(member).expire()

    def away(self, member: str) -> None:
        """Cut it off: `holds` is false and commits raise LogAway; it keeps its partitions until `expire`."""
        self._member(member).set_away(True)

    def back(self, member: str) -> None:
        self._member(member).set_away(False)

    def rebalance(self, group: str) -> None:
        """Make every member give up what it holds, in order, and deal anew, with other owners if there are several."""
        self._groups[group].rebalance()

    # --- Keeper ------------------------------------------------------------------------------------------------------

    async def committed(self, group: str, tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, Committed]:
        return {tp: self._commits[group, tp] for tp in tps if (group, tp) in self._commits}

    def end(self, tp: TopicPartition) -> Position:
        return Position(EPOCH, self._partitions[tp].end)

    async def save(
        self, group: str, commits: Mapping[TopicPartition, Committed], mine: Callable[[TopicPartition], bool]
    ) -> Sequence[TopicPartition]:
        delay = self._faults.commit()
        if delay:
            await asyncio.sleep(delay)
        for tp, committed in commits.items():
            if mine(tp):
                self._commits[group, tp] = committed
        return [tp for tp in commits if not mine(tp)]

    # --- inside ------------------------------------------------------------------------------------------------------

    def _member(self, member: str) -> LocalConsumer:
        """Raises KeyError when no such member lives."""
        for consumer, _ in self._consumers:
            if consumer.member == member and not consumer.gone:
                return consumer
        raise KeyError(member)

    def _append(self, tp: TopicPartition, key: bytes, headers: Headers, value: bytes) -> Published:
        partition = self._partitions[tp]
        self._last = max(self._last, self._clock())  # append times never go back, whatever the clock does
        position = Position(EPOCH, partition.end)
        partition.records.append(Record(tp.topic, tp.partition, position, self._last, key, headers, value))
        for consumer, cursors in self._consumers:
            if cursors.news(tp):
                consumer.wake.ring()
        return Published(tp, position, self._last)

    def _deliver(self, edge: str, headers: Headers, value: bytes) -> None:
        on_reply = self._replies.get(edge)
        if on_reply is not None:
            on_reply(headers, value)


def _fail(answer: asyncio.Future[Published], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
