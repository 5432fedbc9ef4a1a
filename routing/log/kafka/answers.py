"""Who waits for records to be on the log: one for one record, one for many, or nobody."""

from __future__ import annotations

import asyncio
from typing import Protocol

from routing.log.port import LogError, Published


class Answer(Protocol):
    def landed(self, published: Published) -> None: ...

    def failed(self, error: LogError) -> None: ...


class One:
    """One waits for one record."""

    __slots__ = ("future",)

    def __init__(self, future: asyncio.Future[Published]) -> None:
        self.future = future

    def landed(self, published: Published) -> None:
        if not self.future.done():
            self.future.set_result(published)

    def failed(self, error: LogError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Together:
    """One waits for `count` records; the first that fails decides."""

    __slots__ = ("future", "left")

    def __init__(self, count: int, future: asyncio.Future[None]) -> None:
        self.left = count
        self.future = future

    def landed(self, published: Published) -> None:
        del published
        self.left -= 1
        if not self.left and not self.future.done():
            self.future.set_result(None)

    def failed(self, error: LogError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Nobody:
    """What becomes of it is nobody's business; `late` is what would give it up."""

    __slots__ = ("late",)

    def __init__(self) -> None:
        self.late: asyncio.TimerHandle | None = None

    def landed(self, published: Published) -> None:
        del published
        if self.late is not None:
            self.late.cancel()

    def failed(self, error: LogError) -> None:
        del error
        if self.late is not None:
            self.late.cancel()
