"""A breaker: a platform that let several requests in a row time out gets none for a moment.

It is each process's own, and far quicker than the platform's status, which all processes conclude together
(routing/connection): who calls a platform that hangs waits for a timeout a few times, not each time. Any sign of life
closes it, and what was begun before that sign says nothing any more, however late it ends. When its moment is over one
request may try; the others wait for what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connectors.errors import HubError, NotConnected, OcpiError
from routing.directory import Hosted, Platform

MISSES: Final = 5
"""So many requests in a row that were not answered in time, from whomever they came."""
OPEN_SECONDS: Final = 2.0
"""One that is back is tried within so long, by every process, whether or not its sign of life was seen there."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """One platform's: pure. `missed` so many in a row; nothing is begun before `until`, seconds."""

    missed: int = 0
    until: float = float("-inf")

    def late(self, now: float) -> Breaker:
        """One more was not answered in time. Once it is open that opens it no longer: many that hang end one by one."""
        missed = self.missed + 1
        return Breaker(missed, now + OPEN_SECONDS if missed == MISSES else self.until)

    def lets(self, now: float) -> tuple[bool, Breaker]:
        """Whether a request may be begun now; the one that may, where none did for a moment, tries for all."""
        if self.missed < MISSES:
            return True, self
        return (False, self) if self.shut(now) else (True, Breaker(self.missed, now + OPEN_SECONDS))

    def shut(self, now: float) -> bool:
        """Whether nothing is begun now, and nobody may try."""
        return self.missed >= MISSES and now < self.until


class Breakers:
    """Of every platform, in one process. `now` seconds; `ask` is told of a platform that is asked for and gets nothing:
    whether it is there is found out beside that."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._missed: dict[str, Breaker] = {}
        self._alive: dict[str, float] = {}
        self._returned: dict[str, int] = {}
        self.ask: Callable[[Platform], None] = lambda platform: None

    def check(self, to: Hosted) -> None:
        """Before a request to this party is begun. Raises NotConnected (4003) where none may be now."""
        if not self._missed or (breaker := self._missed.get(to.platform.id)) is None:
            return
        lets, self._missed[to.platform.id] = breaker.lets(self.now())
        if not lets:
            self.ask(to.platform)
            raise NotConnected(
                f"the platform of {to.party.id} did not answer the last {breaker.missed} requests in time, so it gets "
                "none until it shows that it is there; nothing was sent, send it again"
            )

    def told(self, platform: Platform, error: OcpiError, begun: float) -> None:
        """A request to this platform, begun then, failed so."""
        if isinstance(error, HubError) and error.late and begun >= self._alive.get(platform.id, begun):
            self._missed[platform.id] = self._missed.get(platform.id, Breaker()).late(self.now())

    def close(self, platform: str) -> None:
        """It called, or it answered."""
        self._alive[platform] = self.now()
        if self._missed and (breaker := self._missed.pop(platform, None)) is not None and breaker.missed >= MISSES:
            self._returned[platform] = self.returned(platform) + 1

    def returned(self, platform: str) -> int:
        """How often it showed itself while nothing was to be begun towards it."""
        return self._returned.get(platform, 0)

    def shut(self, platform: str) -> bool:
        """Whether nothing is begun towards it now."""
        return platform in self._missed and self._missed[platform].shut(self.now())
