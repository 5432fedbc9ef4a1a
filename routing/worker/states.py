"""The worker's hand on object state: reads bases in bulk, writes in batches, knows what is not written yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from routing.state import ObjectState, StateKey
from routing.store.port import Store
from routing.worker.patience import until_there

_CACHED = 4096
_CACHED_BYTES = 8 * 1024 * 1024


class States:
    """One instance a worker. The cache is good only while the partitions are ours: `forget` when they change."""

    def __init__(self, store: Store, *, trouble: Callable[[str], None]) -> None:
        self._store = store
        self._trouble = trouble
        self._cache: dict[StateKey, ObjectState] = {}
        self._cached_bytes = 0
        self._unwritten: dict[StateKey, ObjectState] = {}
        self._queue: list[tuple[ObjectState, Callable[[], None]]] = []
        self._wake = asyncio.Event()

    def forget(self) -> None:
        self._cache.clear()
        self._cached_bytes = 0

    async def read(self, keys: Iterable[StateKey]) -> dict[StateKey, ObjectState]:
        """The newest states of these keys, those included that are not written yet."""
        found: dict[StateKey, ObjectState] = {}
        missing: list[StateKey] = []
        for key in keys:
            known = self._unwritten.get(key) or self._cache.get(key)
            if known is not None:
                found[key] = known
            else:
                missing.append(key)
        if missing:
            stored = await until_there(lambda: self._store.read_states(missing), trouble=self._trouble)
            for key, state in stored.items():
                # a write may have been queued while we read
                newer = self._unwritten.get(key)
                found[key] = newer if newer is not None and newer.position > state.position else state
        return found

    async def write(self, states: Sequence[ObjectState]) -> None:
        """Durable when it returns, however long the store is away."""
        if not states:
            return
        await until_there(lambda: self._store.write_states(states), trouble=self._trouble)
        for state in states:
            # what nobody lays anything over need not be at hand: most objects are only ever PUT
            if state.composed or state.parts or state.key in self._cache:
                self._keep(state)

    def later(self, state: ObjectState, done: Callable[[], None]) -> None:
        """Write soon, with others; `done` is called once it is durable."""
        self._unwritten[state.key] = state
        self._queue.append((state, done))
        self._wake.set()

    async def run(self) -> None:
        """Write what `later` was given, batch by batch, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.flush()

    async def flush(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            newest = {state.key: state for state, _ in batch}
            await self.write(list(newest.values()))
            for state, done in batch:
                if self._unwritten.get(state.key) is state:
                    del self._unwritten[state.key]
                done()

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
