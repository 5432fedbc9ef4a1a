"""The memory of CDRs: what is kept of each, and what takes its place."""

from __future__ import annotations

from dataclasses import replace

from connectors.values import PartyId
from routing.log.port import Position
from routing.store.port import CdrKey, CdrRecord, Store
from tests.contract.store.stored import CPO, EMSP, Harness, cdr

CDR = CdrKey(CPO, "CDR-1", EMSP)


async def test_cdr_record_comes_back_whole_and_is_overwritten(harness: Harness) -> None:
    attempted = CdrRecord(CDR, b'{"id": "cdr-1", "n": 1.10}', Position(1, 9), recorded=100)
    answered = replace(
        attempted, http_status=200, status_code=1000, answer=b"{\xff}", location="https://hub.example/x", recorded=101
    )
    assert await harness.store.read_cdr(CDR) is None
    await harness.store.write_cdr(attempted)
    assert await harness.store.read_cdr(CDR) == attempted
    await harness.store.write_cdr(answered)
    store = await harness.reopen()
    assert await store.read_cdr(CDR) == answered
    assert await store.read_cdr(cdr("CDR-2")) is None


async def test_p5_a_cdr_record_of_an_earlier_position_takes_nothing_back(store: Store) -> None:
    refused = CdrRecord(CDR, b"{}", Position(1, 4), recorded=1, http_status=200, status_code=2001)
    accepted = CdrRecord(CDR, b"{}", Position(1, 5), recorded=2, http_status=200, status_code=1000)
    attempted = CdrRecord(CDR, b"{}", Position(1, 5), recorded=1)
    for record in (refused, attempted, accepted, refused, attempted):
        await store.write_cdr(record)
    assert await store.read_cdr(CDR) == accepted
    anew = CdrRecord(CDR, b"{}", Position(2, 1), recorded=3)
    await store.write_cdr(anew)
    assert await store.read_cdr(CDR) == anew


async def test_the_same_cdr_at_two_recipients_is_two_records(store: Store) -> None:
    other = cdr("CDR-1", PartyId("FR", "EMS"))
    await store.write_cdr(CdrRecord(CDR, b"one", Position(1, 1), recorded=1))
    await store.write_cdr(CdrRecord(other, b"two", Position(1, 2), recorded=1))
    first, second = await store.read_cdr(CDR), await store.read_cdr(other)
    assert first is not None
    assert second is not None
    assert (first.payload, second.payload) == (b"one", b"two")
