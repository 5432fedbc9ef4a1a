"""A small world around the worker: parties, processes that are killed, a log and a store that outlive them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from connectors.errors import OutcomeUnknown
from connectors.values import InterfaceRole, PartyId, Role
from routing import event as events
from routing import replies, resync
from routing.breaker import Breakers
from routing.directory import Directory, Endpoint, Hosted, Party, Platform, Status
from routing.event import Event, Operation
from routing.guard import Guard
from routing.log.faults import Faults, RandomFaults
from routing.log.memory import MemoryLog
from routing.log.port import Headers, LogError, Position, PublishRefused, Record, ReplyTo, TopicPartition
from routing.policies import Policies, Policy
from routing.policy import DeliverySettings
from routing.rates import Rates
from routing.resolving import DirectoryResolver
from routing.state import ObjectState, key_of
from routing.store.port import CdrKey
from routing.topics import EVENT_TOPICS, OUTCOMES
from routing.worker.leaving import STEP
from routing.worker.ports import Silent
from routing.worker.worker import GROUP, Worker
from tests.judging import Facts, Stood, read_seq
from tests.sim.loop import VirtualClock, VirtualLoop
from tests.sim.owners import SimulatedOwners
from tests.sim.recipients import Guarded, Recipients
from tests.sim.storing import SimulatedStore, Storing

HUB = PartyId("NL", "HUB")
CPO = PartyId("NL", "TNM")
EMSPS = [PartyId("DE", "AAA"), PartyId("DE", "BBB"), PartyId("FR", "CCC")]
SETTINGS = DeliverySettings(
    waiting_most=6, unsettled_most=30.0, settle=5.0, broadcasts_at_once=2, unwritten_most=12, windows_at_once=1,
    large_window=3,
)  # fmt: skip
LEAVING = 4 * STEP + 0.5
"""Seconds that leaving may take beyond the settle time."""
POISON = "POISON"
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


class Watching(Silent):
    """Notes what a worker says of itself: a task of it that broke is a defect."""

    def __init__(self, world: World) -> None:
        self._world = world

    def trouble(self, sentence: str) -> None:
        self._world.said.append(sentence)
        if any(word in sentence for word in ("the worker stopped", "a defect of", "a round of")):
            self._world.defects.append(sentence)


class Closing:
    """Signs of life close a process's breakers."""

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers

    def alive(self, platform: Platform) -> None:
        self._breakers.close(platform.id)

    def failed(self, platform: Platform) -> None:
        del platform  # statuses stay as they are in this world


@dataclass(eq=False)
class Process:
    """`serve` as a process: an edge and a worker; `alive` until it is killed or has left."""

    name: str
    worker: Worker
    store: SimulatedStore
    edge: ReplyTo
    known: list[Directory]
    """The directory as it knows it."""
    breakers: Breakers
    waiting: dict[str, asyncio.Future[replies.Reply]] = field(default_factory=dict)
    alive: bool = True


