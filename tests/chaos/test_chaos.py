"""The harness itself: what it reads beside a hub, and that it sees two requests of one object at the same time."""

from __future__ import annotations

import asyncio
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from connectors.values import PartyId, Role
from routing.event import Event, Operation, encode
from routing.log.embedded import EmbeddedLog
from routing.log.port import Assignment, Committed, Position, TopicPartition
from routing.topics import PUBLIC
from routing.worker.worker import GROUP
from tests.chaos import bodies, ledger
from tests.chaos.calling import CUT, Caller, HubDown
from tests.chaos.platforms import Kind, Platform, Reaction
from tests.chaos.tempers import SLOW
from tests.witnesses import Begun, Recipient


class _Listener:
    async def assigned(self, assignments: list[Assignment]) -> None:
        """Nothing to do."""

    async def revoked(self, tps: list[TopicPartition]) -> None:
        """Nothing to do."""


def _event(seq: int) -> Event:
    body = bodies.dump(bodies.tariff(f"T{seq}", seq))
    return Event(
        id=f"e{seq}", module="tariffs", owner=bodies.CPO, object_id=f"T{seq}", operation=Operation.PUT,
        path=("NL", "TNM", f"T{seq}"), query="", audience=None, sender=bodies.CPO, sender_role=Role.CPO, platform="p",
        accepted=0, expires=2**60, request_id=str(seq), correlation_id=str(seq), revision=1, payload=body,
    )  # fmt: skip


def _files(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if "-shm" not in path.name}


async def test_the_ledger_reads_what_is_not_committed_and_writes_nothing(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path, PUBLIC)
    await log.start()
    consumer = log.consumer(GROUP, ["ocpi.tariffs"], member="one")
    await consumer.start(_Listener())  # type: ignore[arg-type]
    events = [_event(seq) for seq in range(1, 61)]
    published = [await log.publish(e.topic, e.key, encode(e), e.payload, within=5) for e in events]
    while not await consumer.read(max_records=100, max_bytes=2**20, wait=1):
        pass
    assert ledger.unsettled(tmp_path) == 60
    settled = [p for p in published if p.tp == published[0].tp]
    last = settled[-1].position
    await consumer.commit({settled[0].tp: Committed(Position(last.epoch, last.offset + 1))})
    before = _files(tmp_path)
    assert ledger.unsettled(tmp_path) == 60 - len(settled)
    assert sorted(stood.seq for stood in ledger.stood(tmp_path)) == list(range(1, 61))
    assert _files(tmp_path) == before
    await log.close()
    assert ledger.unsettled(tmp_path) == 60 - len(settled), "a log that was closed in order is read too"
    with pytest.raises(sqlite3.OperationalError), ledger._open(tmp_path) as file:
        file.execute("DELETE FROM batches")


async def test_two_requests_at_once_are_seen_and_a_cut_one_is_over() -> None:
    held = Reaction(Kind.TAKE, 60.0, early=False)

    def temper(recipient: Recipient, begun: Begun, broadcast: bool) -> Reaction:
        del recipient, begun, broadcast
        return held

    platform = Platform([(*SLOW, "EMSP")], temper)
    await platform.open()
    recipient = platform.recipients[SLOW]
    caller = Caller(platform.port, "credential")

    def push(seq: int) -> asyncio.Task[object]:
        body = bodies.dump(bodies.tariff("T1", seq))
        path, sender = "tariffs/NL/TNM/T1", PartyId("NL", "HUB")
        return asyncio.create_task(caller.call("PUT", path, body, seq=seq, sender=sender, to=SLOW))

    async def begun(count: int) -> None:
        while len(recipient.begun) < count:
            await asyncio.sleep(0)

    first = push(1)
    await begun(1)
    second = push(2)
    await begun(2)
    assert len(recipient.overlaps) == 1
    for connection in list(platform.serving.values()):
        connection._transport.abort()
    assert [(await call).code for call in (first, second)] == [CUT, CUT]  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    third = push(3)
    await begun(3)
    assert len(recipient.overlaps) == 1
    third.cancel()
    platform.close()


async def test_a_hub_that_is_down_was_sent_nothing() -> None:
    platform = Platform([(*SLOW, "EMSP")], lambda recipient, begun, broadcast: Reaction(Kind.TAKE, 0.0, early=True))
    await platform.open()
    platform.close()
    with pytest.raises(HubDown):
        await Caller(platform.port, "x").call("PUT", "tariffs/NL/TNM/T1", b"{}", seq=1, sender=SLOW, to=None)
