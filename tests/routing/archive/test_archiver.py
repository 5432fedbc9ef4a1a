"""The archiver: files what stands on the log, once; waits for a store that is away; is in nobody's way."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from connectors.values import PartyId
from routing import event as events
from routing import exchanges
from routing.archive.archiver import Archiver
from routing.archive.filing import TOPICS, Keeping, id_of
from routing.archive.terms import Wanted
from routing.log.memory import MemoryLog
from routing.log.port import Position, Published, TopicPartition
from routing.outbound import Answered
from routing.policy import Outcome
from routing.store.archive import Kept
from routing.store.memory import MemoryStore
from routing.worker import outcomes
from routing.worker.resynced import Resynced, record
from routing.worker.tracker import Entry, attempt
from tests.routing.archive.relays import NOW, relay
from tests.routing.events import CPO, EMSP, event

DAY = 86_400_000
PARTITIONS = 3


class Clock:
    def utc(self) -> int:
        return NOW + 2000

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Stage:
    def __init__(self) -> None:
        self.log = MemoryLog(TOPICS, partitions=PARTITIONS, settle=0.2, clock=lambda: NOW)
        self.store = MemoryStore()
        self.told: list[str] = []

    def archiver(self, *, bodies: int = 0, member: str = "one") -> Archiver:
        return Archiver(
            log=self.log, archive=self.store.archive, clock=Clock(), keeping=Keeping(7 * DAY, bodies),
            trouble=self.told.append, member=member,
        )  # fmt: skip

    @asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator[Archiver]:
        archiver = self.archiver(**options)
        await archiver.start()
        yield archiver
        await archiver.stop()

    async def push(self, **over: Any) -> Published:
        one = event("PUT", {"id": "L1"}, accepted=NOW, **over)
        return await self.log.publish(one.topic, one.key, events.encode(one), one.payload, within=1)

    async def settle(self, stood: Published, *results: tuple[PartyId, Outcome, str, int]) -> None:
        one = event("PUT", accepted=NOW)
        records = self.log._partitions[stood.tp].records
        entry = Entry(next(record for record in records if record.position == stood.position), one, 0.0)
        for party, outcome, detail, ms in results:
            entry.opened(party, "platform")
            entry.ended(party, outcome, detail, ms)
        await self.log.publish("ocpi.outcomes", *outcomes.record(entry), within=1)

    async def relay(self, **over: Any) -> None:
        await self.log.publish("ocpi.exchanges", b"edge", *exchanges.encode([relay(**over)]), within=1)

    async def found(self, **wanted: Any) -> list[Kept]:
        return list(await self.store.archive.find(Wanted(**wanted).terms(), limit=100))

    async def until(self, count: int, **wanted: Any) -> list[Kept]:
        """What is found, once it is so many."""
        async with asyncio.timeout(10):
            while len(found := await self.found(**wanted)) != count:
                await asyncio.sleep(0.02)
        return found


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.log.start()
    await stage.store.start()
    yield stage
    await stage.log.close()


def stands(where: Published) -> str:
    return id_of(*where.tp, *where.position)


async def test_what_the_hub_read_from_an_owner_is_no_exchange(stage: Stage) -> None:
    async with stage.running() as archiver:
        await stage.push(correlation_id="c-1", read=Position(1, 0))
        await stage.push(correlation_id="c-2")
        await stage.until(1, correlation="c-2")
        assert not await stage.found(correlation="c-1")
        assert (archiver.passed_over, stage.told) == (0, [])


async def test_a_push_is_found_by_all_it_is_about_and_its_outcome_beside_it(stage: Stage) -> None:
    async with stage.running():
        stood = await stage.push(object_id="Loc/1 ü", correlation_id="c-9", request_id="r-9")
        french = PartyId("FR", "ABC")
        await stage.settle(stood, (EMSP, Outcome.DELIVERED, "", 12), (french, Outcome.REFUSED, "2001", 4))
        (kept,) = await stage.until(1, outcome="refused")
        await stage.push(object_id="other", correlation_id="c-8", request_id="r-8")
        await stage.until(1, correlation="c-8")
        assert kept.id == stands(stood)
        assert kept.at == NOW
        assert kept.message is not None
        assert kept.outcome is not None
        ways: list[dict[str, Any]] = [
            {"correlation": "c-9"}, {"request": "r-9"}, {"party": french}, {"party": EMSP}, {"outcome": "2001"},
            {"module": "locations", "object": "LOC/1 Ü"}, {"party": french, "outcome": "delivered"},
            {"module": "locations", "party": EMSP},
        ]  # fmt: skip
        for wanted in ways:
            assert [one.id for one in await stage.found(**wanted)] == [kept.id], wanted
        assert len(await stage.found(party=CPO)) == 2
        for none in ({"correlation": "r-9"}, {"outcome": "answered"}, {"module": "tariffs", "object": "LOC/1 Ü"}):
            assert await stage.found(**none) == []


async def test_what_a_resync_sent_is_found_by_its_id_object_and_recipient(stage: Stage) -> None:
    one = event("PUT", {"id": "L1"}, object_id="Loc/1", correlation_id="resync-locations-1-9")
    made = attempt(EMSP, NOW, Answered(200, 2001, {}, b"", 3.0), NOW + 3)
    told = Resynced(
        one, TopicPartition(one.topic, 1), Position(1, 3), Position(1, 9), EMSP, "PUT", NOW, Outcome.REFUSED, (made,),
        asked=False,
    )  # fmt: skip
    async with stage.running() as archiver:
        for _ in range(2):  # a record may come twice
            await stage.log.publish("ocpi.outcomes", *record(told), within=1)
        await stage.push(correlation_id="c-2")
        await stage.until(1, correlation="c-2")
        (kept,) = await stage.until(1, correlation="resync-locations-1-9")
        ways: list[dict[str, Any]] = [
            {"module": "locations", "object": "loc/1"}, {"party": EMSP}, {"outcome": "refused"}, {"outcome": "2001"},
            {"module": "locations", "party": CPO, "outcome": "refused"},
        ]  # fmt: skip
        for wanted in ways:
            assert [one.id for one in await stage.found(**wanted)] == [kept.id], wanted
        assert (kept.at, archiver.passed_over) == (NOW, 0)


async def test_a_relay_is_found_by_all_it_is_about(stage: Stage) -> None:
    async with stage.running():
        await stage.relay()
        await stage.relay(
            forwarded_id="f-2", request_id="r-2", correlation_id="c-2", status_code=4003, http_status=0,
            outcome="DE-EMS is away", row="CMD-R1", module="commands", path=("START_SESSION",),
            sender=PartyId("FR", "X"),
        )  # fmt: skip
        await stage.until(2)
        ways: list[tuple[str, dict[str, Any]]] = [
            ("f-1", {"request": "r-1"}), ("f-1", {"request": "f-1"}), ("f-1", {"correlation": "c-1"}),
            ("f-1", {"party": EMSP}), ("f-1", {"module": "locations", "object": "LOC1"}),
            ("f-1", {"outcome": "answered"}),
            ("f-2", {"outcome": "not_sent"}), ("f-2", {"outcome": "4003"}),
            ("f-2", {"module": "commands", "object": "start_session"}), ("f-2", {"module": "commands"}),
        ]  # fmt: skip
        for id, wanted in ways:
            assert [one.id for one in await stage.found(**wanted)] == [f"relay-{id}"], wanted


async def test_what_is_read_again_is_filed_once(stage: Stage) -> None:
    stood = await stage.push()
    await stage.settle(stood, (EMSP, Outcome.DELIVERED, "", 1))
    await stage.relay()
    async with stage.running():
        await stage.until(2)
        first = await stage.found()
    stage.log._commits.clear()  # as if it had been killed before it could commit
    await stage.relay()  # and a record that was published twice
    async with stage.running(member="two"):
        await stage.push(correlation_id="last")
        await stage.until(1, correlation="last")
        await stage.until(3)
    assert [one for one in await stage.found() if one in first] == first
    assert len(await stage.found()) == 3


async def test_it_reads_on_where_it_stopped(stage: Stage) -> None:
    async with stage.running():
        await stage.push(correlation_id="first")
        await stage.until(1, correlation="first")
    stage.store.data.archive.exchanges.clear()
    async with stage.running(member="two"):
        await stage.push(correlation_id="second")
        await stage.until(1, correlation="second")
    assert await stage.found(correlation="first") == []


async def test_while_the_store_is_away_what_comes_waits_on_the_log_and_none_is_missing(stage: Stage) -> None:
    async with stage.running() as archiver:
        await stage.push(correlation_id="before")
        await stage.until(1, correlation="before")
        stage.store.away = "the store is away"
        for n in range(50):
            await stage.push(correlation_id="while", object_id=f"L{n}")
            await asyncio.sleep(0.02)
        async with asyncio.timeout(10):
            while not stage.told:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.6)
        assert len(archiver._waiting) < 50
        assert "the store is away" in stage.told[0]
        stage.store.away = None
        await stage.until(50, correlation="while")
        await stage.push(correlation_id="after")
        await stage.until(1, correlation="after")


async def test_partitions_move_to_another_member_and_nothing_is_missing(stage: Stage) -> None:
    async with stage.running(member="one"):
        for n in range(30):
            await stage.push(object_id=f"L{n}")
        async with stage.running(member="two"):
            for n in range(30, 60):
                await stage.push(object_id=f"L{n}")
                await asyncio.sleep(0.01)
            await stage.until(60)
        for n in range(60, 90):
            await stage.push(object_id=f"L{n}")
        await stage.until(90)


async def test_what_cannot_be_read_is_passed_over_and_told(stage: Stage) -> None:
    async with stage.running() as archiver:
        await stage.log.publish("ocpi.locations", b"k", (("ce_type", b"org.ocpi-hub.push.v9"),), b"{", within=1)
        await stage.log.publish("ocpi.outcomes", b"k", (("ce_type", outcomes.TYPE.encode()),), b"[1]", within=1)
        await stage.log.publish("ocpi.exchanges", b"k", (("ce_type", exchanges.TYPE.encode()),), b"[{}]", within=1)
        await stage.push(correlation_id="next")
        await stage.until(1, correlation="next")
        async with asyncio.timeout(10):
            while archiver.passed_over < 3:
                await asyncio.sleep(0.02)
        assert len(stage.told) == 3
        assert all("cannot read" in sentence for sentence in stage.told)


async def test_it_expires_when_its_days_are_over(stage: Stage) -> None:
    async with stage.running(bodies=DAY):
        stood = await stage.push()
        await stage.until(1)
        await asyncio.sleep(0.05)
    archive, id = stage.store.archive, stands(stood)
    assert await archive.expire(NOW + DAY - 1) == 0
    (body,) = await archive.read_bodies(id)
    assert zlib.decompress(body.content) == b'{"id":"L1"}'
    assert await archive.expire(NOW + DAY) == 1
    assert await archive.read(id) is not None
    assert await archive.expire(NOW + 7 * DAY) == 1
    assert await archive.read(id) is None


async def test_bodies_of_relays_are_kept_apart_from_them(stage: Stage) -> None:
    async with stage.running(bodies=DAY):
        await stage.relay(sent=b'{"a":1.10}', answer=b'{"status_code":1000}')
        (kept,) = await stage.until(1)
        await asyncio.sleep(0.05)
    assert kept.message is not None
    assert b"1.10" not in kept.message
    bodies = await stage.store.archive.read_bodies(kept.id)
    assert [(body.name, zlib.decompress(body.content)) for body in bodies] == [
        ("answer", b'{"status_code":1000}'), ("sent", b'{"a":1.10}'),
    ]  # fmt: skip


async def test_bodies_are_not_kept_unless_they_are_asked_for(stage: Stage) -> None:
    async with stage.running():
        stood = await stage.push()
        await stage.relay(sent=b"{}")
        found = await stage.until(2)
        await asyncio.sleep(0.05)
    assert stands(stood) in {kept.id for kept in found}
    for kept in found:
        assert await stage.store.archive.read_bodies(kept.id) == []


async def test_an_event_of_an_earlier_release_is_filed(stage: Stage) -> None:
    """Without what later ones added."""
    one = replace(event("PUT", {"id": "L1"}), accepted=NOW)
    plain = tuple((name, value.replace(b',"via":""', b"")) for name, value in events.encode(one))
    stood = await stage.log.publish(one.topic, one.key, plain, one.payload, within=1)
    async with stage.running():
        assert [kept.id for kept in await stage.until(1)] == [stands(stood)]
