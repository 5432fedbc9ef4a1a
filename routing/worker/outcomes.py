"""Outcome records: one an event when it is settled, on the log before its offset is committed (`ocpi.outcomes`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import orjson

from routing import cloudevents
from routing.cloudevents import attributes, source
from routing.log.port import Headers, Log, LogError
from routing.topics import OUTCOMES
from routing.worker.tracker import Entry

_AGAIN_AFTER: Final = 0.2
_GATHER: Final = 0.25  # nobody waits for an outcome record, and many in one commit of the log cost less
_BATCH: Final = 256
_A_TURN: Final = 32
_LONGEST_DETAIL: Final = 500
TYPE = "org.ocpi-hub.outcome.v1"
_TYPE = ("ce_type", TYPE.encode())
_SOURCE = source(cloudevents.OUTCOMES)

Ready = tuple[bytes, Headers, bytes]
"""Key, headers and value of a record."""


class Outcomes:
    """Publishes outcome records in the order of settling, many at a time; a record that fails is tried again."""

    def __init__(
        self, log: Log, *, settled: Callable[[Entry], None], trouble: Callable[[str], None], within: float = 3.0
    ) -> None:
        self._log = log
        self._settled = settled
        self._trouble = trouble
        self._within = within
        self._queue: list[Entry | Ready] = []
        self._wake = asyncio.Event()
        self._flushing = asyncio.Lock()

    def put(self, entry: Entry) -> None:
        self._queue.append(entry)
        self._wake.set()

    def tell(self, record: Ready) -> None:
        """Publish a record of no event, which nobody waits for."""
        self._queue.append(record)
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(_GATHER)
            self._wake.clear()
            await self.flush()

    async def flush(self) -> None:
        """Publish all that waits now; returns when it is on the log. What was cut off meanwhile waits on.

        What comes meanwhile is gathered for the next time.
        """
        async with self._flushing:
            left = len(self._queue)
            while left > 0:
                most = min(left, _BATCH)
                batch, self._queue = self._queue[:most], self._queue[most:]
                try:
                    records = await _in_turns(batch)
                    sent = self._log.publish_all(OUTCOMES, records, within=self._within)
                except BaseException:
                    self._queue = batch + self._queue
                    raise
                try:
                    await asyncio.shield(sent)
                except LogError as error:
                    # some may be there: a record that stands twice says the same twice
                    self._queue = batch + self._queue
                    self._trouble(f"the log does not take outcome records: {error}; trying again")
                    await asyncio.sleep(_AGAIN_AFTER)
                except BaseException:
                    self._queue = batch + self._queue
                    sent.add_done_callback(_seen)
                    raise
                else:
                    left -= len(batch)
                    for entry in batch:
                        if isinstance(entry, Entry):
                            self._settled(entry)


def _seen(sent: asyncio.Future[None]) -> None:
    """Nobody waits for it any more, whatever it came to."""
    if not sent.cancelled():
        sent.exception()


async def _in_turns(entries: list[Entry | Ready]) -> list[Ready]:
    """Their records; who has a caller waiting gets its turn in between."""
    records = []
    for number, entry in enumerate(entries, 1):
        records.append(record(entry) if isinstance(entry, Entry) else entry)
        if number % _A_TURN == 0:
            await asyncio.sleep(0)
    return records


def record(entry: Entry) -> Ready:
    """Key, headers and value of an outcome record: rows of party, outcome, detail and milliseconds."""
    event, correlation, request = entry.identity
    body = {
        "topic": entry.tp.topic,
        "partition": entry.tp.partition,
        "epoch": entry.position.epoch,
        "offset": entry.position.offset,
        "event": event,
        "correlation": correlation,
        "request": request,
        "results": [
            (f"{party}" if party else "", outcome, cut(detail), ms) for party, outcome, detail, ms in entry.results
        ],
        "accepted": entry.accepted,
    }
    if entry.custody:
        body["custody"] = entry.custody
    if entry.attempts:
        body["attempts"] = [
            (f"{party}", at, http_status, status_code, cut(words), ms)
            for party, at, http_status, status_code, words, ms in entry.attempts
        ]
    # what was no event has no id of its own, but stands in one place only
    id = event or f"{entry.tp.topic}/{entry.tp.partition}/{entry.position.epoch}/{entry.position.offset}"
    return entry.key, attributes(id, source=_SOURCE, type=_TYPE), orjson.dumps(body)


def cut(detail: str) -> str:
    """The detail in so many characters, all of which can be written: parts of it may come from outside."""
    return (
        detail[:_LONGEST_DETAIL] if detail.isascii() else detail[:_LONGEST_DETAIL].encode("utf-8", "replace").decode()
    )
