"""A small world around the worker: parties, processes that are killed, a log and a store that outlive them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from connectors.errors import OutcomeUnknown
from connectors.values import InterfaceRole, PartyId, Role
from routing import event as events
from routing import replies
from routing.directory import Directory, Endpoint, Hosted, Party, Platform, Status
from routing.event import Event, Operation
from routing.log.faults import RandomFaults
from routing.log.memory import MemoryLog
from routing.log.port import Headers, LogError, PublishRefused, ReplyTo, TopicPartition
from routing.policy import DeliverySettings
from routing.resolving import DirectoryResolver
from routing.store.memory import MemoryData, MemoryStore
from routing.topics import EVENT_TOPICS, OUTCOMES
from routing.worker.ports import Silent
from routing.worker.worker import GROUP, Worker
from tests.judging import Facts, Stood
from tests.sim.loop import VirtualClock, VirtualLoop
from tests.sim.recipients import Recipients

HUB = PartyId("NL", "HUB")
CPO = PartyId("NL", "TNM")
EMSPS = [PartyId("DE", "AAA"), PartyId("DE", "BBB"), PartyId("FR", "CCC")]
SETTINGS = DeliverySettings(waiting_most=6, unsettled_most=30.0, settle=5.0, broadcasts_at_once=2)
PUBLISH_WAIT = 3.0
CALLER_WAIT = 15.0


def directory() -> Directory:
    def platform(name: str, parties: list[tuple[PartyId, Role]]) -> Platform:
        endpoints = tuple(
            Endpoint(module, InterfaceRole.RECEIVER, f"https://{name}.example/{module}")
            for module in ("locations", "tariffs", "tokens", "sessions", "cdrs")
        )
        hosted = tuple(Party(party, role) for party, role in parties)
        return Platform(name, status=Status.CONNECTED, parties=hosted, version="2.2.1", endpoints=endpoints)

    return Directory(
        [
            platform("cpo", [(CPO, Role.CPO)]),
            platform("one", [(EMSPS[0], Role.EMSP), (EMSPS[1], Role.EMSP)]),
            platform("two", [(EMSPS[2], Role.EMSP)]),
        ],
        hub=HUB,
        revision=1,
    )


class Hooked:
    """Store calls take a while, and fail while the store is away."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def before(self, call: str) -> None:
        del call
        await asyncio.sleep(self._world.random.choice((0.0, 0.001, 0.01)))
        self._world.store_must_be_there()

    async def after(self, call: str) -> None:
        del call
        await asyncio.sleep(self._world.random.choice((0.0, 0.001)))
        self._world.store_must_be_there()


class Watching(Silent):
    """Notes what a worker says of itself; a worker that stopped is a defect."""

    def __init__(self, world: World) -> None:
        self._world = world

    def trouble(self, sentence: str) -> None:
        if "could not be handled" in sentence or "the worker stopped" in sentence:
            self._world.defects.append(sentence)


@dataclass(eq=False)
class Process:
    """`serve` as a process: an edge and a worker; `alive` until it is killed or has left."""

    name: str
    worker: Worker
    store: MemoryStore
    edge: ReplyTo
    waiting: dict[str, asyncio.Future[replies.Reply]] = field(default_factory=dict)
    alive: bool = True


