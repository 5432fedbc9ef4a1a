"""The newest batches, kept in memory so that a consumer that keeps up never reads from disk."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

from routing.log.embedded.file import Topic
from routing.log.embedded.records import Batch

_NEAR: Final = 64


class _TopicTail:
    __slots__ = ("bases", "batches", "start")

    def __init__(self, start: int) -> None:
        self.start = start  # every record from here to the end is here
        self.bases: deque[int] = deque()
        self.batches: deque[Batch] = deque()


class Tail:
    """At most `limit` bytes over all topics; the oldest goes first, whatever its topic."""

    def __init__(self, topics: Sequence[Topic], limit: int) -> None:
        self.bytes = 0
        self._limit = limit
        self._tails = {topic: _TopicTail(topic.end) for topic in topics}
        self._order: deque[_TopicTail] = deque()

    def add(self, topic: Topic, batch: Batch) -> None:
        tail = self._tails[topic]
        tail.bases.append(batch.base)
        tail.batches.append(batch)
        self._order.append(tail)
        self.bytes += batch.size
        while self.bytes > self._limit:
            self._drop(self._order.popleft())

    def trim(self, topic: Topic, end: int) -> None:
        """Forget the batches that lie wholly before `end`."""
        tail = self._tails[topic]
        while tail.batches and tail.batches[0].end <= end:
            self._order.remove(tail)  # the first of this topic in the order is its oldest batch
            self._drop(tail)

    def read(self, topic: Topic, start: int, most: int) -> Sequence[Batch] | None:
        """Up to `most` batches, the first being the one that holds `start`; None when they are not all here."""
        tail = self._tails[topic]
        if start < tail.start:
            return None
        bases, batches = tail.bases, tail.batches
        count = len(bases)
        for back in range(1, min(count, _NEAR) + 1):  # whoever keeps up is near the end, where a deque is quick
            if bases[-back] <= start:
                return [batches[at] for at in range(-back, min(0, most - back))]
        at = max(bisect_right(bases, start) - 1, 0)
        return list(islice(batches, at, at + most))

    def _drop(self, tail: _TopicTail) -> None:
        tail.bases.popleft()
        gone = tail.batches.popleft()
        tail.start = gone.end
        self.bytes -= gone.size
