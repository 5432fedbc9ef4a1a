"""A store as a busy hub has it: so many Locations and Tokens, written by the engine itself before the hub starts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from connectors.values import PartyId
from routing.log.port import Position
from routing.state import ObjectState, StateKey
from routing.store.embedded import EmbeddedStore
from routing.store.mongo import MongoStore
from routing.store.port import Store
from tests.bench import bodies
from tests.bench.plan import Plan
from tests.bench.report import say

_BATCH = 2_000
_TELL_SECONDS = 5.0
_BEFORE_ANY_PUSH = 0  # an epoch below every topic's, so that whatever is pushed later is newer


async def fill(folder: Path, plan: Plan) -> None:
    """Write the states of `plan` into the store of this folder, and say how long it took."""
    await _filled(EmbeddedStore(folder), plan.locations, plan.tokens)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 2**20
    say(f"filling the store: {size:,.0f} MiB")


async def fill_mongo(uri: str, plan: Plan) -> None:
    """The same into a database of MongoDB."""
    await _filled(MongoStore(uri, timeout=60), plan.locations, plan.tokens)


async def _filled(store: Store, locations: int, tokens: int) -> None:
    began = told = time.perf_counter()
    total, done = locations + tokens, 0
    await store.start()
    try:
        states = _states(locations, tokens)
        while batch := list(islice(states, _BATCH)):
            await store.write_states(batch)
            done += len(batch)
            if time.perf_counter() - told >= _TELL_SECONDS:
                told = time.perf_counter()
                say(f"filling the store: {done:,} of {total:,} objects")
    finally:
        await store.close()
    say(f"filling the store: {total:,} objects took {time.perf_counter() - began:.1f} s")


def _states(locations: int, tokens: int) -> Iterator[ObjectState]:
    location, token = bodies.location_template(), bodies.token_template()
    cpo, emsp = PartyId(*bodies.CPO), PartyId(*bodies.EMSP)
    for at in range(locations):
        key = StateKey(cpo, "locations", (bodies.ID_FORMAT % at).decode(), "", None)
        yield _state(key, at, location % (at, 0))
    for at in range(tokens):
        key = StateKey(emsp, "tokens", (bodies.TOKEN_FORMAT % at).decode(), "RFID", None)
        yield _state(key, at, token % (at, 0))


def _state(key: StateKey, at: int, body: bytes) -> ObjectState:
    return ObjectState(key, Position(_BEFORE_ANY_PUSH, at), "2.2.1", body=body, last_updated=bodies.WHEN)
