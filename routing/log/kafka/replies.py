"""Replies to edges: each edge reads one partition of a topic from its end, and takes what is addressed to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from routing.log.kafka.fetcher import Fetcher
from routing.log.kafka.offsets import END, offsets
from routing.log.kafka.wire import BACKOFF, Wire
from routing.log.port import Headers, LogError, TopicPartition
from routing.log.wake import Wake

log = logging.getLogger(__name__)

OnReply = Callable[[Headers, bytes], None]

_WAIT_MS: Final = 500
_RECORDS: Final = 1000
_BYTES: Final = 4 * 2**20
_LOOK_SECONDS: Final = 60.0


class Replies:
    """The edges of this process. `name` is the topic as the cluster knows it."""

    def __init__(self, wire: Wire, name: str, epoch: int) -> None:
        self._wire = wire
        self._name = name
        self._epoch = epoch
        self._edges: dict[bytes, OnReply] = {}
        self._wake = Wake()
        self._fetcher = Fetcher(wire, self._wake.ring, wait_ms=_WAIT_MS)
        self._reading: asyncio.Task[None] | None = None

    @property
    def edges(self) -> Mapping[bytes, OnReply]:
        return self._edges

    @property
    def held_bytes(self) -> int:
        return self._fetcher.held_bytes

    @property
    def failure(self) -> str | None:
        """Why replies cannot be read, if so."""
        return self._fetcher.failure

    async def open(self, edge: str, partition: int, on_reply: OnReply) -> None:
        """Stand at the end of the partition. Raises LogAway."""
        tp = TopicPartition(self._name, partition)
        if self._fetcher.position(tp) is None:
            end = (await offsets(self._wire, [tp], END))[tp]
            if self._fetcher.position(tp) is None:
                self._fetcher.seek(tp, tp, self._epoch, end)
        self._edges[edge.encode()] = on_reply
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())

    async def close(self) -> None:
        self._edges.clear()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._fetcher.close()

    async def _read(self) -> None:
        while True:
            for record in self._fetcher.take(_RECORDS, _BYTES):
                on_reply = self._edges.get(record.key)
                if on_reply is not None:
                    try:
                        on_reply(record.headers, record.value)
                    except Exception:
                        log.exception("a reply could not be taken")
            if self._fetcher.fallen and not await self._caught_up():
                continue
            await self._wake.wait(_LOOK_SECONDS)

    async def _caught_up(self) -> bool:
        """Replies that are gone already are nobody's any more: go on at the end."""
        for tp in self._fetcher.take_fallen():
            try:
                end = (await offsets(self._wire, [tp], END))[tp]
            except LogError:
                self._fetcher.fallen = True
                await asyncio.sleep(BACKOFF)
                return False
            self._fetcher.seek(tp, tp, self._epoch, end)
        return True
