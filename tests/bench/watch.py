"""Looks at a hub's object state from outside, through the store's own engine: when does everything stand there?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from connectors.values import PartyId
from routing.state import StateKey
from routing.store.mongo import MongoStore
from routing.store.port import Store
from tests.bench import bodies

_CHUNK = 500
_BETWEEN = 0.1


def location_keys(expected: Mapping[str, str]) -> dict[StateKey, bytes]:
    """What `Pushes.expected` names, as keys of states for everybody, with what their bodies hold in the end."""
    cpo = PartyId(*bodies.CPO)
    return {
        StateKey(cpo, "locations", path.rpartition("/")[2], "", None): marker.encode()
        for path, marker in expected.items()
    }


async def until_written(uri: str, expected: Mapping[StateKey, bytes], within: float) -> tuple[float, int]:
    """Wait until every state is the last one: the moment (perf_counter), and how many are still behind `within` s."""
    store = MongoStore(uri)
    await store.start()
    try:
        return await until(store, expected, time.perf_counter() + within)
    finally:
        await store.close()


async def until(store: Store, expected: Mapping[StateKey, bytes], last: float) -> tuple[float, int]:
    """Wait until every state is the last one, but not beyond the moment `last`; as `until_written`."""
    left = list(expected)
    while left:
        chunk = left[:_CHUNK]
        found = await store.read_states(chunk)
        behind = [key for key in chunk if key not in found or expected[key] not in (found[key].body or b"")]
        left = behind + left[_CHUNK:]
        now = time.perf_counter()
        if behind and now > last:
            return now, len(left)
        if behind:
            await asyncio.sleep(_BETWEEN)
    return time.perf_counter(), 0
