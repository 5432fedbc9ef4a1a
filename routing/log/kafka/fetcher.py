"""Reading partitions: each broker is asked for those that it leads, a little ahead of who reads, and never much.

It is asked topic by topic, over a connection for each: where one topic is read from far behind, what is new of another
waits neither for those answers nor for room beside them.

A partition's place here is its reader's alone: where it stands, whether it waits, outlives every change in the group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Final

from aiokafka.errors import (
    FetchSessionIdNotFound,
    InvalidFetchSessionEpoch,
    OffsetOutOfRangeError,
)

from routing.log.kafka.fetch_request import NO_SESSION, Fetched, FetchedPartition, FetchRequest
from routing.log.kafka.packed import Named
from routing.log.kafka.parts import Part
from routing.log.kafka.wire import BACKOFF, REQUEST_MS, KafkaError, Wire, failure
from routing.log.port import Record, TopicPartition

AHEAD_BYTES: Final = 1024 * 1024
"""What is fetched ahead of the reader, of each topic; a broker's next answer may come on top."""

ANSWER_BYTES: Final = 256 * 1024
PARTITION_BYTES: Final = 128 * 1024
_LEAST_BYTES: Final = 2**16
_FEW_BYTES: Final = 16 * 1024
_MOST_EPOCH: Final = 2**31 - 1
_LANE: Final = "fetch"
_QUIET: Final = 8
"""So many times as long a broker holds a question about a topic of which nothing comes."""

_Home = tuple[int, str]
"""A broker, and a topic of which it leads partitions."""


class _Ahead:
    """What is held of one topic, and whether there is room for more."""

    __slots__ = ("bytes", "room")

    def __init__(self) -> None:
        self.bytes = 0
        self.room = asyncio.Event()
        self.room.set()

    def add(self, size: int) -> None:
        self.bytes += size
        if self.bytes < AHEAD_BYTES:
            self.room.set()
        else:
            self.room.clear()


class _Node:
    """One broker and topic: the session with it, what the session knows, and what is to be told to it."""

    __slots__ = ("changed", "epoch", "held", "known", "parts", "quiet", "session", "task", "work")

    def __init__(self) -> None:
        self.work = asyncio.Event()
        self.parts: dict[Named, Part] = {}
        self.changed: dict[Named, None] = {}
        self.known: dict[Named, int] = {}
        self.session, self.epoch = NO_SESSION
        self.task: asyncio.Task[None] | None = None
        self.quiet = 1
        self.held = False
        """Whether its broker holds a question for long."""

    def forget_session(self) -> None:
        self.session, self.epoch = NO_SESSION
        self.known.clear()

    def request(self, max_bytes: int, wait_ms: int) -> FetchRequest:
        """What to ask next: all that is wanted with a new session, else what changed since the last time."""
        tell: dict[Named, int] = {}
        forget: list[Named] = []
        names = self.changed if self.session else self.parts
        for name in names:
            part = self.parts.get(name)
            if part is not None and part.wanted:
                if self.known.get(name) != part.ahead:
                    tell[name] = self.known[name] = part.ahead
            elif self.known.pop(name, None) is not None:
                forget.append(name)
        self.changed.clear()
        return FetchRequest(
            (self.session, self.epoch),
            tell,
            forget,
            wait_ms=wait_ms,
            max_bytes=max_bytes,
            partition_bytes=min(PARTITION_BYTES, max_bytes),
        )

    def answered(self, session: int, *, news: bool) -> None:
        self.quiet = 1 if news else min(self.quiet * 2, _QUIET)
        self.session = session
        self.epoch = 1 if not session or self.epoch >= _MOST_EPOCH else self.epoch + 1
        if not session:
            self.forget_session()


