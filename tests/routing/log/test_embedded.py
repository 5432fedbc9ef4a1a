"""What only the embedded log promises: its folder, its file, kill -9, trimming, a disk in trouble."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from routing.log.embedded import EmbeddedLog, LogLocked, LogUnusable, checkpointer
from routing.log.embedded.reader import Reader
from routing.log.port import Committed, LogAway, Position, PublishRefused, PublishUnknown, Record, TopicPartition
from tests.contract.engines import after, join, read, settle

TOPIC = "ocpi.locations"
ROOT = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def opened(folder: Path, **settings: Any) -> AsyncIterator[EmbeddedLog]:
    log = EmbeddedLog(folder, settings.pop("topics", [TOPIC]), **{"partitions": 4, **settings})
    await log.start()
    try:
        yield log
    finally:
        await log.close()


async def put(log: EmbeddedLog, count: int, first: int = 0, size: int = 10) -> None:
    await asyncio.gather(
        *(
            log.publish(TOPIC, b"key%d" % number, (("n", b"1"),), b"%d|" % number + b"x" * size, within=5)
            for number in range(first, first + count)
        )
    )


async def everything(log: EmbeddedLog, count: int) -> list[Record]:
    consumer, _ = await join(log, "reader", group=f"g{time.monotonic_ns()}", topics=[TOPIC])
    records = await read(consumer, count, seconds=20)
    while more := await consumer.read(max_records=500, max_bytes=2**20, wait=0.02):  # also what nobody was told of
        records += more
    await consumer.stop()
    return records


def numbers(records: list[Record]) -> list[int]:
    return sorted(int(record.value.split(b"|")[0]) for record in records)


class Clock:
    """UTC ms as the test sets it."""

    def __init__(self) -> None:
        self.now = 1_790_000_000_000

    def __call__(self) -> int:
        return self.now


# --- the folder ------------------------------------------------------------------------------------------------------


async def test_reopening_keeps_records_commits_and_positions(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await put(log, 30)
        consumer, _ = await join(log, "one", topics=[TOPIC])
        records = await read(consumer, 30)
        last = max(record.position for record in records)
        tp = records[0].tp
        committed = Committed(after(records[0]), clean=True, begun=records[0].position)
        await consumer.commit({tp: committed})
    async with opened(tmp_path) as log:
        assert (await log.publish(TOPIC, b"k", (), b"", within=5)).position > last
        consumer, told = await join(log, "two", topics=[TOPIC])
        await settle(consumer)
        assert told.now[tp].committed == committed
        assert sorted(map(repr, (await everything(log, 31))[:30])) == sorted(map(repr, records))


async def test_a_second_log_on_the_folder_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(LogLocked, match=f"{tmp_path} is in use by another process .*{os.getpid()}.*stop that one"):
            await EmbeddedLog(tmp_path, [TOPIC]).start()
    async with opened(tmp_path):
        pass


async def test_another_number_of_partitions_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    with pytest.raises(LogUnusable, match="4 partitions and cannot be opened with 8"):
        await EmbeddedLog(tmp_path, [TOPIC], partitions=8).start()
    async with opened(tmp_path):
        pass


async def test_a_file_that_is_no_log_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"something else entirely " * 1000)
    with pytest.raises(LogUnusable, match=r"log\.db cannot be used"):
        await EmbeddedLog(tmp_path, [TOPIC]).start()


async def test_a_topic_may_be_added_later(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await put(log, 3)
    async with opened(tmp_path, topics=[TOPIC, "ocpi.bookings"]) as log:
        await log.publish("ocpi.bookings", b"k", (), b"", within=5)
        assert len(await everything(log, 3)) == 3


async def test_a_topic_made_anew_has_a_greater_epoch(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path / "a", clock=clock) as log:
        first = await log.publish(TOPIC, b"k", (), b"", within=5)
        second = await log.publish(TOPIC, b"k", (), b"", within=5)
    async with opened(tmp_path / "a", clock=clock) as log:
        third = await log.publish(TOPIC, b"k", (), b"", within=5)
    clock.now += 1
    async with opened(tmp_path / "b", clock=clock) as log:
        anew = await log.publish(TOPIC, b"k", (), b"", within=5)
    assert first.position < second.position < third.position < anew.position
    assert anew.position.offset == first.position.offset


async def test_closing_writes_what_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        waiting = [asyncio.create_task(log.publish(TOPIC, b"k", (), b"%d|" % n, within=5)) for n in range(50)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    async with opened(tmp_path) as log:
        assert numbers(await everything(log, 50)) == list(range(50))


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [LogAway("the log cannot be read: the disk"), ValueError("a batch is damaged")])
async def test_p1_a_failure_in_the_middle_of_a_read_costs_nothing_that_was_found_before(
    failure: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = [TOPIC, "ocpi.tokens"]
    async with opened(tmp_path, topics=topics) as log:
        for topic in topics:
            await log.publish(topic, b"key", (), topic.encode(), within=5)
    async with opened(tmp_path, topics=topics) as log:
        whole, calls = Reader.read, 0

        async def read_once(self: Reader, *asked: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > 1:
                raise failure
            return await whole(self, *asked)

        consumer, _ = await join(log, "reader", topics=topics)
        monkeypatch.setattr(Reader, "read", read_once)
        found = await consumer.read(max_records=10, max_bytes=10_000, wait=1)
        with pytest.raises(type(failure), match=str(failure)):
            await consumer.read(max_records=10, max_bytes=10_000, wait=1)
        monkeypatch.undo()
        found += await read(consumer, 1)
        assert sorted(record.value.decode() for record in found) == topics
        assert calls == 3  # the failure was met in the middle, and once more


@pytest.mark.parametrize("large", [False, True])
async def test_a_batch_that_is_damaged_on_disk_stops_nobody(tmp_path: Path, large: bool) -> None:
    """Its whole records are read, its rest is one record that is no event, and so is all that comes after it."""
    async with opened(tmp_path, partitions=1) as log:
        await put(log, 3, size=300_000 if large else 10)
        await put(log, 2, first=3)
    with sqlite3.connect(next(tmp_path.glob("*.db"))) as file:
        assert file.execute("SELECT count(*) FROM batches").fetchone() == (2,)
        file.execute(
            "UPDATE batches SET body = substr(body, 1, length(body) - 7) WHERE id = (SELECT min(id) FROM batches)"
        )
    async with opened(tmp_path, partitions=1) as log:
        consumer, told = await join(log, "reader", topics=[TOPIC])
        records = await read(consumer, 5, seconds=20)
        assert [record.value[:2] for record in records if record.headers] == [b"0|", b"1|", b"3|", b"4|"]
        (rest,) = [record for record in records if not record.headers]
        assert rest is records[2]
        assert b"key2" in rest.value
        assert [record.position for record in records] == sorted({record.position for record in records})
        (tp,) = told.now
        assert consumer.position(tp) == told.now[tp].end
        assert (await consumer.fetch(tp, rest.position, max_records=1))[0].value == rest.value


# --- kill -9 ---------------------------------------------------------------------------------------------------------

CHILD = """
import asyncio, sys
from pathlib import Path
from routing.log.embedded import EmbeddedLog