class World:
    """Everything of one run. Chance comes from `random` only."""

    def __init__(self, loop: VirtualLoop, seed: int) -> None:
        self.loop = loop
        self.random = Random(seed)
        self.clock = VirtualClock(loop)
        self.faults = RandomFaults(self.random)
        self.log = MemoryLog(
            [*EVENT_TOPICS, OUTCOMES], partitions=2, clock=self.clock.utc, faults=self.faults, settle=8.0
        )
        self.data = MemoryData()
        self.directory = directory()
        self.recipients = Recipients(loop, self.random, EMSPS)
        self.processes: list[Process] = []
        self.told: dict[int, int] = {}
        self.told_at: dict[int, float] = {}
        self.answers: dict[int, tuple[bytes, str | None]] = {}
        self.store_away_until = 0.0
        self.defects: list[str] = []
        self._seq = 0
        self._names = 0

    def store_must_be_there(self) -> None:
        from routing.store.port import StoreAway

        if self.loop.now < self.store_away_until:
            raise StoreAway("away in this simulation")

    # --- processes ---------------------------------------------------------------------------------------------------

    async def start_process(self) -> Process:
        self._names += 1
        name = f"p{self._names}"
        store = MemoryStore(self.data, hooks=Hooked(self))
        await store.start()

        async def reload() -> None:
            return None

        async def locate(event: Event, hosted: Hosted, location: str) -> str | None:
            del event, hosted
            return f"https://hub.example/{name}/{location.rsplit('/', 1)[-1]}"

        watching = Watching(self)
        worker = Worker(
            log=self.log, store=store, topics=EVENT_TOPICS, hub=HUB, sender=self.recipients,
            resolver=DirectoryResolver(lambda: self.directory, reload), locate=locate, clock=self.clock,
            random=self.random, observer=watching, settings=SETTINGS, member=name,
        )  # fmt: skip
        process = Process(name, worker, store, ReplyTo(name, 0))
        waiting = process.waiting

        def on_reply(headers: Headers, value: bytes) -> None:
            reply = replies.decode(headers, value)
            future = waiting.pop(reply.event_id, None)
            if future is not None and not future.done():
                future.set_result(reply)

        process.edge = await self.log.open_replies(name, on_reply)
        await worker.start()
        self.processes.append(process)
        return process

    def kill(self, process: Process) -> None:
        process.alive = False
        self.log.kill(process.name)
        self.log.close_replies(process.name)
        process.worker.kill()
        process.store.kill()
        for future in process.waiting.values():
            if not future.done():
                future.cancel()
        self.processes.remove(process)

    async def leave(self, process: Process) -> None:
        """SIGTERM: no new calls, what is in flight ends, the worker leaves in order."""
        process.alive = False
        self.processes.remove(process)
        if process.waiting:
            pending = [future for future in process.waiting.values() if not future.done()]
            if pending:
                await asyncio.wait(pending, timeout=CALLER_WAIT + 1)
        await process.worker.stop()
        process.store.kill()

    # --- calls -------------------------------------------------------------------------------------------------------

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    async def call(
        self, module: str, operation: Operation, object_id: str, body: dict[str, Any] | None, *,
        below: tuple[str, ...] = (), to: PartyId | None = None, seq: int | None = None,
    ) -> int:  # fmt: skip
        """One push through the edge of some live process; returns what the sender is told."""
        seq = seq if seq is not None else self.next_seq()
        alive = [process for process in self.processes if process.alive]
        if not alive:
            return 503
        process = self.random.choice(alive)
        event = self._event(process, module, operation, object_id, body, below=below, to=to, seq=seq)
        self.told[seq] = code = await self._through(process, event, seq)
        self.told_at[seq] = self.loop.now
        return code

    def _event(
        self, process: Process, module: str, operation: Operation, object_id: str, body: dict[str, Any] | None, *,
        below: tuple[str, ...], to: PartyId | None, seq: int,
    ) -> Event:  # fmt: skip
        now = self.clock.utc()
        return Event(
            id=f"e{seq}", module=module, owner=CPO, object_id=object_id, operation=operation,
            path=() if module == "cdrs" else ("NL", "TNM", object_id, *below), query="", audience=to, sender=CPO,
            sender_role=Role.CPO, platform="cpo", accepted=now, expires=now + int(PUBLISH_WAIT * 1000),
            request_id=str(seq), correlation_id=str(seq), revision=1,
            payload=json.dumps(body).encode() if body is not None else b"",
            deadline=None if to is None else now + int(CALLER_WAIT * 1000),
            reply_to=None if to is None else process.edge,
        )  # fmt: skip

    async def _through(self, process: Process, event: Event, seq: int) -> int:
        now, expires, to = event.accepted, event.expires, event.audience
        future: asyncio.Future[replies.Reply] = self.loop.create_future()
        if to is not None:
            process.waiting[event.id] = future
        try:
            published = await self.log.publish(
                event.topic, event.key, events.encode(event), event.payload, within=PUBLISH_WAIT
            )
        except PublishRefused:
            return 503
        except LogError:
            await asyncio.sleep(max(0.0, (expires + 250 - self.clock.utc()) / 1000))
            return 503
        if not process.alive:
            return 0
        if published.append_time > expires:
            return 503
        if to is None:
            return 1000
        return await self._reply(future, seq, (now + CALLER_WAIT * 1000 - self.clock.utc()) / 1000)

    async def _reply(self, future: asyncio.Future[replies.Reply], seq: int, within: float) -> int:
        try:
            reply = await asyncio.wait_for(future, within)
        except TimeoutError:
            return OutcomeUnknown.status_code
        except asyncio.CancelledError:
            return 0  # the process was killed, the connection cut
        if reply.body:
            self.answers[seq] = (reply.body, reply.location)
        return reply.status_code

    # --- what is left ------------------------------------------------------------------------------------------------

    def facts(self) -> Facts:
        stood: list[Stood] = []
        for topic in EVENT_TOPICS:
            for partition in range(2):
                tp = TopicPartition(topic, partition)
                for record in self.log._partitions[tp].records:
                    event = events.decode(record.headers, record.value)
                    late = record.append_time > event.expires
                    stood.append(Stood(event, int(event.request_id), tp, record.position, late))
        marks = list(self.data.marks.values())
        hosted = {party: self.directory.hosted(party)[0].platform.id for party in EMSPS}
        return Facts(
            stood, self.told, self.told_at, self.answers, self.recipients.all, marks, hosted, self.uncommitted()
        )  # fmt: skip

    def uncommitted(self) -> int:
        """Events on the log that the routing group has not committed."""
        left = 0
        for topic in EVENT_TOPICS:
            for partition in range(2):
                tp = TopicPartition(topic, partition)
                committed = self.log._commits.get((GROUP, tp))
                left += self.log._partitions[tp].end - (committed.next.offset if committed else 0)
        return left