class Fetcher:
    """`news` is called when there is something to take, or a partition has `fallen`. `wait_ms` is how long a broker
    holds a question that has no answer yet, and up to _QUIET times that where nothing comes. A partition that comes or
    is resumed waits for `wait_ms` at most: a question that is held for longer is taken back."""

    def __init__(self, wire: Wire, news: Callable[[], None], *, wait_ms: int) -> None:
        self._wire = wire
        self._news = news
        self._wait_ms = wait_ms
        self._parts: dict[TopicPartition, Part] = {}
        self._nodes: dict[_Home, _Node] = {}
        self._ahead: dict[str, _Ahead] = {}
        self._ready: dict[TopicPartition, None] = {}
        self._homing: asyncio.Task[None] | None = None
        self.fallen = False
        """Whether there are such as `take_fallen` returns, or will be."""
        self.failure: str | None = None
        """Why the cluster refuses to be read, if it does."""

    @property
    def held_bytes(self) -> int:
        return sum(ahead.bytes for ahead in self._ahead.values())

    # --- the reader's side -------------------------------------------------------------------------------------------

    def seek(self, tp: TopicPartition, name: Named, epoch: int, offset: int) -> None:
        """Hold it from now on, not paused, and read on from there."""
        self.drop(tp)
        self._parts[tp] = Part(tp, name, epoch, offset)
        if name[0] not in self._ahead:
            self._ahead[name[0]] = _Ahead()
        self._find_homes()

    def drop(self, tp: TopicPartition) -> None:
        part = self._parts.pop(tp, None)
        if part is None:
            return
        self._ready.pop(tp, None)
        self._ahead[part.name[0]].add(-part.bytes)
        if part.node is not None:
            node = self._nodes[part.node]
            node.parts.pop(part.name, None)
            node.changed[part.name] = None

    def pause(self, tp: TopicPartition) -> None:
        part = self._parts.get(tp)
        if part is not None and not part.paused:
            part.paused = True
            self._ready.pop(tp, None)
            self._touch(part)

    def resume(self, tp: TopicPartition) -> None:
        part = self._parts.get(tp)
        if part is not None and part.paused:
            part.paused = False
            if part.chunks:
                self._ready[tp] = None
            self._touch(part)

    def position(self, tp: TopicPartition) -> tuple[int, int] | None:
        """Epoch and next offset to be given."""
        part = self._parts.get(tp)
        return None if part is None else (part.epoch, part.given)

    def take_fallen(self) -> list[TopicPartition]:
        """Those of which what comes next is gone from the log, once all before it was given: to be sought anew."""
        found = [tp for tp, part in self._parts.items() if part.lost and not part.chunks]
        self.fallen = any(part.lost for part in self._parts.values() if part.tp not in found)
        return found

    def take(self, max_records: int, max_bytes: int) -> list[Record]:
        """What is there now, at least one record if there is any; partitions take turns at being first.

        Half of it may be of those that hold little: theirs are news, while the others are read from far behind.
        """
        taken: list[Record] = []
        few = [tp for tp in self._ready if self._parts[tp].bytes <= _FEW_BYTES]
        if few and len(few) < len(self._ready):
            half = max_bytes // 2
            max_bytes += self._take(taken, few, max_records // 2, half) - half
        self._take(taken, list(self._ready), max_records, max_bytes)
        return taken

    def _take(self, taken: list[Record], tps: Sequence[TopicPartition], max_records: int, max_bytes: int) -> int:
        """Move records of these until one of the bounds is reached; returns how many bytes are left of them."""
        for tp in tps:
            if len(taken) >= max_records or max_bytes <= 0:
                break
            part = self._parts[tp]
            before = part.bytes
            max_bytes = part.take(taken, max_records, max_bytes)
            self._ahead[part.name[0]].add(part.bytes - before)
            del self._ready[tp]
            if part.chunks:
                self._ready[tp] = None  # behind the others
        return max_bytes

    async def close(self) -> None:
        self.end()
        tasks = [node.task for node in self._nodes.values() if node.task is not None]
        await asyncio.gather(*tasks, *([self._homing] if self._homing else []), return_exceptions=True)

    def end(self) -> None:
        """Ask no more."""
        for node in self._nodes.values():
            if node.task is not None:
                node.task.cancel()
        if self._homing is not None:
            self._homing.cancel()
        self._parts.clear()
        self._ready.clear()
        self._ahead.clear()

    # --- the brokers' side -------------------------------------------------------------------------------------------

    def _touch(self, part: Part) -> None:
        if part.node is not None:
            node = self._nodes[part.node]
            node.changed[part.name] = None
            node.quiet = 1
            node.work.set()
            if node.held and part.wanted:
                node.held = False
                self._wire.hang_up(part.node[0], (_LANE, part.name[0]))

    def _find_homes(self) -> None:
        if self._homing is None or self._homing.done():
            self._homing = self._begin(self._home())

    async def _home(self) -> None:
        """Give each partition to the broker that leads it, asking anew as long as nobody does."""
        while True:
            homeless = [part for part in self._parts.values() if part.node is None]
            for part in homeless:
                leader = self._wire.leader(*part.name)
                if leader is not None:
                    self._settle(part, leader)
            if all(part.node is not None for part in homeless):
                return
            await self._refresh()

    def _settle(self, part: Part, leader: int) -> None:
        home = leader, part.name[0]
        node = self._nodes.get(home)
        if node is None:
            node = self._nodes[home] = _Node()
        part.node = home
        node.parts[part.name] = part
        self._touch(part)
        if node.task is None or node.task.done():
            node.task = self._begin(self._run(home, node))

    def _begin(self, run: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(run)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = f"reading stopped: {type(error).__name__}: {error}"
            self._news()

    async def _refresh(self) -> None:
        await asyncio.sleep(BACKOFF)
        try:
            await self._wire.refresh()
        except KafkaError:
            pass

    async def _run(self, home: _Home, node: _Node) -> None:
        leader, topic = home
        ahead = self._ahead[topic]
        while node.parts:
            await ahead.room.wait()
            if not any(part.wanted for part in node.parts.values()):
                node.work.clear()
                await node.work.wait()
                continue
            max_bytes = max(min(ANSWER_BYTES, AHEAD_BYTES - ahead.bytes), _LEAST_BYTES)
            wait_ms = self._wait_ms * node.quiet
            held = node.held = node.quiet > 1
            try:
                fetched: Fetched = await self._wire.ask(
                    leader,
                    node.request(max_bytes, wait_ms),
                    lane=(_LANE, topic),
                    timeout=(wait_ms + REQUEST_MS) / 1000,
                )
            except KafkaError:
                node.forget_session()
                if held and not node.held:
                    continue  # it was taken back, for what is asked now
                self._unsettle(node.parts.values())
                await self._refresh()
                continue
            node.held = False
            await self._answered(node, fetched)
        node.forget_session()

    async def _answered(self, node: _Node, fetched: Fetched) -> None:
        error = failure(fetched.error)
        if error is not None:
            node.forget_session()
            if not isinstance(error, FetchSessionIdNotFound | InvalidFetchSessionEpoch):
                await asyncio.sleep(BACKOFF)
            return
        asked = node.known
        news = False
        moved: list[Part] = []
        for found in fetched.partitions:
            part = node.parts.get(found.name)
            if part is None or asked.get(found.name) != part.ahead or not part.wanted:
                continue  # it was dropped, sought elsewhere or paused since it was asked for
            if found.error:
                moved += self._refused(part, found)
                news = news or part.lost
            elif found.records and part.add(found.records):
                self.failure = None
                self._ahead[part.name[0]].add(len(found.records))
                self._ready[part.tp] = None
                node.changed[part.name] = None
                news = True
        node.answered(fetched.session, news=news)
        if news:
            self._news()
        if moved:
            self._unsettle(moved)
            await self._refresh()

    def _refused(self, part: Part, found: FetchedPartition) -> Sequence[Part]:
        """A partition that its broker did not give; returned if it may be elsewhere now."""
        error = failure(found.error)
        if isinstance(error, OffsetOutOfRangeError):
            part.lost = self.fallen = True
            self._touch(part)
            return ()
        if error is not None and not error.retriable:
            self.failure = f"{part.name[0]} cannot be read: {error}"
        return (part,)

    def _unsettle(self, parts: Iterable[Part]) -> None:
        for part in list(parts):
            if part.node is not None:
                node = self._nodes[part.node]
                node.parts.pop(part.name, None)
                node.changed[part.name] = None
                part.node = None
        self._find_homes()
