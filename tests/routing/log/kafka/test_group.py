"""Members of a group on a real Kafka: what moves stops, what stays does not, and who was away is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from routing.log.kafka.consumer import KafkaConsumer
from routing.log.kafka.log import KafkaLog
from routing.log.port import Committed, PartitionLost, Position, Record, TopicPartition, partition_of
from tests.contract.engines import PARTITIONS, TOPICS, Kafka, Told, after
from tests.contract.engines import settle as share
from tests.engines.kafka import Kafka as Broker

LOCATIONS, CDRS = TOPICS
ALL = {TopicPartition(topic, partition) for topic in TOPICS for partition in range(PARTITIONS)}
GROUP = "workers"


async def join(log: KafkaLog, member: str) -> tuple[KafkaConsumer, Told]:
    told = Told()
    consumer = log.consumer(GROUP, TOPICS, member=member)
    told.consumer = consumer
    await consumer.start(told)
    return consumer, told


async def turns(*consumers: KafkaConsumer, until: Callable[[], bool], within: float = 20.0) -> None:
    """Let the members read in turn until something is so."""
    end = time.monotonic() + within
    while not until():
        assert time.monotonic() < end, "it never came"
        for consumer in consumers:
            await consumer.read(max_records=100, max_bytes=2**20, wait=0.01)


async def settle(*consumers: KafkaConsumer) -> None:
    """They hold everything between them, and no round of joining goes on or is wanted."""
    await share(*consumers)
    members = [consumer._membership for consumer in consumers]
    await turns(
        *consumers,
        until=lambda: (
            all(member._settled.is_set() and not member._wanted.is_set() for member in members)
            and len({member._generation for member in members}) == 1
        ),
    )


async def beats(consumer: KafkaConsumer, count: int) -> None:
    """So many signs of life are answered."""
    for _ in range(count):
        heard = consumer._membership._heard
        while consumer._membership._heard == heard:
            await asyncio.sleep(0.05)


async def freeze(consumer: KafkaConsumer, *, in_a_round: bool = False) -> None:
    """As SIGSTOP does: it says nothing more, and learns nothing, until its membership is started again.

    A round that goes on is waited for, or else begun and not ended.
    """
    member = consumer._membership
    if in_a_round:
        member.join_again()
        while member._settled.is_set():
            await asyncio.sleep(0)
    else:
        await member._settled.wait()
    for task in member._tasks:
        task.cancel()


def key(partition: int) -> bytes:
    """One that goes to this partition."""
    return next(key for number in range(1000) if partition_of(key := b"%d" % number, PARTITIONS) == partition)


async def test_what_is_heard_of_a_round_by_who_is_in_it_begins_no_other(engine: Kafka) -> None:
    """Or members that hear of it at different times would join for ever."""
    log = await engine.another(session=60.0)
    one, _ = await join(log, "one")
    two, _ = await join(log, "two")
    await settle(one, two)
    generation = one._membership._generation
    await freeze(two)
    one._membership.join_again()
    await beats(one, 3)
    assert one._membership._generation == generation
    two._membership.start()
    await turns(one, two, until=lambda: one._membership._generation > generation)
    await beats(one, 3)
    await settle(one, two)
    assert one._membership._generation == generation + 1


async def test_what_stays_is_read_and_committed_while_the_group_waits_for_a_dead_member(engine: Kafka) -> None:
    """A round of joining waits until the dead one's session is over; nobody else stops for it."""
    log = engine.log
    one, told = await join(log, "one")
    two, _ = await join(log, "two")
    await settle(one, two)
    kept = set(told.now)
    told.revoked_tps.clear()
    engine.kill(two)
    three, told_three = await join(log, "three")
    await turns(one, until=lambda: not one._membership._settled.is_set())  # it waits in a round
    given = dict.fromkeys(kept, 0)
    rounds = 0
    while not one._membership._settled.is_set():
        for tp in kept:
            await log.publish(tp.topic, key(tp.partition), (), b"", within=5)
        for record in await one.read(max_records=100, max_bytes=2**20, wait=0.05):
            given[record.tp] += 1
            await one.commit({record.tp: Committed(after(record))})
        assert one.holds()
        rounds += 1
    assert rounds > 3
    assert min(given.values()) >= rounds - 2
    await settle(one, three)
    assert told.revoked_tps == []
    assert set(told_three.now) == ALL - kept


async def test_who_joins_stops_only_what_it_is_given(engine: Kafka) -> None:
    one, told = await join(engine.log, "one")
    await settle(one)
    two, told_two = await join(engine.log, "two")
    await settle(one, two)
    assert set(told.revoked_tps) == set(told_two.now)
    assert len(told_two.now) == len(ALL) / 2


async def test_a_dead_members_partitions_move_when_its_session_is_over(engine: Kafka) -> None:
    one, _ = await join(engine.log, "one")
    two, told = await join(engine.log, "two")
    await settle(one, two)
    engine.kill(one)
    began = time.monotonic()
    await settle(two)
    assert set(told.now) == ALL
    assert time.monotonic() - began < 2.5 + 10  # not the time of a round of joining, 30 s


async def test_who_leaves_in_order_is_not_waited_for(engine: Kafka) -> None:
    """Also one that is known by its name, which aiokafka alone would let go by its session only."""
    for static in (False, True):
        log = await engine.another(session=60.0, static=static)
        one, _ = await join(log, f"one {static}")
        two, told = await join(log, f"two {static}")
        await settle(one, two)
        await one.stop()
        await settle(two)
        assert set(told.now) == ALL
        await two.stop()


