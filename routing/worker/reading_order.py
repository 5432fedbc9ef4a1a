"""The order in which replay windows are read: a few large ones at a time, the smallest first.

Nothing of a window goes before it was read whole, and who has a caller waiting behind it waits so long. Read all at
once, all windows would end with the last; one after another most end early, and together they take no longer.
"""

from __future__ import annotations

from collections.abc import Iterable

from routing.log.port import Consumer
from routing.policy import DeliverySettings
from routing.worker.owned import Owned


class ReadingOrder:
    """The large windows of one worker. Those whose turn has not come are `queued`: the log gives nothing of them.

    Several are read at once, so that the log is asked for more of one while records of another are let in. A small
    window is read with whatever else comes: a pause would take longer than it does. One that waits for the store keeps
    nobody else from being read.
    """

    def __init__(self, consumer: Consumer, settings: DeliverySettings) -> None:
        self._consumer = consumer
        self._settings = settings
        self._queue: list[Owned] = []
        self._begun: dict[Owned, None] = {}

    def own(self, gained: Iterable[Owned]) -> None:
        """These partitions have become ours."""
        large = [
            owned for owned in gained if owned.replay is not None and owned.replay.span >= self._settings.large_window
        ]
        if not large:
            return
        for owned in large:
            owned.queued = owned.paused = True
        self._consumer.pause([owned.tp for owned in large])
        self._queue = sorted([*self._queue, *large], key=_span, reverse=True)

    def leave(self, owned: Owned) -> None:
        """It is not ours any more."""
        self._begun.pop(owned, None)
        if owned.queued:
            self._queue.remove(owned)

    def go_on(self) -> None:
        """Let the next ones be read where others have been; they are `paused` still, but not `queued`."""
        if not self._queue:
            return
        for owned in [owned for owned in self._begun if self.is_read(owned)]:
            del self._begun[owned]
        room = self._settings.windows_at_once - sum(not (owned.paused and owned.backlog) for owned in self._begun)
        while self._queue and room > 0:
            room -= 1
            owned = self._queue.pop()
            owned.queued = False
            self._begun[owned] = None

    def is_read(self, owned: Owned) -> bool:
        """Whether the replay window of a partition was read whole; true where it has none."""
        if owned.replay is None:
            return True
        position = self._consumer.position(owned.tp)
        return position is not None and position >= owned.replay.end


def _span(owned: Owned) -> int:
    return owned.replay.span if owned.replay is not None else 0
