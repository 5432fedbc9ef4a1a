"""Requests a second towards a platform, as its operator bears them: this process's share of the limit.

A platform without a limit costs a look-up and nothing else. What may wait in a lane asks `take`; a call with somebody
waiting for it outside a lane waits for its `turn`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connectors.errors import NotConnected

BURST_SECONDS: Final = 0.1
"""What was not used of so many seconds may be made up for at once: a timer wakes late, and the rate is to be had."""

_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens, one a request; fewer than none where more was sent than was asked for. `at` is seconds. Pure."""

    tokens: float = 1.0
    at: float = 0.0

    def filled(self, now: float, rate: float) -> Bucket:
        """With what `rate` a second gave since; never more than one request, or what may be made up for."""
        most = max(1.0, rate * BURST_SECONDS)
        return Bucket(min(self.tokens + max(now - self.at, 0.0) * rate, most), max(now, self.at))

    def spent(self, tokens: float = 1.0) -> Bucket:
        return Bucket(self.tokens - tokens, self.at)

    def wait(self, rate: float) -> float:
        """Seconds until there is a token; what lacks by rounding alone is there, or a timer for it would never end."""
        lacking = 1.0 - self.tokens
        return lacking / rate if lacking > _ROUNDING else 0.0


class Rates:
    """`limit` gives a platform's requests a second for the whole hub, None without one; `live` how many processes
    share it; `now` seconds."""

    def __init__(self, limit: Callable[[str], float | None], live: Callable[[], int], now: Callable[[], float]) -> None:
        self._limit = limit
        self._live = live
        self._now = now
        self._buckets: dict[str, Bucket] = {}
        self._taken: dict[str, int] = {}
        self._waiting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def limited(self, platform: str) -> bool:
        return self._limit(platform) is not None

    def take(self, platform: str) -> float:
        """Seconds until a request may be begun; 0: one may, and is counted."""
        limit = self._limit(platform)
        if limit is None:
            return 0.0
        rate = limit / max(self._live(), 1)
        bucket = self._buckets.get(platform, Bucket(at=self._now())).filled(self._now(), rate)
        if wait := bucket.wait(rate):
            self._buckets[platform] = bucket
            return wait
        self._buckets[platform] = bucket.spent()
        self._taken[platform] = self._taken.get(platform, 0) + 1
        return 0.0

    def give_back(self, platform: str) -> None:
        """What was taken is not used."""
        if self._taken.get(platform, 0) > 0:
            self._taken[platform] -= 1
            self._buckets[platform] = self._buckets[platform].spent(-1.0)

    def sent(self, platform: str) -> None:
        """A request goes out: what was taken for it is used; one that nobody asked for counts against those to come."""
        if self._taken.get(platform, 0) > 0:
            self._taken[platform] -= 1
        elif (bucket := self._buckets.get(platform)) is not None:
            self._buckets[platform] = bucket.spent()

    async def turn(self, platform: str, until: float) -> None:
        """Wait until a request may be begun, one caller after another; at most until the loop's time `until`.

        Raises NotConnected (4003) where there would be no turn by then.
        """
        loop = asyncio.get_running_loop()
        lock = self._waiting[platform]
        try:
            async with asyncio.timeout_at(until), lock:
                while wait := self.take(platform):
                    if loop.time() + wait >= until:
                        raise _too_fast()
                    await asyncio.sleep(wait)
        except TimeoutError:
            raise _too_fast() from None
        self.sent(platform)


def _too_fast() -> NotConnected:
    return NotConnected(
        "the hub sends the recipient no more requests a second than were agreed with it, and the turn of this one "
        "would have come too late; nothing was sent, send it again"
    )
