"""The Kafka engine's consumer: a membership that says what is ours, a fetcher that reads it, and a listener between."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from routing.log.kafka import commits as committing
from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.fetcher import Fetcher
from routing.log.kafka.membership import Membership
from routing.log.kafka.offsets import BEGINNING, END, look, offsets
from routing.log.kafka.packed import Named
from routing.log.kafka.wire import Wire
from routing.log.port import (
    Assignment,
    Committed,
    Listener,
    LogAway,
    LogError,
    PartitionLost,
    Position,
    Record,
    TopicPartition,
)
from routing.log.wake import Wake

_WAIT_MS = 250
"""How long a partition that was just assigned or resumed may wait for a question that was asked without it."""


class _Held:
    """A partition from being given to being given up. `told`: the listener knows of it. `fell`: into a gap."""

    __slots__ = ("fell", "told")

    def __init__(self, *, fell: bool = False) -> None:
        self.told = False
        self.fell = fell


class KafkaConsumer:
    """One member. `settle` is how long its listener may take over `revoked`, `session` how long the group counts on
    it without a sign of life, both in seconds. With `static` it is known by its name; with `stay`, too, its partitions
    wait for it when it stops, until its session is over."""

    def __init__(
        self,
        address: KafkaAddress,
        group: str,
        topics: Mapping[str, int],
        *,
        member: str,
        partitions: int,
        session: float,
        settle: float,
        static: bool = False,
        stay: bool = False,
    ) -> None:
        """`topics` are those to read, each with its epoch."""
        self.member = member
        self._epochs = dict(topics)
        self._theirs = {topic: address.topic(topic) for topic in topics}
        self._ours = {theirs: topic for topic, theirs in self._theirs.items()}
        self._settle = settle
        self.stay = static and stay
        """Whether its partitions wait for it when it stops; may be changed until then."""
        self._wire = Wire(address, list(self._ours), client_id=member)
        self._wake = Wake()
        self._fetcher = Fetcher(self._wire, self._wake.ring, wait_ms=_WAIT_MS)
        self._membership = Membership(
            self._wire,
            address.group(group),
            member,
            list(self._ours),
            partitions=partitions,
            session=session,
            static=static,
            holds=lambda: [self._name(tp) for tp in self._held],
            changed=self._changed,
            thrown_out=self._thrown_out,
        )
        self._listener: Listener | None = None
        self._turn = asyncio.Lock()
        self._check = False
        self._held: dict[TopicPartition, _Held] = {}
        self._lost: list[TopicPartition] = []
        self._looking: asyncio.Task[list[tuple[Assignment, int]]] | None = None
        self._stopping = self.gone = False

    @property
    def held_bytes(self) -> int:
        """What records take in memory that nobody has read yet."""
        return self._fetcher.held_bytes

    # --- the port ----------------------------------------------------------------------------------------------------

    async def start(self, listener: Listener) -> None:
        self._listener = listener
        self._membership.start()

    async def stop(self) -> None:
        self._stopping = True
        self._wake.ring()
        if self._looking is not None:  # a silent broker would hold up the end for as long as it may be asked
            self._looking.cancel()
        async with self._turn:
            if self.gone:
                return
            try:
                await self._revoke([*self._lost, *self._told(self._held)])
                if self._listener is not None:
                    await self._membership.leave(stay=self.stay)
            finally:
                self.abandon()
                await self.close()

    async def read(self, *, max_records: int, max_bytes: int, wait: float) -> list[Record]:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        async with self._turn:
            while not self._ended():
                if self._check or self._lost or self._fetcher.fallen:
                    await self._carry_out()
                records = self._fetcher.take(max_records, max_bytes)
                if records and not self._ended():
                    return records
                self._complain()
                if not await self._wake.wait(until - loop.time()):
                    break
        return []

    async def commit(self, commits: Mapping[TopicPartition, Committed]) -> None:
        tenures = {tp: self._held[tp] for tp in commits if tp in self._held}
        lost = [tp for tp in commits if tp not in tenures]
        if tenures:
            going = {self._name(tp): (tp, committing.write(commits[tp])) for tp in tenures}
            failed = await self._membership.commit(
                {name: commit for name, (_, commit) in going.items()},
                lambda name: self._held.get(going[name][0]) is tenures[going[name][0]],
            )
            lost += [going[name][0] for name in failed]
        if lost:
            raise PartitionLost(lost)

    def pause(self, tps: Sequence[TopicPartition]) -> None:
        for tp in tps:
            self._fetcher.pause(tp)

    def resume(self, tps: Sequence[TopicPartition]) -> None:
        for tp in tps:
            self._fetcher.resume(tp)
        self._wake.ring()

    async def fetch(self, tp: TopicPartition, start: Position, *, max_records: int) -> list[Record]:
        return await look(self._wire, tp, self._named(tp), self._epochs[tp.topic], start, max_records)

    def position(self, tp: TopicPartition) -> Position | None:
        found = self._fetcher.position(tp)
        return None if found is None else Position(*found)

    def holds(self) -> bool:
        return self._membership.alive() and not (self.gone or self._lost)

    # --- ending ------------------------------------------------------------------------------------------------------

    def abandon(self) -> None:
        """End as a killed process does: the group is told nothing, its session runs out, commits are refused."""
        self.gone = True
        self._membership.end()
        self._fetcher.end()
        self._held.clear()
        self._lost.clear()
        self._wake.ring()

    async def close(self) -> None:
        """After `abandon`: close the connections."""
        await self._fetcher.close()
        await self._wire.close()

    # --- what changes ------------------------------------------------------------------------------------------------

    def _ended(self) -> bool:
        return self.gone or self._stopping

    def _changed(self) -> None:
        self._check = True
        self._wake.ring()

    def _thrown_out(self) -> None:
        """At once: what was held may be another's by now. The listener is told by the next `read`."""
        self._lost += self._told(self._held)
        for tp in self._held:
            self._fetcher.drop(tp)
        self._held.clear()
        self._changed()

    def _complain(self) -> None:
        for failure in (self._membership.failure, self._fetcher.failure):
            if failure is not None:
                raise LogError(failure)

    def _told(self, tps: Mapping[TopicPartition, _Held]) -> list[TopicPartition]:
        return [tp for tp, held in tps.items() if held.told]

    async def _carry_out(self) -> None:
        """Lose, give up and take what the last round asks for."""
        self._check = False
        if self._lost:
            lost = list(self._lost)
            await self._revoke(lost)
            del self._lost[: len(lost)]
        assignment = self._membership.assignment
        if assignment is None:
            return
        given = {TopicPartition(self._ours[tp.topic], tp.partition) for tp in assignment if tp.topic in self._ours}
        going = [tp for tp in self._held if tp not in given]
        if going:
            await self._give_up(going)
        fallen = self._fetcher.take_fallen()
        if fallen:
            await self._revoke(fallen)
            for tp in fallen:
                if tp in self._held:
                    self._held[tp] = _Held(fell=True)
        for tp in sorted(given - self._held.keys()):
            self._held[tp] = _Held()
        await self._take_over()

    async def _give_up(self, going: Sequence[TopicPartition]) -> None:
        """Settle and let go of them, and say so to the group, that their new owner gets them."""
        try:
            await self._revoke(self._told({tp: self._held[tp] for tp in going}))
        finally:
            for tp in going:
                self._held.pop(tp, None)
            self._membership.join_again()

    async def _take_over(self) -> None:
        """Tell the listener of those that are held and that it does not know of."""
        coming = {tp: held for tp, held in self._held.items() if not held.told}
        if not coming or self._listener is None:
            return
        self._looking = asyncio.create_task(self._look_up(coming))
        try:
            await asyncio.wait([self._looking])
            if self._stopping and self._looking.cancelled():
                return
            assignments = self._looking.result()
        except LogAway:
            self._check = True
            raise
        finally:
            self._looking.cancel()
            self._looking = None
        # the deal may have changed meanwhile
        still = [(each, start) for each, start in assignments if self._held.get(each.tp) is coming[each.tp]]
        for each, start in still:
            self._fetcher.seek(each.tp, self._named(each.tp), self._epochs[each.tp.topic], start)
            coming[each.tp].told = True
        if still:
            await self._listener.assigned([each for each, _ in still])

    async def _look_up(self, coming: Mapping[TopicPartition, _Held]) -> list[tuple[Assignment, int]]:
        """What is to be said of each, and the offset to read on from."""
        names = {tp: self._named(tp) for tp in coming}
        stored, beginnings, ends = await asyncio.gather(
            self._membership.committed({self._name(tp): None for tp in coming}),
            offsets(self._wire, names.values(), BEGINNING),
            offsets(self._wire, names.values(), END),
        )
        found = []
        for tp, held in coming.items():
            beginning, end, epoch = beginnings[names[tp]], ends[names[tp]], self._epochs[tp.topic]
            committed = committing.read(*stored.get(self._name(tp), (-1, "")), epoch)
            wanted = beginning if committed is None else committed.next.offset
            start = min(max(wanted, beginning), end)
            found.append((Assignment(tp, committed, Position(epoch, end), held.fell or start != wanted), start))
        return found

    async def _revoke(self, tps: Sequence[TopicPartition]) -> None:
        """Await the listener for no longer than the settle time; nothing of these is read from now on."""
        for tp in tps:
            self._fetcher.drop(tp)
        if not tps or self._listener is None:
            return
        try:
            await asyncio.wait_for(self._listener.revoked(tps), self._settle)
        except TimeoutError:
            pass

    def _name(self, tp: TopicPartition) -> TopicPartition:
        """As the group knows it."""
        return TopicPartition(self._theirs[tp.topic], tp.partition)

    def _named(self, tp: TopicPartition) -> Named:
        return self._theirs[tp.topic], tp.partition