async def test_who_comes_back_under_its_name_is_given_what_it_had_and_nobody_else_notices(engine: Kafka) -> None:
    log = await engine.another(session=30.0, static=True, stay=True)
    one, told_one = await join(log, "one")
    two, told_two = await join(log, "two")
    await settle(one, two)
    had, generation = set(told_one.now), two._membership._generation
    told_two.revoked_tps.clear()
    told_one.on_revoke = {tp: Committed(told_one.now[tp].end, clean=True) for tp in had}
    await one.stop()
    again, told_again = await join(await engine.another(session=30.0, static=True, stay=True), "one")
    await settle(again, two)
    assert set(told_again.now) == had
    assert all(assignment.committed == told_one.on_revoke[tp] for tp, assignment in told_again.now.items())
    assert told_two.revoked_tps == []
    assert two._membership._generation == generation


async def test_what_a_member_did_not_live_to_let_go_is_not_forgotten(engine: Kafka) -> None:
    """It was to give partitions to another, was killed before it did, and came back under its name: no round began."""
    log = await engine.another(session=30.0, static=True)
    one, _ = await join(log, "one")
    await settle(one)
    two, told_two = await join(log, "two")
    await turns(two, until=lambda: len(one._membership.assignment or ALL) < len(ALL))  # it reads no more
    engine.kill(one)
    again, told_again = await join(await engine.another(session=30.0, static=True), "one")
    await settle(again, two)
    assert set(told_again.now) | set(told_two.now) == ALL


async def test_who_was_away_commits_nothing_is_told_and_joins_again_without_anything(engine: Kafka) -> None:
    log = await engine.another(static=True)
    one, told_one = await join(log, "one")
    two, told_two = await join(log, "two")
    await settle(one, two)
    had = set(told_one.now)
    await freeze(one)
    await settle_without(two)
    assert set(told_two.now) == ALL
    assert not one.holds()
    with pytest.raises(PartitionLost) as lost:  # it does not know yet: it is the group that refuses
        await one.commit({tp: Committed(Position(told_one.now[tp].end.epoch, 7)) for tp in had})
    assert set(lost.value.lost) == had
    one._membership.start()
    told_one.on_revoke = {tp: Committed(told_one.now[tp].end) for tp in had}
    await settle(one, two)
    assert had <= set(told_one.revoked_tps)
    assert [type(error) for error in told_one.errors] == [PartitionLost]
    assert one.holds()
    assert all(assignment.committed is None for assignment in told_one.now.values())


async def test_who_was_away_since_within_a_round_commits_nothing_either(engine: Kafka) -> None:
    """Its commit waits for the end of the round, and the end is that it is no member."""
    one, told = await join(engine.log, "one")
    two, _ = await join(engine.log, "two")
    await settle(one, two)
    had = set(told.now)
    await freeze(one, in_a_round=True)
    await settle_without(two)
    one._membership.start()
    with pytest.raises(PartitionLost) as lost:
        await one.commit({tp: Committed(Position(told.now[tp].end.epoch, 7)) for tp in had})
    assert set(lost.value.lost) == had
    await settle(one, two)
    assert all(assignment.committed is None for assignment in told.now.values())


async def settle_without(*consumers: KafkaConsumer) -> None:
    await turns(*consumers, until=lambda: sum(len(consumer._held) for consumer in consumers) == len(ALL))


async def test_it_may_not_begin_anything_while_the_broker_is_silent_and_may_again_when_it_is_not(
    alone: Kafka, victim: Broker
) -> None:
    one, told = await join(alone.log, "one")
    await settle(one)
    victim.pause()
    try:
        began = time.monotonic()
        while one.holds():
            assert time.monotonic() - began < 2.5
            await asyncio.sleep(0.01)
    finally:
        victim.go_on()
    await turns(one, until=one.holds)
    await alone.log.publish(LOCATIONS, b"", (), b"x", within=10)
    read: list[Record] = []
    while not read:
        read = await one.read(max_records=10, max_bytes=1000, wait=1)
    assert read[0].value == b"x"
    assert set(told.now) == ALL


async def test_who_stops_while_the_broker_is_silent_about_what_it_was_just_given_does_not_wait_for_the_answer(
    alone: Kafka, victim: Broker
) -> None:
    one, told = await join(alone.log, "one")
    while one._membership.assignment is None:
        await asyncio.sleep(0.01)
    victim.pause()
    try:
        reading = asyncio.create_task(one.read(max_records=10, max_bytes=1000, wait=120))
        while one._looking is None:
            await asyncio.sleep(0)
        await one.stop()
        assert await reading == []  # and not that Kafka is away, which it says when it has waited
        assert told.now == {}
    finally:
        victim.go_on()


async def test_a_commit_waits_for_a_round_that_goes_on(engine: Kafka) -> None:
    """Between two generations the broker takes no commits; nobody above notices."""
    one, told = await join(engine.log, "one")
    await settle(one)
    others = []
    for number in range(3):
        joining = await join(engine.log, f"two {number}")
        others.append(joining[0])
        until = time.monotonic() + 1
        while time.monotonic() < until:
            held = next(iter(told.now))
            await one.commit({held: Committed(Position(told.now[held].end.epoch, 0))})
            for consumer in (one, *others):
                await consumer.read(max_records=10, max_bytes=1000, wait=0)
    await settle(one, *others)


async def test_a_commit_of_another_epoch_is_none(engine: Kafka) -> None:
    one, told = await join(engine.log, "one")
    await settle(one)
    tp = TopicPartition(LOCATIONS, 0)
    end = told.now[tp].end
    await one.commit({each: Committed(Position(end.epoch, 0)) for each in ALL})
    await one.commit({tp: Committed(Position(end.epoch - 1, 5), clean=True)})
    await one.stop()
    two, told = await join(engine.log, "two")
    await settle(two)
    assert told.now[tp].committed is None
    assert sum(assignment.committed is None for assignment in told.now.values()) == 1
