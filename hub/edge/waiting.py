"""Callers of directed pushes, waiting for the reply that comes back over the log (DESIGN, replies)."""

from __future__ import annotations

import asyncio

import structlog
from uuid_utils import uuid7

from routing.log.port import Headers, Log, ReplyTo
from routing.replies import Reply, decode

log = structlog.get_logger(__name__)


class Expected:
    """The reply to one event, once it is there."""

    __slots__ = ("_future", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future: asyncio.Future[Reply | None] = loop.create_future()

    def done(self) -> bool:
        return self._future.done()

    def settle(self, reply: Reply | None) -> None:
        if not self._future.done():
            self._future.set_result(reply)

    async def reply(self, until: float) -> Reply | None:
        """The reply, or None when it is not there by `until` on the loop's clock."""
        if self._future.done():
            return self._future.result()
        # A timer of the loop's own costs a fifth of asyncio.timeout, and this is the hot path of pushes.
        timer = self._loop.call_at(until, self.settle, None)
        try:
            return await self._future
        finally:
            timer.cancel()


class Waiting:
    """Everyone who waits in this process. Ready once `open` has positioned it on the log."""

    def __init__(self) -> None:
        self.edge = str(uuid7())
        self.reply_to: ReplyTo | None = None
        self._expected: dict[str, Expected] = {}

    def __len__(self) -> int:
        return len(self._expected)

    async def open(self, port: Log) -> None:
        """From now on replies to this edge are heard."""
        self.reply_to = await port.open_replies(self.edge, self.hear)

    def expect(self, event_id: str) -> Expected:
        """Listen for the reply to this event, until `forget`; do it before the event is published."""
        expected = self._expected[event_id] = Expected(asyncio.get_running_loop())
        return expected

    def forget(self, event_id: str) -> None:
        self._expected.pop(event_id, None)

    def hear(self, headers: Headers, value: bytes) -> None:
        """One reply from the log; one that nobody waits for any more is dropped."""
        try:
            reply = decode(headers, value)
        except (KeyError, TypeError, ValueError):
            log.warning("reply_not_understood")
            return
        expected = self._expected.get(reply.event_id)
        if expected is not None:
            expected.settle(reply)
