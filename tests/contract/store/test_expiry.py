"""Rewritten URLs, and what expires."""

from __future__ import annotations

from routing.log.port import Position
from routing.store.port import CdrRecord, Store
from tests.contract.store.stored import Harness, cdr

FUTURE = 4_102_444_800_000  # an engine may drop by itself what has expired by its clock


async def test_a_stored_url_is_there_until_it_expires(harness: Harness) -> None:
    await harness.store.put_url("ref", b"\0content\xff", expires=FUTURE + 100)
    store = await harness.reopen()
    assert await store.get_url("ref", now=FUTURE + 99) == b"\0content\xff"
    assert await store.get_url("ref", now=FUTURE + 100) is None
    assert await store.get_url("REF", now=0) is None
    await store.put_url("ref", b"newer", expires=FUTURE + 200)
    assert await store.get_url("ref", now=FUTURE + 150) == b"newer"


async def test_expire_drops_what_is_old_and_counts_it(store: Store) -> None:
    for n in range(3):
        await store.put_url(f"ref{n}", b"c", expires=FUTURE + n)
        await store.write_cdr(CdrRecord(cdr(f"CDR-{n}"), b"{}", Position(1, n), recorded=1000 + n))
    assert await store.expire(FUTURE + 1, cdrs_before=1001) == 3
    assert [await store.get_url(f"ref{n}", now=0) for n in range(3)] == [None, None, b"c"]
    assert [await store.read_cdr(cdr(f"CDR-{n}")) is None for n in range(3)] == [True, False, False]
    assert await store.expire(FUTURE + 1, cdrs_before=1001) == 0