async def main():
    log = EmbeddedLog(Path(sys.argv[1]), ["ocpi.locations"], partitions=4)
    await log.start()
    async def publisher(name):
        number = 0
        while True:
            value = f"{sys.argv[2]}.{name}.{number}".encode()
            done = await log.publish("ocpi.locations", b"key%d" % name, (), value + b"|" + b"x" * 1500, within=5)
            line = f"{done.tp.partition} {done.position.epoch} {done.position.offset} {value.decode()}\\n"
            sys.stdout.write(line)
            sys.stdout.flush()
            number += 1
    await asyncio.gather(*(publisher(name) for name in range(16)))

asyncio.run(main())
"""


async def test_kill_9_loses_nothing_acknowledged_and_keeps_the_order(tmp_path: Path) -> None:
    acknowledged: dict[tuple[int, Position], str] = {}
    for life in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(life)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert child.stdout
        before = len(acknowledged)
        killer: threading.Timer | None = None
        for line in child.stdout:
            if killer is None:  # some hundred records after the first, wherever the writer is then
                killer = threading.Timer(0.05 + 0.03 * life, child.send_signal, [signal.SIGKILL])
                killer.start()
            if line.endswith(b"\n"):
                partition, epoch, offset, value = line.decode().split()
                acknowledged[int(partition), Position(int(epoch), int(offset))] = value
        child.wait()
        assert killer is not None
        assert child.returncode == -signal.SIGKILL
        assert len(acknowledged) > before + 16
    async with opened(tmp_path) as log:
        records = await everything(log, len(acknowledged))
        found = {(one.partition, one.position): one.value.split(b"|")[0].decode() for one in records}
        assert {place: found.get(place) for place in acknowledged} == acknowledged
        assert len(found) == len(records)
        for name in range(16):  # each publisher waits for one answer before the next, so its order is the log's
            own = [tuple(map(int, value.split("."))) for value in found.values() if value.split(".")[1] == str(name)]
            assert own == sorted(own)


# --- trimming --------------------------------------------------------------------------------------------------------


async def test_trimming_drops_what_is_old_and_settled_by_every_group_and_nothing_else(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention_ms=1000) as log:
        await put(log, 100)
        fast, _ = await join(log, "m", group="fast", topics=[TOPIC])
        slow, _ = await join(log, "m", group="slow", topics=[TOPIC])
        ends = {record.tp: after(record) for record in sorted(await read(fast, 100), key=lambda one: one.position)}
        await fast.commit({tp: Committed(end) for tp, end in ends.items()})
        assert await log.trim() == 0  # too young
        clock.now += 2000
        assert await log.trim() == 0  # not settled by the slow one, which has committed nothing
        await read(slow, 100)
        (held, end), *others = ends.items()
        await slow.commit({tp: Committed(end) for tp, end in others})
        assert await log.trim() < 100
        assert len(await slow.fetch(held, Position(0, 0), max_records=100)) > 0
        await slow.commit({held: Committed(end)})
        await put(log, 10, first=100)
        await log.trim()
        assert numbers(await everything(log, 10)) == list(range(100, 110))


async def test_a_group_counts_as_a_reader_after_a_restart_too(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention_ms=1000) as log:
        await join(log, "m", topics=[TOPIC])
        await put(log, 10)
    clock.now += 5000
    async with opened(tmp_path, clock=clock, retention_ms=1000) as log:
        assert await log.trim() == 0


async def test_offsets_are_never_used_again_with_everything_trimmed(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention_ms=0) as log:
        await put(log, 20)
        clock.now += 1
        assert await log.trim() == 20
        last = await log.publish(TOPIC, b"k", (), b"", within=5)
        clock.now += 1
        assert await log.trim() == 1
    async with opened(tmp_path, clock=clock) as log:
        assert (await log.publish(TOPIC, b"k", (), b"", within=5)).position > last.position
        assert len(await everything(log, 1)) == 1


async def test_trimmed_space_is_used_again(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention_ms=0) as log:
        sizes = []
        for _ in range(4):
            for _ in range(10):
                await put(log, 20, size=20_000)
            clock.now += 1
            assert await log.trim() == 200
            sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
        assert sizes[-1] < 3 * 2**20 + 20 * 2**20  # 4 MB a round, and the write-ahead log


async def test_the_write_ahead_log_stays_bounded_under_load(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        for _ in range(120):
            await put(log, 50, size=20_000)  # 120 MB
        assert (tmp_path / "log.db-wal").stat().st_size < 64 * 2**20


async def test_the_write_ahead_log_stays_bounded_where_the_disk_moves_less_than_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[int] = []
    move = checkpointer.checkpoint

    def slowly(connection: sqlite3.Connection, mode: str = "PASSIVE") -> None:
        if threading.current_thread().name == "log-checkpointer":
            size = -1
            while size != (size := (tmp_path / "log.db-wal").stat().st_size):
                time.sleep(0.3)  # as long as anything is written
            moved.append(size)
        move(connection, mode)

    monkeypatch.setattr(checkpointer, "checkpoint", slowly)
    async with opened(tmp_path) as log:
        for _ in range(120):
            await put(log, 50, size=20_000)
    assert len(moved) >= 2
    assert max(moved) < 64 * 2**20


# --- the disk --------------------------------------------------------------------------------------------------------


async def test_a_full_disk_refuses_says_so_and_recovers_by_itself(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await put(log, 5)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "log.db-wal").stat().st_size + 4096, hard))
        try:
            with pytest.raises(PublishRefused, match="could not be written"):
                await log.publish(TOPIC, b"k", (), b"x" * 200_000, within=5)
            assert "cannot be written" in (log.trouble() or "")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        until = time.monotonic() + 10
        while log.trouble() and time.monotonic() < until:  # nobody publishes; the log finds out
            await asyncio.sleep(0.05)
        assert log.trouble() is None
        await put(log, 5, first=5)
        assert numbers(await everything(log, 10)) == list(range(10))


async def test_a_disk_that_fails_in_the_middle_leaves_records_unknown_and_commits_too(tmp_path: Path) -> None:
    failing = False

    def fail() -> None:
        if failing:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error

    async with opened(tmp_path, before_commit=fail) as log:
        consumer, _ = await join(log, "one", topics=[TOPIC])
        await settle(consumer)
        failing = True
        with pytest.raises(PublishUnknown):
            await log.publish(TOPIC, b"k", (), b"", within=5)
        with pytest.raises(LogAway):
            await consumer.commit({TopicPartition(TOPIC, 0): Committed(Position(0, 1))})
        assert log.trouble()
        failing = False
        await put(log, 1)
        assert log.trouble() is None


async def test_a_disk_that_hangs_is_said_and_fills_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.log.embedded.log._STALLED", 0.05)
    go = threading.Event()

    def hang() -> None:
        go.wait(20)

    async with opened(tmp_path, before_commit=hang, queue_bytes=2**20) as log:
        try:
            waiting = [asyncio.create_task(log.publish(TOPIC, b"k", (), b"x" * 100_000, within=0.1)) for _ in range(30)]
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {PublishUnknown, PublishRefused}
            assert log.held_bytes < 2 * 2**20
            assert "has not answered" in (log.trouble() or "")
        finally:
            go.set()
        while log.trouble():
            await asyncio.sleep(0.01)
        await put(log, 1)


# --- speed -----------------------------------------------------------------------------------------------------------


async def test_publishers_share_commits(tmp_path: Path) -> None:
    """Group commit is what makes it quick: 64 publishers need far fewer commits than records."""
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    async with opened(tmp_path, before_commit=count) as log:
        for _ in range(10):
            await put(log, 64)
    assert commits <= 64
