"""Relays as they went, published to `ocpi.exchanges` in the background: a call never waits for its own record.

What waits is bounded, and what does not fit is dropped and counted. Many exchanges travel in one record, because one
record a relay would cost the hub more than the relay's bookkeeping itself (CloudEvents 1.0, Kafka binding).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final, NamedTuple

import orjson
import structlog
from uuid_utils import uuid7

from connectors.values import PartyId
from routing import cloudevents
from routing.cloudevents import attributes, source
from routing.log.port import Headers, Log, LogError, PublishRefused
from routing.topics import EXCHANGES

log = structlog.get_logger(__name__)

TYPE: Final = "org.ocpi-hub.exchanges.v1"
_TYPE: Final = ("ce_type", TYPE.encode())
_SOURCE: Final = source(cloudevents.EXCHANGES)
MAX_WAITING: Final = 20_000
MAX_BODIES: Final = 16 * 2**20
LARGEST_BODY: Final = 256 * 1024
"""Bodies that wait, in bytes, and the largest of them: what is beyond either goes without them."""

RECORD_BYTES: Final = 512 * 1024
BATCH: Final = 500
FLUSH_SECONDS: Final = 0.25
PUBLISH_SECONDS: Final = 5.0


def _nothing() -> None:
    pass


class Exchange(NamedTuple):
    """One relay and what came of it.

    `at` is UTC ms of the call's arrival; `row` the catalogue's id; `path` what stood after the endpoint URL, decoded.
    `request_id` is the caller's, `forwarded_id` the one that the recipient saw. `ms` is the whole, `hub_ms` without
    the wait for the recipient. `outcome`: answered, or the hub's own no in words. `via` is what told the recipient,
    one of `routing.event.VIA`. `tried` are the attempts before
    the last one: when each was begun (UTC ms), why it came to nothing, and its milliseconds.
    `sent` and `answer` are the bodies, where they are to be kept.
    """

    at: int
    row: str
    module: str
    method: str
    path: tuple[str, ...]
    sender: PartyId
    recipient: PartyId
    request_id: str
    correlation_id: str
    forwarded_id: str
    attempts: int
    http_status: int
    status_code: int
    ms: float
    hub_ms: float
    outcome: str
    via: str = ""
    tried: tuple[tuple[int, str, int], ...] = ()
    sent: bytes = b""
    answer: bytes = b""


class Exchanges:
    """The buffer of exchanges and the task that publishes it. `dropped` is called for each that did not fit."""

    def __init__(
        self, port: Log, *, source: str, max_waiting: int = MAX_WAITING, dropped: Callable[[], None] = _nothing
    ) -> None:
        """`source` names the process: it is the key of the records, so that those of one process keep their order."""
        self._dropped = dropped
        self._log = port
        self._key = source.encode()
        self._max_waiting = max_waiting
        self._batch = BATCH
        self._waiting: deque[Exchange] = deque()
        self._held = 0
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, exchange: Exchange) -> None:
        """Take it if there is room; never waits and never raises."""
        if len(self._waiting) >= self._max_waiting:
            self._dropped()
            return
        if exchange.sent or exchange.answer:
            size = _bodies(exchange)
            if size > LARGEST_BODY or self._held + size > MAX_BODIES:
                exchange = exchange._replace(sent=b"", answer=b"")
            else:
                self._held += size
        self._waiting.append(exchange)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="exchanges")

    async def close(self) -> None:
        """Publish what waits, as far as the log takes it now."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        while self._waiting and await self.flush():
            pass

    async def flush(self) -> bool:
        """Publish one record of what waits; False when the log did not take it, and then everything still waits."""
        batch = self._next()
        if not batch:
            return True
        headers, value = encode(batch)
        try:
            await self._log.publish(EXCHANGES, self._key, headers, value, within=PUBLISH_SECONDS)
        except LogError as error:
            log.warning("exchanges_not_published", waiting=len(self._waiting), reason=str(error))
            if isinstance(error, PublishRefused) and self._log.trouble() is None:
                self._refused(len(batch))
            return False
        self._batch = BATCH
        for _ in batch:
            self._drop_first()
        return True

    def _next(self) -> list[Exchange]:
        """What goes into one record, which no body makes too large."""
        batch: list[Exchange] = []
        size = 0
        for exchange in islice(self._waiting, self._batch):
            size += _bodies(exchange)
            if size > RECORD_BYTES and batch:
                break
            batch.append(exchange)
        return batch

    def _drop_first(self) -> None:
        self._held -= _bodies(self._waiting.popleft())

    def _refused(self, size: int) -> None:
        """A log that takes other records refused this one: it may be too large, and those behind it must not wait."""
        if size == 1:
            self._drop_first()
            self._dropped()
        self._batch = max(1, size // 2)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                while self._waiting and await self.flush():
                    pass
            except Exception:
                log.exception("exchanges_not_published", waiting=len(self._waiting))


def encode(batch: list[Exchange]) -> tuple[Headers, bytes]:
    """The record of these exchanges: CloudEvents attributes as headers, a JSON array as data."""
    headers = attributes(str(uuid7()), source=_SOURCE, type=_TYPE)
    return headers, orjson.dumps([_document(exchange) for exchange in batch])


def _document(exchange: Exchange) -> dict[str, object]:
    return {
        "at": exchange.at,
        "row": exchange.row,
        "module": exchange.module,
        "method": exchange.method,
        "path": exchange.path,
        "sender": str(exchange.sender),
        "recipient": str(exchange.recipient),
        "request_id": exchange.request_id,
        "correlation_id": exchange.correlation_id,
        "forwarded_id": exchange.forwarded_id,
        "attempts": exchange.attempts,
        "http_status": exchange.http_status,
        "status_code": exchange.status_code,
        "ms": round(exchange.ms, 3),
        "hub_ms": round(exchange.hub_ms, 3),
        "outcome": exchange.outcome,
        "via": exchange.via,
        "tried": exchange.tried,
        "sent": _text(exchange.sent),
        "answer": _text(exchange.answer),
    }


def _bodies(exchange: Exchange) -> int:
    return len(exchange.sent) + len(exchange.answer)


def _text(body: bytes) -> str | None:
    """JSON is UTF-8; what is not is no JSON, and is left out."""
    if not body:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
