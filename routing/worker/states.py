"""The worker's hand on object state: reads bases in bulk, writes in batches, knows what is not written yet.

What directed pushes leave behind waits here while the store is away, up to a bound; beyond it they are not sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from routing.log.port import TopicPartition
from routing.state import ObjectState, StateKey
from routing.store.port import StoreAway
from routing.worker.aftermath import Aftermath
from routing.worker.reach import AGAIN_AFTER, Reach

_CACHED = 4096
_CACHED_BYTES = 8 * 1024 * 1024
_BATCH = 500
_GATHER = 0.25
_ENOUGH = 50
"""What directed pushes leave behind is gathered for one write, in so many seconds or until there are so many of it:
nobody waits for it. A write costs the worker some 550 us and 10 us a state, MongoDB 95 us a state of 1,500 bytes. Not
more: a write of 120 keeps MongoDB busy for 11 ms, and on a machine that it shares with the log every push of these
milliseconds waits."""


class Update:
    """A state on its way to the store. `state` is None until what it builds on is known."""

    __slots__ = ("aftermath", "done", "failed", "size", "state", "tp")

    def __init__(
        self, aftermath: Aftermath, tp: TopicPartition, done: Callable[[], None], failed: Callable[[Exception], None]
    ) -> None:
        self.aftermath = aftermath
        self.tp = tp
        self.done = done
        self.failed = failed
        self.state: ObjectState | None = None
        self.size = aftermath.size


class States:
    """One instance a worker. The cache is good only while the partitions are ours: `forget` when they change.

    `most` and `most_bytes` bound what waits to be written.
    """

    def __init__(self, reach: Reach, *, most: int, most_bytes: int) -> None:
        self._reach = reach
        self._store = reach.store
        self._most = most
        self._most_bytes = most_bytes
        self._cache: dict[StateKey, ObjectState] = {}
        self._cached_bytes = 0
        self._queue: dict[Update, None] = {}
        self._queued_bytes = 0
        self._unwritten: dict[StateKey, Update] = {}
        self._unmade: Counter[StateKey] = Counter()
        self._kept: dict[StateKey, ObjectState] = {}
        self._kept_of: dict[TopicPartition, dict[StateKey, None]] = {}
        self._wake = asyncio.Event()
        self._enough = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._making = asyncio.Lock()

    def __len__(self) -> int:
        """How many wait to be written."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether so much waits for the store that nothing may be added."""
        return len(self._queue) >= self._most or self._queued_bytes >= self._most_bytes

    @property
    def _much(self) -> bool:
        """Whether so much waits that it is written at once."""
        return len(self._queue) >= min(_ENOUGH, self._most // 2) or self._queued_bytes >= self._most_bytes // 2

    def forget(self, tps: Iterable[TopicPartition] = ()) -> None:
        """Partitions came or went: what was read may be old, and what waits of `tps` is the next owner's."""
        self._cache.clear()
        self._cached_bytes = 0
        gone = frozenset(tps)
        for tp in gone:
            for key in self._kept_of.pop(tp, ()):
                self._kept.pop(key, None)
        if gone:
            for update in [update for update in self._queue if update.tp in gone]:
                self._drop(update)

    # --- broadcasts: at once -----------------------------------------------------------------------------------------

    async def read(self, keys: Iterable[StateKey]) -> dict[StateKey, ObjectState]:
        """The newest states of these keys, those included that are not written yet. Raises StoreAway."""
        wanted = list(keys)
        if any(self._unmade[key] for key in wanted):
            await self._make_all()
        found: dict[StateKey, ObjectState] = {}
        missing: list[StateKey] = []
        for key in wanted:
            known = self.known(key)
            if known is not None:
                found[key] = known
            else:
                missing.append(key)
        found.update(await self._stored(missing))
        for key in wanted if missing else ():
            newer, state = self.known(key), found.get(key)  # a write may have been queued while we read
            if newer is not None and (state is None or newer.position > state.position):
                found[key] = newer
        return found

    async def write(self, states: Sequence[ObjectState]) -> Mapping[StateKey, Exception]:
        """Durable when it returns, but for those that the store will never take, and why. Raises StoreAway."""
        if not states:
            return {}
        failed: dict[StateKey, Exception] = {}
        try:
            await self._reach.once(lambda: self._store.write_states(states))
        except StoreAway:
            raise
        except Exception as error:  # noqa: BLE001  # one state that cannot be stored must not keep the others from it
            failed = await self._write_each(states) if len(states) > 1 else {states[0].key: error}
        for state in states:
            # what nobody lays anything over need not be at hand: most objects are only ever PUT
            if state.key not in failed and (state.composed or state.parts or state.key in self._cache):
                self._keep(state)
        return failed

    async def _write_each(self, states: Sequence[ObjectState]) -> dict[StateKey, Exception]:
        failed: dict[StateKey, Exception] = {}
        for state in states:
            failed.update(await self.write([state]))
        return failed

    # --- broadcasts of a replay window: once it was read -------------------------------------------------------------

    def keep(self, tp: TopicPartition, state: ObjectState) -> None:
        """The newest state of its key, until `write_kept` of its partition."""
        self._kept[state.key] = state
        self._kept_of.setdefault(tp, {})[state.key] = None

    def keeps(self, tp: TopicPartition) -> bool:
        """Whether anything of this partition waits for `write_kept`."""
        return bool(self._kept_of.get(tp))

    async def write_kept(self, tp: TopicPartition) -> dict[StateKey, Exception]:
        """Write all that is kept of a partition, what is kept meanwhile included; as `write`. Raises StoreAway."""
        failed: dict[StateKey, Exception] = {}
        while keys := self._kept_of.get(tp):
            states = {key: self._kept[key] for key in islice(keys, _BATCH)}
            failed.update(await self.write(list(states.values())))
            for key, state in states.items():
                if self._kept.get(key) is state:
                    del self._kept[key]
                    keys.pop(key, None)
        self._kept_of.pop(tp, None)
        return failed

    # --- directed pushes: soon ---------------------------------------------------------------------------------------

    def later(self, update: Update) -> None:
        """Write soon, with others; then `done` is called, or `failed` for what never can be written."""
        self._queue[update] = None
        self._queued_bytes += update.size
        bases = update.aftermath.bases
        if any(self._unmade[key] or self.known(key) is None for key in bases):
            self._unmade[update.aftermath.key] += 1
        else:
            self._make(update, {})
        self._wake.set()
        if self._much:
            self._enough.set()

    async def run(self) -> None:
        """Write what `later` was given, batch by batch, until cancelled."""
        while True:
            await self._wake.wait()
            if not self._much:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_GATHER):
                        await self._enough.wait()
            self._wake.clear()
            self._enough.clear()
            try:
                await self.flush()
            except StoreAway as error:
                self._reach.missed(error)
                self._wake.set()
                await asyncio.sleep(AGAIN_AFTER)

    async def flush(self) -> None:
        """Write all that waits now. Raises StoreAway, and then what is not written waits on.

        What comes meanwhile is gathered for the next time: else, while pushes keep coming, each write would have but
        the few that came during the one before.
        """
        async with self._flushing:
            left = len(self._queue)
            while left > 0 and self._queue:
                await self._make_all()
                batch = list(islice(self._queue, min(left, _BATCH)))
                left -= len(batch)
                made = [(update, update.state) for update in batch if update.state is not None]
                failed = await self.write(list({state.key: state for _, state in made}.values()))
                for update, state in made:
                    if update in self._queue:
                        self._drop(update)
                        if (error := failed.get(state.key)) is None:
                            update.done()
                        else:
                            update.failed(error)

    # --- making ------------------------------------------------------------------------------------------------------

    async def _make_all(self) -> None:
        """Work out what waits for what it builds on, in order. Raises StoreAway."""
        async with self._making:
            while waiting := list(islice((update for update in self._queue if update.state is None), _BATCH)):
                bases = {key: None for update in waiting for key in update.aftermath.bases}
                missing = [key for key in bases if self.known(key) is None]
                stored = await self._stored(missing)
                asked, left = frozenset(missing), set[StateKey]()
                for update in waiting:
                    if update not in self._queue:
                        continue
                    # what was known may have been written and forgotten while we read: then it is asked for anew
                    if any(
                        key in left or (key not in asked and self.known(key) is None) for key in update.aftermath.bases
                    ):
                        left.add(update.aftermath.key)
                    else:
                        self._unmade[update.aftermath.key] -= 1
                        self._make(update, stored)

    def _make(self, update: Update, stored: Mapping[StateKey, ObjectState]) -> None:
        aftermath = update.aftermath
        known: dict[StateKey, ObjectState] = {}
        for key in aftermath.bases:
            here, there = self.known(key), stored.get(key)
            newest = there if here is None or (there is not None and there.position > here.position) else here
            if newest is not None:
                known[key] = newest
        try:
            state = aftermath.make(known)
        except Exception as error:  # noqa: BLE001  # one event that breaks its handler must not stop the others
            self._drop(update, made=True)
            update.failed(error)
            return
        update.state = state
        self._queued_bytes -= update.size
        update.size = max(update.size, len(state.body or b""))
        self._queued_bytes += update.size
        newer = self._unwritten.get(state.key)
        if newer is None or newer.state is None or state.position >= newer.state.position:
            self._unwritten[state.key] = update

    def _drop(self, update: Update, *, made: bool = False) -> None:
        del self._queue[update]
        self._queued_bytes -= update.size
        key = update.aftermath.key
        if update.state is None and not made:
            self._unmade[key] -= 1
        if self._unwritten.get(key) is update:
            del self._unwritten[key]
        if not self._queue:
            self._unmade.clear()

    def known(self, key: StateKey) -> ObjectState | None:
        """The newest state of a key, where the store need not be asked."""
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        update = self._unwritten.get(key)
        return update.state if update is not None else self._cache.get(key)

    async def _stored(self, keys: Sequence[StateKey]) -> Mapping[StateKey, ObjectState]:
        """Those that there are; one that cannot be read counts as not there. Raises StoreAway."""
        if not keys:
            return {}
        try:
            return await self._reach.once(lambda: self._store.read_states(keys))
        except StoreAway:
            raise
        except Exception as error:  # noqa: BLE001  # one record that nobody can read must not keep the others waiting
            if len(keys) == 1:
                self._reach.trouble(f"the state of {keys[0]} cannot be read: {type(error).__name__}: {error}")
                return {}
        found: dict[StateKey, ObjectState] = {}
        for key in keys:
            found.update(await self._stored([key]))
        return found

    def _keep(self, state: ObjectState) -> None:
        size = len(state.body or b"")
        old = self._cache.pop(state.key, None)
        if old is not None:
            self._cached_bytes -= len(old.body or b"")
        self._cache[state.key] = state
        self._cached_bytes += size
        while len(self._cache) > _CACHED or self._cached_bytes > _CACHED_BYTES:
            gone = self._cache.pop(next(iter(self._cache)))
            self._cached_bytes -= len(gone.body or b"")
