"""Exchanges: published in the background, bounded, and what does not fit is counted."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.values import PartyId
from routing.exchanges import BATCH, LARGEST_BODY, MAX_BODIES, RECORD_BYTES, Exchange, Exchanges
from routing.log.port import Headers, PublishRefused
from routing.topics import EXCHANGES


class Log:
    """Only what the buffer asks of a log."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, dict[str, bytes], list[dict[str, Any]]]] = []
        self.refuses = False
        self.largest = 2**30

    def trouble(self) -> str | None:
        return "away" if self.refuses else None

    async def publish(self, topic: str, key: bytes, headers: Headers, value: bytes, *, within: float) -> None:
        assert within > 0
        if self.refuses or len(value) > self.largest:
            raise PublishRefused("away")
        self.records.append((topic, key, dict(headers), orjson.loads(value)))


def exchange(n: int = 0) -> Exchange:
    return Exchange(
        n, "LOC-S2", "locations", "GET", ("L1",), PartyId("DE", "EMS"), PartyId("NL", "TNM"), "r", "c", "f", 1,
        200, 1000, 12.34567, 0.12345, "answered",
    )  # fmt: skip


def made(log: Log, **more: Any) -> Exchanges:
    return Exchanges(log, source="edge-1", **more)  # type: ignore[arg-type]


async def test_what_is_noted_is_published_in_order_as_cloudevents() -> None:
    log = Log()
    exchanges = made(log)
    for n in range(BATCH + 1):
        exchanges.note(exchange(n))
    await exchanges.close()
    (topic, key, headers, first), (*_, rest) = log.records
    assert (topic, key, headers["ce_type"]) == (EXCHANGES, b"edge-1", b"org.ocpi-hub.exchanges.v1")
    assert [one["at"] for one in [*first, *rest]] == list(range(BATCH + 1))
    assert first[0]["sender"] == "DE-EMS"
    assert (first[0]["ms"], first[0]["hub_ms"]) == (12.346, 0.123)


async def test_what_does_not_fit_is_dropped_and_counted() -> None:
    dropped: list[None] = []
    exchanges = made(Log(), max_waiting=2, dropped=lambda: dropped.append(None))
    for n in range(5):
        exchanges.note(exchange(n))
    assert (len(exchanges), len(dropped)) == (2, 3)


async def test_a_log_that_is_away_loses_nothing_that_fits() -> None:
    log = Log()
    exchanges = made(log)
    exchanges.note(exchange())
    log.refuses = True
    assert await exchanges.flush() is False
    await exchanges.close()
    assert len(exchanges) == 1
    log.refuses = False
    assert await exchanges.flush() is True
    assert len(log.records) == 1


async def test_bodies_go_along_as_text_and_none_makes_a_record_too_large() -> None:
    log = Log()
    exchanges = made(log)
    body = b"x" * (RECORD_BYTES // 4)
    for n in range(6):
        exchanges.note(exchange(n)._replace(sent=body, answer=b'"\xc3\xbc"' if n else b"\xff"))
    await exchanges.close()
    told = [one for *_, batch in log.records for one in batch]
    assert [one["at"] for one in told] == list(range(6))
    assert {one["sent"] for one in told} == {body.decode()}
    assert [one["answer"] for one in told] == [None, *['"\u00fc"'] * 5]
    assert len(log.records) == 2
    exchanges.note(exchange()._replace(sent=body))
    assert await exchanges.flush()


async def test_bodies_that_are_too_many_or_too_large_are_left_out_and_their_exchanges_are_not() -> None:
    log = Log()
    exchanges = made(log)
    log.refuses = True
    exchanges.note(exchange()._replace(sent=b"x" * (LARGEST_BODY + 1)))
    size = 2**18
    for _ in range(MAX_BODIES // size + 1):
        exchanges.note(exchange()._replace(sent=b"x" * size))
    log.refuses = False
    for _ in range(2):  # what went made room for others
        await exchanges.close()
        told = [one["sent"] for *_, batch in log.records for one in batch]
        exchanges.note(exchange()._replace(sent=b"x" * size))
    assert told[0] is None
    assert told[-2] is None
    assert all(told[1:-2])
    assert told[-1]


async def test_one_that_the_log_will_never_take_does_not_keep_the_others_waiting() -> None:
    log = Log()
    log.largest = 2000
    dropped: list[None] = []
    exchanges = made(log, dropped=lambda: dropped.append(None))
    for n in range(3):
        exchanges.note(exchange(n)._replace(outcome="x" * (5000 if n == 1 else 5)))
    for _ in range(5):
        await exchanges.flush()
    assert [one["at"] for *_, batch in log.records for one in batch] == [0, 2]
    assert (len(exchanges), len(dropped)) == (0, 1)
