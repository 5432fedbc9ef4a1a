"""What routing/log/port.py says, on every engine. An engine joins in engines.py."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from routing.log.port import (
    Assignment,
    Committed,
    Consumer,
    Headers,
    Log,
    PartitionLost,
    Position,
    Published,
    PublishRefused,
    PublishUnknown,
    Record,
    ReplyTo,
    TopicPartition,
    partition_of,
)
from tests.contract.engines import (
    LOG_ENGINES,
    PARTITIONS,
    TAIL,
    TOPICS,
    LogEngine,
    after,
    join,
    read,
    settle,
)

LOCATIONS, CDRS = TOPICS
ALL = {TopicPartition(topic, partition) for topic in TOPICS for partition in range(PARTITIONS)}
HEADERS: Headers = (("ce_id", b"1"), ("naïve", b"\x00\xff"), ("empty", b""))


@pytest.fixture(params=sorted(LOG_ENGINES))
def unopened(request: pytest.FixtureRequest, tmp_path: Path) -> LogEngine:
    return LOG_ENGINES[request.param](tmp_path / "log", request)


@pytest.fixture
async def engine(unopened: LogEngine) -> AsyncIterator[LogEngine]:
    await unopened.open()
    yield unopened
    await unopened.close()


@pytest.fixture
def log(engine: LogEngine) -> Log:
    return engine.log


async def put(log: Log, count: int, topic: str = LOCATIONS, size: int = 10, first: int = 0) -> list[Published]:
    """Publish `count` records at once, each with a key of its own; the value begins with its number."""
    return await asyncio.gather(
        *(
            log.publish(topic, b"key%d" % number, HEADERS, b"%d|" % number + b"x" * size, within=5)
            for number in range(first, first + count)
        )
    )


def by_partition(records: Sequence[Record]) -> dict[TopicPartition, list[Record]]:
    found: dict[TopicPartition, list[Record]] = defaultdict(list)
    for record in records:
        found[record.tp].append(record)
    return found


def growing(records: Sequence[Record]) -> bool:
    return all(
        earlier.position < later.position
        for of_one in by_partition(records).values()
        for earlier, later in pairwise(of_one)
    )


def numbers(records: Sequence[Record]) -> list[int]:
    return [int(record.value.split(b"|")[0]) for record in records]


# --- publishing and reading ------------------------------------------------------------------------------------------


async def test_the_partition_is_a_function_of_the_key(log: Log) -> None:
    for key in (b"NL*TNM/locations/LOC1", b"DE*AAA/locations/X", b""):
        published = [await log.publish(LOCATIONS, key, (), b"", within=5) for _ in range(2)]
        assert {one.tp for one in published} == {TopicPartition(LOCATIONS, partition_of(key, PARTITIONS))}


def test_the_partition_of_a_key_never_changes() -> None:
    assert [partition_of(key, 24) for key in (b"NL*TNM/locations/LOC1", b"DE*ABC/tokens/1", b"")] == [16, 18, 0]


async def test_ends_are_above_all_that_was_published_and_below_what_comes(log: Log) -> None:
    before = await put(log, 20)
    ends = await log.ends(LOCATIONS)
    assert set(ends) == set(range(PARTITIONS))
    assert all(one.position < ends[one.tp.partition] for one in before)
    later = await put(log, 20)
    assert all(one.position >= ends[one.tp.partition] for one in later)


async def test_where_the_log_was_at_a_moment_is_found(log: Log) -> None:
    first = await put(log, 20)
    await asyncio.sleep(0.05)
    later = await put(log, 20)
    begun = min(one.append_time for one in later)
    at = await log.at(LOCATIONS, begun)
    assert set(at) == set(range(PARTITIONS))
    assert all(one.position < at[one.tp.partition] for one in first if one.append_time < begun)
    assert all(one.position >= at[one.tp.partition] for one in later)
    ends = await log.ends(LOCATIONS)
    assert await log.at(LOCATIONS, max(one.append_time for one in later) + 60_000) == ends
    assert set((await log.at(LOCATIONS, 0)).values()) <= {Position(0, 0), *(one.position for one in first)}


async def test_positions_of_a_partition_grow_in_the_order_of_publishing(log: Log) -> None:
    published = [await log.publish(LOCATIONS, b"same", (), b"%d" % number, within=5) for number in range(5)]
    published += await asyncio.gather(
        *(log.publish(LOCATIONS, b"same", (), b"%d" % number, within=5) for number in range(5, 50))
    )
    positions = [one.position for one in published]
    assert positions == sorted(set(positions))
    consumer, _ = await join(log, "one")
    assert [record.value for record in await read(consumer, 50)] == [b"%d" % number for number in range(50)]


async def test_what_is_read_is_what_was_published(log: Log) -> None:
    before = time.time() * 1000
    value = bytes(range(256)) * 300
    published = await log.publish(CDRS, b"key\x00", HEADERS, value, within=5)
    consumer, _ = await join(log, "one")
    (record,) = await read(consumer, 1)
    assert (record.tp, record.position, record.append_time) == (published.tp, published.position, published.append_time)
    assert (record.key, record.headers, record.value) == (b"key\x00", HEADERS, value)
    assert before - 1 <= record.append_time <= time.time() * 1000 + 1


async def test_every_topic_is_read_and_no_record_twice(log: Log) -> None:
    await put(log, 100)
    await put(log, 100, CDRS)
    consumer, _ = await join(log, "one")
    records = await read(consumer, 200)
    assert sorted(numbers(records)) == sorted([*range(100), *range(100)])
    assert growing(records)
    assert await consumer.read(max_records=10, max_bytes=1000, wait=0) == []


async def test_a_read_waits_for_the_first_record_and_no_longer(log: Log) -> None:
    consumer, _ = await join(log, "one")
    await settle(consumer)
    waiting = asyncio.create_task(consumer.read(max_records=10, max_bytes=1000, wait=5))
    await asyncio.sleep(0.01)
    await put(log, 1)
    assert len(await asyncio.wait_for(waiting, 1)) == 1
    began = time.monotonic()
    assert await consumer.read(max_records=10, max_bytes=1000, wait=0.05) == []
    assert 0.04 < time.monotonic() - began < 2


async def test_a_read_keeps_to_its_bounds_but_gives_at_least_one(log: Log) -> None:
    await put(log, 20, size=1000)
    consumer, _ = await join(log, "one")
    assert len(await consumer.read(max_records=3, max_bytes=10**6, wait=1)) == 3
    assert len(await consumer.read(max_records=100, max_bytes=5000, wait=1)) <= 6
    assert len(await consumer.read(max_records=100, max_bytes=1, wait=1)) == 1


async def test_fetch_reads_from_any_position_and_moves_nothing(log: Log) -> None:
    published = [await log.publish(LOCATIONS, b"same", (), b"%d" % number, within=5) for number in range(30)]
    await put(log, 30)
    tp = published[0].tp
    consumer, _ = await join(log, "one")
    await read(consumer, 60)
    fetched = await consumer.fetch(tp, published[10].position, max_records=7)
    assert [record.value for record in fetched] == [b"%d" % number for number in range(10, 17)]
    everything = await consumer.fetch(tp, Position(0, 0), max_records=1000)
    assert everything[0].position == published[0].position
    assert {record.tp for record in everything} == {tp}
    last = everything[-1]
    assert await consumer.fetch(tp, after(last), max_records=10) == []
    assert await consumer.read(max_records=10, max_bytes=1000, wait=0) == []


async def test_position_says_up_to_where_everything_was_given(log: Log) -> None:
    await put(log, 50)
    consumer, told = await join(log, "one")
    records = await read(consumer, 50)
    await consumer.read(max_records=10, max_bytes=1000, wait=0)
    for tp, of_one in by_partition(records).items():
        position = consumer.position(tp)
        assert position is not None
        assert of_one[-1].position < position
    for tp, assignment in told.now.items():
        assert (consumer.position(tp) or Position(0, 0)) >= assignment.end
    await consumer.stop()
    assert consumer.position(TopicPartition(LOCATIONS, 0)) is None


async def test_position_is_never_past_what_a_read_under_way_has_not_returned(log: Log) -> None:
    """Whoever looks meanwhile would take those records for done."""
    await put(log, 300, size=10_000)
    await put(log, 300, CDRS, size=10_000)  # both are more than is kept beside the disk
    consumer, told = await join(log, "one")
    await settle(consumer)
    left = 600
    while left:
        reading = asyncio.create_task(consumer.read(max_records=1000, max_bytes=2**20, wait=5))
        seen: dict[TopicPartition, Position] = {}
        while not reading.done():
            seen |= {tp: at for tp in told.now if (at := consumer.position(tp)) is not None}
            await asyncio.sleep(0)
        for tp, of_one in by_partition(await reading).items():
            assert tp not in seen or seen[tp] <= of_one[0].position
            left -= len(of_one)


async def test_two_groups_read_everything_each(log: Log) -> None:
    await put(log, 10)
    one, _ = await join(log, "one", group="a")
    two, _ = await join(log, "one", group="b")
    assert sorted(numbers(await read(one, 10))) == sorted(numbers(await read(two, 10))) == list(range(10))


async def test_pause_holds_back_and_resume_goes_on_in_order(log: Log) -> None:
    consumer, _ = await join(log, "one")
    await settle(consumer)
    tp = TopicPartition(LOCATIONS, partition_of(b"key0", PARTITIONS))  # of the very first record after the pause
    consumer.pause([tp])
    await put(log, 40)
    await put(log, 40, first=40)
    records = await read(consumer, 80, seconds=0.5)
    assert records
    assert tp not in by_partition(records)
    consumer.resume([tp])
    await put(log, 40, first=80)
    records += await read(consumer, 120 - len(records))
    assert sorted(numbers(records)) == list(range(120))
    assert growing(records)


async def test_a_slow_consumer_reads_everything_in_order_and_holds_little(engine: LogEngine) -> None:
    log = engine.log
    consumer, _ = await join(log, "one")
    await settle(consumer)
    most = 0
    size, count = 20_000, 2000  # 40 MB
    for first in range(0, count, 50):
        await put(log, 50, size=size, first=first)
        most = max(most, engine.held_bytes())
    records: list[Record] = []
    while len(records) < count:
        taken = await consumer.read(max_records=30, max_bytes=2**20, wait=1)
        assert taken
        records += [
            Record(one.topic, one.partition, one.position, one.append_time, one.key, (), one.value[:10])
            for one in taken
        ]
        most = max(most, engine.held_bytes())
    assert sorted(numbers(records)) == list(range(count))
    assert growing(records)
    assert most < TAIL + 6 * 2**20, f"{most} bytes"


# --- what publishing may say -----------------------------------------------------------------------------------------


async def test_an_unknown_publish_may_land_later_and_is_read_once(engine: LogEngine) -> None:
    consumer, _ = await join(engine.log, "one")
    await settle(consumer)
    engine.late()
    with pytest.raises(PublishUnknown):
        await engine.log.publish(LOCATIONS, b"key", (), b"late", within=0.05)
    engine.let_land()
    assert [record.value for record in await read(consumer, 1)] == [b"late"]
    assert await consumer.read(max_records=10, max_bytes=1000, wait=0.05) == []


async def test_a_cancelled_publisher_takes_nothing_back(engine: LogEngine) -> None:
    consumer, _ = await join(engine.log, "one")
    await settle(consumer)
    engine.late()
    publishing = asyncio.create_task(engine.log.publish(LOCATIONS, b"key", (), b"late", within=0.1))
    await asyncio.sleep(0.01)
    publishing.cancel()
    engine.let_land()
    assert [record.value for record in await read(consumer, 1)] == [b"late"]


async def test_a_refused_record_never_lands(engine: LogEngine) -> None:
    consumer, _ = await join(engine.log, "one")
    await settle(consumer)
    engine.refuse()
    with pytest.raises(PublishRefused):
        await engine.log.publish(LOCATIONS, b"key", (), b"refused", within=5)
    await engine.log.publish(LOCATIONS, b"key", (), b"next", within=5)
    assert [record.value for record in await read(consumer, 1)] == [b"next"]
    assert engine.log.trouble() is None


async def test_many_published_together_are_there_in_order_once_that_is_said(log: Log) -> None:
    await log.publish_all(LOCATIONS, [(b"k", HEADERS, b"%d" % number) for number in range(50)], within=5)
    await log.publish_all(LOCATIONS, [], within=5)
    tp = TopicPartition(LOCATIONS, partition_of(b"k", PARTITIONS))
    consumer, _ = await join(log, "one")
    assert [int(record.value) for record in await consumer.fetch(tp, Position(0, 0), max_records=100)] == list(
        range(50)
    )


async def test_of_many_published_together_one_that_is_refused_is_said(engine: LogEngine) -> None:
    engine.refuse()
    with pytest.raises(PublishRefused):
        await engine.log.publish_all(LOCATIONS, [(b"k", (), b"1"), (b"k", (), b"2")], within=5)


async def test_a_topic_that_there_is_not_is_refused(log: Log) -> None:
    with pytest.raises(PublishRefused, match=r"ocpi\.nothing"):
        await log.publish("ocpi.nothing", b"", (), b"", within=5)


async def test_a_closed_log_refuses_and_says_so(log: Log) -> None:
    await log.close()
    assert log.trouble()
    with pytest.raises(PublishRefused):
        await log.publish(LOCATIONS, b"", (), b"", within=5)


# --- commits and changes of owner ------------------------------------------------------------------------------------


async def test_the_first_owner_sees_no_commit_and_the_end(log: Log) -> None:
    published = await put(log, 30)
    consumer, told = await join(log, "one")
    await settle(consumer)
    assert set(told.now) == ALL
    assert all(assignment.committed is None for assignment in told.now.values())
    for one in published:
        assert told.now[one.tp].end > one.position


async def test_a_commit_is_where_the_next_owner_goes_on(log: Log) -> None:
    await put(log, 60)
    consumer, _ = await join(log, "one")
    records = await read(consumer, 60)
    (tp, of_one), *_ = by_partition(records).items()
    await consumer.commit({tp: Committed(after(of_one[4]))})
    await consumer.stop()
    consumer, told = await join(log, "two")
    again = by_partition(await read(consumer, 55))
    assert told.now[tp].committed == Committed(after(of_one[4]))
    assert again[tp] == of_one[5:]


async def test_an_orderly_leave_round_trips_clean_and_begun(log: Log) -> None:
    await put(log, 60)
    consumer, told = await join(log, "one")
    found = by_partition(await read(consumer, 60))
    some, other = sorted(found)[:2]
    told.on_revoke = {
        some: Committed(after(found[some][2]), clean=True, begun=found[some][5].position),
        other: Committed(after(found[other][2]), clean=True, begun=None),
    }
    await consumer.stop()
    assert set(told.revoked_tps) == ALL
    assert told.errors == []
    _, told = second = await join(log, "two")
    await settle(second[0])
    assert told.now[some].committed == Committed(after(found[some][2]), True, found[some][5].position)
    assert told.now[other].committed == Committed(after(found[other][2]), True, None)


async def test_after_stopping_nothing_is_read_held_or_committed(log: Log) -> None:
    await put(log, 10)
    consumer, _ = await join(log, "one")
    records = await read(consumer, 10)
    assert consumer.holds()
    await consumer.stop()
    await consumer.stop()
    assert not consumer.holds()
    assert await consumer.read(max_records=10, max_bytes=1000, wait=1) == []
    with pytest.raises(PartitionLost) as lost:
        await consumer.commit({records[0].tp: Committed(after(records[0]))})
    assert lost.value.lost == (records[0].tp,)


async def test_stopping_ends_a_read_that_waits(log: Log) -> None:
    consumer, _ = await join(log, "one")
    waiting = asyncio.create_task(consumer.read(max_records=10, max_bytes=1000, wait=30))
    await asyncio.sleep(0.01)
    await asyncio.wait_for(consumer.stop(), 2)
    assert await waiting == []


async def test_two_members_share_and_hand_over_in_order(log: Log) -> None:
    one, told_one = await join(log, "one")
    await settle(one)
    assert set(told_one.now) == ALL
    two, told_two = await join(log, "two")
    firsts = {tp: Position(assignment.end.epoch, 0) for tp, assignment in told_one.now.items()}
    left = {tp: Committed(first, clean=True, begun=first) for tp, first in firsts.items()}
    told_one.on_revoke = dict(left)
    await settle(one, two)
    assert told_one.now
    assert told_two.now
    assert set(told_one.now) | set(told_two.now) == ALL
    assert not set(told_one.now) & set(told_two.now)
    assert all(assignment.committed == left[tp] for tp, assignment in told_two.now.items())
    published = await put(log, 40)
    first, second = await asyncio.gather(read(one, 40, seconds=0.5), read(two, 40, seconds=0.5))
    assert {record.tp for record in first} <= set(told_one.now)
    assert {record.tp for record in second} <= set(told_two.now)
    assert sorted(numbers([*first, *second])) == list(range(len(published)))


async def test_what_waits_unread_is_not_passed_over_when_partitions_come(engine: LogEngine) -> None:
    log = engine.log
    one, told = await join(log, "one")
    two, _ = await join(log, "two")
    await settle(one, two)
    mine = set(told.now)
    published = await put(log, 60)
    engine.kill(two)
    await settle(one)
    await put(log, 20, first=60)
    records = await read(one, 80)
    assert sorted(numbers(records)) == list(range(80))
    assert growing(records)
    assert mine < set(told.now) == ALL
    assert len({published_one.tp for published_one in published} & mine) > 0


async def test_a_killed_members_partitions_move_unclean_and_its_late_commit_is_refused(engine: LogEngine) -> None:
    log = engine.log
    await put(log, 60)
    one, told_one = await join(log, "one")
    two, told_two = await join(log, "two")
    await settle(one, two)
    records = by_partition(await read(one, 60, seconds=0.3))
    tp = max(records, key=lambda tp: len(records[tp]))
    await one.commit({tp: Committed(after(records[tp][1]))})
    moving = set(told_one.now)
    told_one.revoked_tps.clear()
    engine.kill(one)
    assert not one.holds()
    await settle(two)
    assert set(told_two.now) == ALL
    assert told_one.revoked_tps == []  # nobody tells a dead process
    assert told_two.now[tp].committed == Committed(after(records[tp][1]), clean=False)
    with pytest.raises(PartitionLost) as lost:
        await one.commit({tp: Committed(told_two.now[tp].end) for tp in moving})
    assert set(lost.value.lost) == moving
    again = by_partition(await read(two, 60, seconds=0.3))
    assert again[tp] == records[tp][2:]


async def test_a_commit_names_those_that_are_lost_and_keeps_the_others(log: Log) -> None:
    one, told_one = await join(log, "one")
    two, told_two = await join(log, "two")
    await settle(one, two)
    mine, others = sorted(told_one.now)[0], sorted(told_two.now)[0]
    some = Committed(Position(told_one.now[mine].end.epoch, 3))
    with pytest.raises(PartitionLost) as lost:
        await one.commit({mine: some, others: some})
    assert lost.value.lost == (others,)
    await one.stop()
    await settle(two)
    assert told_two.now[mine].committed == some


async def test_whoever_takes_too_long_over_revoked_loses_it(log: Log) -> None:
    class Slow:
        cancelled = False

        async def assigned(self, assignments: object) -> None:
            del assignments

        async def revoked(self, tps: object) -> None:
            del tps
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled = True
                raise

    slow = Slow()
    consumer = log.consumer("workers", TOPICS, member="slow")
    await consumer.start(slow)
    await settle(consumer)
    await asyncio.wait_for(consumer.stop(), 5)
    assert slow.cancelled
    with pytest.raises(PartitionLost):
        await consumer.commit({TopicPartition(LOCATIONS, 0): Committed(Position(0, 0))})


async def test_a_new_owner_may_commit_before_it_reads(log: Log) -> None:
    """It commits what it found again, as unclean, before anything else."""

    class Again:
        def __init__(self, consumer: Consumer) -> None:
            self.consumer = consumer

        async def assigned(self, assignments: Sequence[Assignment]) -> None:
            await self.consumer.commit({each.tp: Committed(Position(each.end.epoch, 1)) for each in assignments})

        async def revoked(self, tps: Sequence[object]) -> None: ...

    consumer = log.consumer("workers", TOPICS, member="one")
    await consumer.start(Again(consumer))
    await settle(consumer)
    await consumer.stop()
    consumer, told = await join(log, "two")
    await settle(consumer)
    assert all(each.committed == Committed(Position(each.end.epoch, 1)) for each in told.now.values())


# --- replies ---------------------------------------------------------------------------------------------------------


async def test_replies_reach_only_the_edge_they_name_in_order(log: Log) -> None:
    one: list[tuple[Headers, bytes]] = []
    two: list[tuple[Headers, bytes]] = []
    to_one = await log.open_replies("edge-1", lambda headers, value: one.append((headers, value)))
    to_two = await log.open_replies("edge-2", lambda headers, value: two.append((headers, value)))
    assert (to_one.edge, to_two.edge) == ("edge-1", "edge-2")
    for number in range(3):
        log.reply(to_one, HEADERS, b"%d" % number)
    log.reply(to_two, (), b"other")
    for _ in range(200):
        if len(one) == 3 and two:
            break
        await asyncio.sleep(0.01)
    assert one == [(HEADERS, b"0"), (HEADERS, b"1"), (HEADERS, b"2")]
    assert two == [((), b"other")]


async def test_a_reply_to_an_edge_that_is_gone_is_dropped(log: Log) -> None:
    got: list[bytes] = []
    await log.open_replies("edge-1", lambda _headers, value: got.append(value))
    log.reply(ReplyTo("edge-0", 0), (), b"nobody")
    await asyncio.sleep(0.02)
    assert got == []
    assert log.trouble() is None
