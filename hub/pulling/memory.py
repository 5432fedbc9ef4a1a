"""What one process remembers of a list while it reads it: what it had, and which pages came again and again.

A list may have a million objects, so of each there is a hash of eight bytes, and no more.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

from connectors.errors import HubError
from connectors.values import PartyId
from routing.log.port import Position
from routing.state import StateKey
from routing.store.codec import state_key

MOST_AGAIN: Final = 10
"""What comes oftener in one reading is no page that moved, or was asked for again: the list goes round."""

_BUCKETS: Final = 4096
_BYTES: Final = 8


class Memory:
    """Of a reading that began at `started`, of which this process saw `pages`.

    `ends` is where the log ended before the list was read, where this process saw it whole from its beginning: then it
    can tell what the list lacks.
    """

    def __init__(self, started: int, pages: int, ends: Mapping[int, Position] | None) -> None:
        self.started = started
        self.pages = pages
        self.ends = ends
        self._hashes: dict[int, array[int]] = {}
        self._seen: Counter[bytes] = Counter()

    def add(self, keys: Sequence[StateKey]) -> None:
        """These are in the list."""
        for hashed in map(_hashed, keys):
            self._hashes.setdefault(hashed % _BUCKETS, array("Q")).append(hashed)

    def __contains__(self, key: StateKey) -> bool:
        hashed = _hashed(key)
        return hashed in self._hashes.get(hashed % _BUCKETS, ())

    def check(self, owner: PartyId, page: str) -> None:
        """Raises HubError where this page of this owner's list, which `page` tells from others, came too often."""
        if self._seen[_signed(owner, page)] >= MOST_AGAIN:
            raise HubError(
                f"one of its pages came {MOST_AGAIN} times: its pages (Link) go round, so its list has no end"
            )

    def came(self, owner: PartyId, page: str) -> None:
        """It came, and what it has is stored."""
        self._seen[_signed(owner, page)] += 1


def _signed(owner: PartyId, page: str) -> bytes:
    return blake2b(f"{owner} {page}".encode(), digest_size=_BYTES).digest()


def _hashed(key: StateKey) -> int:
    return int.from_bytes(blake2b(state_key(key), digest_size=_BYTES).digest(), "big")
