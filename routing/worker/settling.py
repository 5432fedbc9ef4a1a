"""Settling: how events end for their recipients, and how far a partition may be committed.

An event that ended for everyone gets its outcome record, and is settled once that is on the log; what is settled
without a gap is committed, many partitions at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from connectors.values import PartyId
from routing.log.port import Committed, Consumer, Log, LogError, PartitionLost, TopicPartition
from routing.policy import Outcome
from routing.worker.outcomes import Outcomes
from routing.worker.owned import Owned
from routing.worker.ports import Observer
from routing.worker.tracker import Entry, superseded

_EVERY = 0.25
_FOLDED_BYTES = 512
"""What an event takes that was folded into another: no body any more, but what its outcome record needs."""


class Settling:
    """One instance a worker. `owned` is the worker's own.

    `undelivered` are the bytes of broadcast bodies not settled yet, `waited_for` those of directed pushes.
    """

    def __init__(
        self, *, log: Log, consumer: Consumer, owned: Mapping[TopicPartition, Owned], observer: Observer
    ) -> None:
        self.undelivered = 0
        self.waited_for = 0
        self.outcomes = Outcomes(log, settled=self._settled, trouble=observer.trouble)
        self._consumer = consumer
        self._owned = owned
        self._observer = observer
        self._moved: dict[TopicPartition, None] = {}
        self._wake = asyncio.Event()

    # --- how events end ----------------------------------------------------------------------------------------------

    def admitted(self, entry: Entry, now: float) -> None:
        """It was let in and is under way from now on."""
        entry.since = now
        if not entry.held:
            entry.held = True
            self._count(entry, entry.size)

    def _count(self, entry: Entry, size: int) -> None:
        if entry.directed:
            self.waited_for += size
        else:
            self.undelivered += size

    def folded(self, entry: Entry, into: Entry, size: int) -> None:
        """What `entry` asked for is part of `into`, whose bodies have so many bytes now."""
        for one, takes in ((entry, _FOLDED_BYTES), (into, size)):
            if one.held:
                self._count(one, takes - one.size)
            one.size = takes

    def end(self, entry: Entry, party: PartyId, outcome: Outcome, detail: str, ms: float) -> None:
        """It ended for one recipient."""
        self._observer.settled(entry.module, outcome)
        if entry.ended(party, outcome, detail, ms):
            self.close(entry)

    def end_all(self, entry: Entry, outcome: Outcome, detail: str) -> None:
        """It ended in the same way for everyone that it was still open for, or for nobody in particular."""
        if entry.closed:
            return
        entry.sealed = True
        self._observer.settled(entry.module, outcome)
        if not entry.open:
            entry.results.append((None, outcome, detail, 0))
        for party in list(entry.open):
            entry.ended(party, outcome, detail)
        self.close(entry)

    def close(self, entry: Entry) -> None:
        """It ended for everyone: the outcome record comes next, and then it is settled."""
        entry.closed = True
        self.forget(entry)
        if entry.fold is not None:
            self._close_with(entry)
        self.outcomes.put(entry)

    def settle(self, entry: Entry) -> None:
        """It was for nobody, so there is no outcome to be told of: it is settled at once."""
        entry.closed = entry.sealed = True
        self._settled(entry)

    def _close_with(self, entry: Entry) -> None:
        """What was folded into it ends with it."""
        assert entry.fold is not None  # noqa: S101  # what this is for
        older, results = entry.fold.older, superseded(entry.results)
        for _, outcome, _, _ in results:
            self._observer.settled(entry.module, outcome, len(older))
        for each in older:
            each.closed = each.sealed = True
            each.results = results
            self.forget(each)
            self.outcomes.put(each)

    def forget(self, entry: Entry) -> None:
        """Its body is not held for anybody any more."""
        if entry.held:
            entry.held = False
            self._count(entry, -entry.size)

    def _settled(self, entry: Entry) -> None:
        owned = self._owned.get(entry.tp)
        if owned is not None:
            owned.tracker.settle(entry)
        self.moved(entry.tp)

    # --- how far is committed ----------------------------------------------------------------------------------------

    def moved(self, tp: TopicPartition) -> None:
        """Something of this partition was settled: the next round of commits looks at it."""
        self._moved[tp] = None
        self._wake.set()

    async def run(self) -> None:
        """Commit what is settled, again and again, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_EVERY)
            self._wake.clear()
            await self.commit({owned.tp: Committed(owned.tracker.settled_to()) for owned in self._settling()})

    def _settling(self) -> Sequence[Owned]:
        moved, self._moved = self._moved, {}
        owned = [self._owned[tp] for tp in moved if tp in self._owned]
        return [one for one in owned if one.active and one.tracker.settled_to() > one.tracker.committed]

    async def commit(self, commits: Mapping[TopicPartition, Committed]) -> None:
        """Commit these; what is not ours any more is left, and what the log cannot take now is tried again."""
        if not commits:
            return
        try:
            await self._consumer.commit(commits)
        except PartitionLost as error:
            commits = {tp: committed for tp, committed in commits.items() if tp not in error.lost}
        except LogError as error:
            self._observer.trouble(f"the log does not take commits: {error}; trying again")
            for tp in commits:
                self.moved(tp)
            return
        for tp, committed in commits.items():
            if tp in self._owned:
                self._owned[tp].tracker.committed = committed.next

    def forward(self) -> None:
        """A partition without records of its own moves on with what was read, so that a restart need not look again."""
        for owned in self._owned.values():
            position = self._consumer.position(owned.tp)
            if owned.active and position is not None and owned.tracker.forward(position):
                self.moved(owned.tp)
