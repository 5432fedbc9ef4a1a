"""Whether a platform can be reached, by what all processes saw of it (OCPI 2.2.1, 14.3 and 14.4.2). Pure.

A call from it, or any answer of it, is a sign of life. It is OFFLINE once three attempts since the last sign failed
over at least ten seconds. Times are UTC ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import orjson

FAILURES: Final = 3
OVER_MS: Final = 10_000
APART_MS: Final = 2_000
"""Failures closer to one another count once, so that few need to be remembered, and one burst says little."""
KEPT: Final = 12


@dataclass(frozen=True, slots=True)
class Signs:
    """What one process saw of a platform: its last sign of life, and when attempts failed after it, oldest first."""

    alive: int = 0
    failed: tuple[int, ...] = ()

    def sign(self, now: int) -> Signs:
        """It called, or it answered."""
        return Signs(max(self.alive, now))

    def failure(self, now: int) -> Signs:
        """An attempt to reach it failed."""
        if self.failed and now - self.failed[-1] < APART_MS:
            return self
        # the oldest says since when, the newest that it still is so
        return replace(self, failed=(*self.failed[:1], *self.failed[1:][-(KEPT - 2) :], now))


def together(seen: Iterable[Signs]) -> Signs:
    """What several processes saw of one platform."""
    found = list(seen)
    alive = max((one.alive for one in found), default=0)
    return Signs(alive, tuple(sorted(at for one in found for at in one.failed if at > alive)))


def is_offline(signs: Signs) -> bool:
    """Whether so many attempts failed for so long that it is not there."""
    return len(signs.failed) >= FAILURES and signs.failed[-1] - signs.failed[0] >= OVER_MS


def is_doubtful(signs: Signs, now: int, *, silent: int) -> bool:
    """Whether to ask it: an attempt failed since its last sign, or nothing was seen of it for `silent` ms."""
    return bool(signs.failed) or now - signs.alive >= silent


def encode(seen: Mapping[str, Signs], at: int, *, sends: bool = True) -> bytes:
    """What one process saw, by platform id; `at` is when it said so. `sends`: it is there, and sends to platforms."""
    return orjson.dumps({"at": at, "sends": sends, "seen": {id: [one.alive, *one.failed] for id, one in seen.items()}})


def reported(report: bytes) -> tuple[int, bool]:
    """When it was said, and whether who said it sends to platforms. Raises nothing."""
    try:
        found = orjson.loads(report)
        return int(found["at"]), bool(found.get("sends", True))
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0, False


def decode(report: bytes) -> tuple[int, dict[str, Signs]]:
    """When it was said, and what; nothing where it is no report. Raises nothing."""
    try:
        found = orjson.loads(report)
        seen = {str(id): Signs(int(alive), tuple(map(int, failed))) for id, (alive, *failed) in found["seen"].items()}
        return int(found["at"]), seen
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0, {}
