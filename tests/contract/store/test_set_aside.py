"""Records that were set aside."""

from __future__ import annotations

from dataclasses import replace

from routing.log.port import Position, TopicPartition
from routing.store.port import SetAside, Store
from tests.contract.store.stored import TP, Harness


def aside(offset: int, *, at: int, epoch: int = 1) -> SetAside:
    return SetAside(
        TP, Position(epoch, offset), append_time=at - 5, at=at, reason="its envelope is of version 9",
        key=b"NL*TNM/locations/\xff", headers=(("ce_id", b"\0\xff"), ("ce_id", b"")), value=bytes(range(256)),
    )  # fmt: skip


async def test_records_set_aside_come_back_whole_the_newest_first(harness: Harness) -> None:
    records = [aside(7, at=100), aside(8, at=300), aside(7, at=200, epoch=2)]
    for record in records:
        await harness.store.set_aside(record)
    store = await harness.reopen()
    assert list(await store.load_set_aside(limit=10)) == [records[1], records[2], records[0]]
    assert list(await store.load_set_aside(limit=1)) == [records[1]]


async def test_records_set_aside_are_read_in_pages_and_by_what_is_in_their_topic_or_reason(store: Store) -> None:
    records = [
        replace(aside(n, at=n), tp=TopicPartition(f"ocpi.{topic}", 1), reason=reason)
        for n, (topic, reason) in enumerate((("cdrs", "a.b"), ("tokens", "aXb"), ("cdrs", "50% of CDRS_"), ("x", "é")))
    ]
    for record in records:
        await store.set_aside(record)
    assert list(await store.load_set_aside(limit=2, offset=1)) == [records[2], records[1]]
    assert list(await store.load_set_aside(limit=9, offset=4)) == []
    for wanted, found in (("", 4), ("CDRS", 2), ("a.b", 1), ("A", 2), ("%", 1), ("s_", 1), ("é", 1), ("z", 0)):
        assert len(await store.load_set_aside(limit=9, wanted=wanted)) == found, wanted
        assert await store.count_set_aside(wanted=wanted) == found, wanted


async def test_one_record_set_aside_is_found_by_its_offset(store: Store) -> None:
    for record in (aside(7, at=100, epoch=2), aside(7, at=300), aside(8, at=200)):
        await store.set_aside(record)
    assert await store.read_set_aside(TP, 7) == aside(7, at=100, epoch=2)
    assert await store.read_set_aside(TP, 9) is None
    assert await store.read_set_aside(TopicPartition("ocpi.cdrs", TP.partition), 7) is None


async def test_a_record_is_set_aside_once(store: Store) -> None:
    await store.set_aside(aside(7, at=100))
    await store.set_aside(aside(7, at=200))
    assert list(await store.load_set_aside(limit=10)) == [aside(7, at=100)]


async def test_records_set_aside_long_ago_expire(store: Store) -> None:
    await store.set_aside(aside(7, at=100))
    await store.set_aside(aside(8, at=101))
    assert await store.expire(0, cdrs_before=101) == 1
    assert list(await store.load_set_aside(limit=10)) == [aside(8, at=101)]
