"""What only the in-memory log does: faults by script or seed, members that expire, are cut off or are dealt anew."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from routing.log.faults import Fate, Faults, PublishFault, RandomFaults, ScriptedFaults
from routing.log.memory import MemoryLog
from routing.log.port import Committed, LogAway, LogError, PartitionLost, Position, PublishUnknown, TopicPartition
from tests.contract.engines import join, settle
from tests.sim.loop import VirtualClock, VirtualLoop

TOPIC = "ocpi.locations"
TP = TopicPartition(TOPIC, 0)


def memory(faults: Faults | None = None) -> MemoryLog:
    return MemoryLog([TOPIC], clock=lambda: 0, partitions=2, faults=faults)


async def test_an_expired_member_is_told_cannot_commit_and_joins_again() -> None:
    log = memory()
    one, told = await join(log, "one", topics=[TOPIC])
    two, told_two = await join(log, "two", topics=[TOPIC])
    await settle(one, two)
    mine = set(told.now)
    told.on_revoke = dict.fromkeys(mine, Committed(Position(1, 1), clean=True))
    log.expire("one")
    assert not one.holds()
    await settle(two)
    assert set(told_two.now) == {TP, TopicPartition(TOPIC, 1)}
    await settle(one, two)
    assert set(told.revoked_tps) == mine
    assert [type(error) for error in told.errors] == [PartitionLost]
    assert one.holds()
    assert told.now
    assert all(assignment.committed is None for assignment in told.now.values())


async def test_a_member_that_is_cut_off_may_not_begin_nor_commit_until_it_is_back() -> None:
    log = memory()
    one, _ = await join(log, "one", topics=[TOPIC])
    await settle(one)
    log.away("one")
    assert not one.holds()
    with pytest.raises(LogAway):
        await one.commit({TP: Committed(Position(1, 0))})
    log.back("one")
    assert one.holds()
    await one.commit({TP: Committed(Position(1, 0))})


async def test_a_rebalance_takes_from_a_lone_member_and_gives_back() -> None:
    log = memory()
    one, told = await join(log, "one", topics=[TOPIC])
    await settle(one)
    told.on_revoke = {TP: Committed(Position(1, 0), clean=True)}
    log.rebalance("workers")
    await settle(one)
    assert told.revoked_tps == [TP, TopicPartition(TOPIC, 1)]
    assert told.now[TP].committed == Committed(Position(1, 0), clean=True)


async def test_a_commit_on_its_way_while_the_partition_goes_is_refused() -> None:
    faults = ScriptedFaults()
    faults.commits.append(0.02)
    log = memory(faults)
    one, _ = await join(log, "one", topics=[TOPIC])
    await settle(one)
    committing = asyncio.create_task(one.commit({TP: Committed(Position(1, 5))}))
    await asyncio.sleep(0)
    log.kill("one")
    with pytest.raises(PartitionLost):
        await committing
    two, told = await join(log, "two", topics=[TOPIC])
    await settle(two)
    assert told.now[TP].committed is None


async def test_a_record_that_vanishes_is_unknown_and_never_lands() -> None:
    faults = ScriptedFaults()
    faults.publishes.append(PublishFault(Fate.VANISHES))
    log = memory(faults)
    with pytest.raises(PublishUnknown):
        await log.publish(TOPIC, b"", (), b"", within=0.01)
    assert log.end(TP).offset == 0


def test_a_seed_decides_everything_and_time_is_the_loops() -> None:
    def run(seed: int) -> list[object]:
        loop = VirtualLoop()
        story: list[object] = []

        async def one(log: MemoryLog, number: int) -> None:
            try:
                published = await log.publish(TOPIC, b"%d" % number, (), b"%d" % number, within=3)
                story.append((number, published, loop.now))
            except LogError as error:
                story.append((number, str(error), loop.now))

        async def main() -> None:
            faults = RandomFaults(Random(seed), refused=0.1, late=0.1, vanishes=0.1)
            log = MemoryLog([TOPIC], clock=VirtualClock(loop).utc, partitions=2, faults=faults)
            consumer, _ = await join(log, "one", topics=[TOPIC])
            await asyncio.gather(*(one(log, number) for number in range(60)))
            await asyncio.sleep(5)
            story.extend(await consumer.read(max_records=100, max_bytes=10_000, wait=0))

        loop.run_until_complete(main())
        loop.close()
        return story

    assert run(1) == run(1)
    assert run(1) != run(2)