class World:
    """Everything of one run. Chance comes from `random` only."""

    def __init__(self, loop: VirtualLoop, seed: int, *, faults: Faults | None = None) -> None:
        self.loop = loop
        self.random = Random(seed)
        # every fifth worker may hold next to nothing undelivered, and has to mark
        self.settings = SETTINGS if seed % 5 else replace(SETTINGS, undelivered_bytes=1500)
        self.clock = VirtualClock(loop)
        self.faults = RandomFaults(self.random)
        log_faults = self.faults if faults is None else faults
        self.log = MemoryLog(
            [*EVENT_TOPICS, OUTCOMES], partitions=2, clock=self.clock.utc, faults=log_faults, settle=8.0
        )
        self.storing = Storing(loop, self.random)
        self.directory = directory()
        self.recipients = Recipients(loop, self.random, EMSPS)
        self.owners = SimulatedOwners(self)
        self.processes: list[Process] = []
        self.told: dict[int, int] = {}
        self.told_at: dict[int, float] = {}
        self.answers: dict[int, tuple[bytes, str | None]] = {}
        self.not_sent: set[int] = set()
        self.said: list[str] = []
        self.defects: list[str] = []
        self.cut_off: list[str] = []
        self._seq = 0
        self._names = 0

    def directory_changes(self) -> None:
        """Edges know a newer directory; workers learn of it when they ask the store."""
        self.directory = replace_revision(self.directory)

    def policies_change(self, *policies: Policy) -> None:
        """Every process learns of it at once, as it would of a change that it follows."""
        self.directory = replace_revision(self.directory, Policies(policies))
        for process in self.processes:
            process.known[0] = self.directory

    def rate_changes(self, platform: str, rate: float | None) -> None:
        """So many requests a second towards this platform, as of now on every process."""
        known = self.directory.platforms
        limited = replace(known[platform], settings=replace(known[platform].settings, rate=rate))
        platforms = [limited if one.id == platform else one for one in known.values()]
        self.directory = replace_revision(self.directory, platforms=platforms)
        for process in self.processes:
            process.known[0] = self.directory

    def calls_in(self, platform: str, process: Process) -> None:
        """A call from this platform reaches the process."""
        process.breakers.close(platform)

    def _probe(self, platform: str, breakers: Breakers) -> None:
        """It is asked whether it is there, beside everything else."""
        parties = [party for party in EMSPS if self.directory.hosted(party)[0].platform.id == platform]
        if self.recipients.calm or all(self.recipients.all[party].mood == "well" for party in parties):
            self.loop.call_later(0.1, breakers.close, platform)

    # --- processes ---------------------------------------------------------------------------------------------------

    async def start_process(self) -> Process:
        self._names += 1
        name = f"p{self._names}"
        store = SimulatedStore(self.storing)
        await store.start()
        known = [self.directory]

        async def reload() -> None:
            await store.load_platforms()
            known[0] = self.directory

        async def locate(event: Event, hosted: Hosted, location: str) -> str | None:
            del event, hosted
            return f"https://hub.example/{name}/{location.rsplit('/', 1)[-1]}"

        async def hold(event: Event) -> str | None:
            return f"https://hub.example/held/{event.object_id}"

        watching, breakers = Watching(self), Breakers(self.clock.monotonic)
        breakers.ask = lambda platform: self._probe(platform.id, breakers)
        sender = Guarded(self.recipients, Guard(Closing(breakers), breakers))
        worker = Worker(
            log=self.log, store=store, topics=EVENT_TOPICS, hub=HUB, sender=sender,
            resolver=DirectoryResolver(lambda: known[0], reload, breakers.returned), locate=locate, hold=hold,
            clock=self.clock,
            random=self.random, observer=watching, owners=self.owners, settings=self.settings, member=name,
            rates=Rates(lambda platform: known[0].platforms[platform].settings.rate, lambda: 1, self.clock.monotonic),
        )  # fmt: skip
        process = Process(name, worker, store, ReplyTo(name, 0), known, breakers)
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
        began = self.loop.now
        await process.worker.stop()
        process.store.kill()
        if self.loop.now - began > SETTINGS.settle + LEAVING:
            self.defects.append(f"{process.name} took {self.loop.now - began:.1f} s to leave")

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
            request_id=str(seq), correlation_id=str(seq), revision=self.directory.revision,
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
        elif reply.status_code == 4000:
            self.not_sent.add(seq)
        return reply.status_code

    async def poison(self, kind: str) -> None:
        """A record that no worker can handle: no event at all, of a type to come, or one that breaks its handler."""
        seq = self.next_seq()
        topic, key = self.random.choice(EVENT_TOPICS), f"{POISON}{self.random.randrange(9)}"
        name: str
        headers: Headers = (("ce_type", b"org.ocpi-hub.push.v9"), ("ce_id", b"\xff"))
        if kind == "bytes":
            headers = ()
        elif kind == "handler":
            alive = [process for process in self.processes if process.alive]
            if not alive:
                return
            name = self.random.choice(("locations", "sessions"))
            to = self.random.choice(EMSPS) if name == "sessions" else None
            operation = self.random.choice((Operation.PUT, Operation.PATCH))
            event = self._event(alive[0], name, operation, f"{POISON}{seq % 3}", {}, below=(), to=to, seq=seq)
            event.payload = POISON.encode() + b"{"
            topic, key, headers = event.topic, event.key.decode(), events.encode(event)
        with suppress(LogError):
            await self.log.publish(topic, key.encode(), headers, POISON.encode() + b"{", within=PUBLISH_WAIT)

    # --- what is left ------------------------------------------------------------------------------------------------

    def facts(self) -> Facts:
        stood: list[Stood] = []
        broken: list[str] = []
        for record in (record for tp in self._tps() for record in self.log._partitions[tp].records):
            aside = (record.tp, record.position) in self.storing.data.aside
            if POISON.encode() in record.value:
                if not aside and not _is_event(record):
                    broken.append(f"{record.key!r} at {record.position.offset} was never set aside")
                continue
            if aside:
                broken.append(f"{record.key!r} at {record.position.offset} was set aside, and nothing is wrong with it")
            event = events.decode(record.headers, record.value)
            late = record.append_time > event.expires
            if event.read is None:
                seq = int(event.request_id)
            elif self._came_to_nothing(event, record.position):
                continue
            else:
                seq = read_seq(event.payload) or -1 - len(stood)
            stood.append(Stood(event, seq, record.tp, record.position, late))
        marks = list(self.storing.data.marks.values())
        hosted = {party: self.directory.hosted(party)[0].platform.id for party in EMSPS}
        return Facts(
            stood, self.told, self.told_at, self.answers, self.recipients.all, marks, hosted, self.uncommitted(),
            not_sent=frozenset(self.not_sent), broken=[*broken, *self._unwritten(stood)],
            owners_tell=self.owners.always_well, blank=self.owners.blank,
        )  # fmt: skip

    def forget(self) -> None:
        """Let go of what lay on the log and was seen: a collection of garbage takes several times as long over it."""
        for partition in self.log._partitions.values():
            partition.records.clear()
        for recipient in self.recipients.all.values():
            recipient.begun.clear()
            recipient.objects.clear()

    def _came_to_nothing(self, event: Event, position: Position) -> bool:
        """Whether what was read from an owner is not in the state: it was PUT or deleted meanwhile, or is the same."""
        state = self.storing.data.states.get(key_of(event, None))
        return state is None or state.position < position

    def overdue(self) -> list[str]:
        """Marks that stand, though the hub knows what is lacking of all that they cover, or its owner can be asked."""
        states = self.storing.data.states
        found = []
        for mark in self.storing.data.marks.values():
            parties = [party for party in EMSPS if self.directory.hosted(party)[0].platform.id == mark.platform]
            there = [
                state for key, state in states.items()
                if key.audience is None and f"ocpi.{key.module}" == mark.tp.topic and state.position >= mark.lowest
            ]  # fmt: skip
            asked = self.owners.mood != "never"
            if asked or not any(self._only_its_owner_knows(state, party) for state in there for party in parties):
                found.append(
                    f"the mark of {mark.platform} in {mark.tp} from {mark.lowest.offset} on is never worked off"
                )
        return found

    def _only_its_owner_knows(self, state: ObjectState, party: PartyId) -> bool:
        """Whether a push to this party alone, whatever came of it, may stand above what everybody was told."""
        mine = self.storing.data.states.get(state.key._replace(audience=party))
        if resync.wanted(state, mine) is None:
            return True
        topic = f"ocpi.{state.key.module}"
        for record in (
            record for tp in self._tps() if tp.topic == topic for record in self.log._partitions[tp].records
        ):
            if POISON.encode() not in record.value and record.position > state.position:
                event = events.decode(record.headers, record.value)
                if event.audience == party and key_of(event, None) == state.key:
                    return True
        return False

    def _unwritten(self, stood: list[Stood]) -> list[str]:
        """Whatever was settled is in the store: its position, or a later one."""
        states, broken = self.storing.data.states, []
        for one in stood:
            event, told = one.event, self.told.get(one.seq, 0)
            if one.landed_late or (event.audience is not None and not 1000 <= told < 2000):
                continue
            state = states.get(key_of(event, event.audience))
            if event.module != "cdrs" and (state is None or state.position < one.position):
                broken.append(f"the state after seq {one.seq} was never written")
            key = CdrKey(event.owner, event.object_id.upper(), event.audience) if event.audience is not None else None
            if event.module == "cdrs" and key is not None and key not in self.storing.data.cdrs:
                broken.append(f"P5: nothing is recorded of the CDR of seq {one.seq}, and its sender was told {told}")
        return broken

    @staticmethod
    def _tps() -> list[TopicPartition]:
        return [TopicPartition(topic, partition) for topic in EVENT_TOPICS for partition in range(2)]

    def uncommitted(self) -> int:
        """Events on the log that the routing group has not committed."""
        left = 0
        for tp in self._tps():
            committed = self.log._commits.get((GROUP, tp))
            left += self.log._partitions[tp].end - (committed.next.offset if committed else 0)
        return left


def replace_revision(
    known: Directory, policies: Policies | None = None, *, platforms: Sequence[Platform] = ()
) -> Directory:
    """The same directory, a revision later, or with other policies, or platforms."""
    kept = known.policies if policies is None else policies
    there = platforms or list(known.platforms.values())
    return Directory(there, hub=HUB, revision=known.revision + 1, policies=kept)


def _is_event(record: Record) -> bool:
    try:
        events.decode(record.headers, record.value)
    except events.Poison:
        return False
    return True
