"""The broker that keeps a group: found, asked, and found anew when it moved or went away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)

from routing.log.kafka.options import words
from routing.log.kafka.wire import BACKOFF, KafkaError, Wire, failure
from routing.log.port import LogAway, LogError

MOVED: Final = (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError, GroupLoadInProgressError)
"""What a broker says that is no longer, or not yet, the coordinator."""

T = TypeVar("T")


class Coordinator:
    """Of one group, named as the cluster knows it."""

    def __init__(self, wire: Wire, group: str) -> None:
        self._wire = wire
        self._group = group
        self._node: int | None = None
        self._finding = asyncio.Lock()

    async def ask(self, request: Any, *, lane: str, timeout: float) -> Any:
        """Send a request and return the answer, whatever it says. Raises KafkaError or LogAway: then find it anew."""
        node = self._node
        if node is None:
            node = await self._find()
        try:
            return await self._wire.ask(node, request, lane=f"{lane} of {self._group}", timeout=timeout)
        except KafkaError:
            self.forget()
            raise

    def forget(self) -> None:
        self._node = None

    def judge(self, code: int) -> KafkaError | None:
        """What an answer's error code means; a coordinator that moved is forgotten."""
        error = failure(code)
        if isinstance(error, MOVED):
            self.forget()
        return error

    async def keep_asking(self, attempt: Callable[[], Awaitable[T]], *, within: float) -> T:
        """Attempt until no KafkaError is raised that may pass. Raises LogAway after `within` seconds, or LogError."""
        until = time.monotonic() + within
        while True:
            try:
                return await attempt()
            except KafkaError as error:
                if not error.retriable:
                    raise LogError(f"the group {self._group}: {words(error)}") from None
                away = LogAway(f"the group {self._group} cannot be reached: {words(error)}")
            except LogAway as error:
                away = error
            if time.monotonic() > until:
                raise away from None
            await asyncio.sleep(BACKOFF)

    async def _find(self) -> int:
        async with self._finding:
            if self._node is None:
                await self._wire.start()
                try:
                    self._node = await self._wire.coordinator(self._group)
                except KafkaError:
                    await self._wire.refresh()
                    raise
            return self._node
