"""A store as a busy hub has it: so many Locations and Tokens, written by the engine itself before the hub starts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from connectors.values import PartyId
from routing.log.port import Position
from routing.state import ObjectState, StateKey
from routing.store.embedded import EmbeddedStore
from tests.bench import bodies
from tests.bench.plan import Plan
from tests.bench.report import say

_BATCH = 2_000
_TELL_SECONDS = 5.0
_BEFORE_ANY_PUSH = 0  # an epoch below every topic's, so that whatever is pushed later is newer


async def fill(folder: Path, plan: Plan) -> None:
    """Write the states of `plan` into the store of this folder, and say how long it took."""
    began = told = time.perf_counter()
    total, done = plan.locations + plan.tokens, 0
    store = EmbeddedStore(folder)
    await store.start()
    try:
        batch: list[ObjectState] = []
        for state in _states(plan):
            batch.append(state)
            if len(batch) == _BATCH:
                await store.write_states(batch)
                done += len(batch)
                batch = []
                if time.perf_counter() - told >= _TELL_SECONDS:
                    told = time.perf_counter()
                    say(f"filling the store: {done:,} of {total:,} objects")
        await store.write_states(batch)
    finally:
        await store.close()
    size = sum(file.stat().st_size for file in folder.iterdir()) / 2**20
    say(f"filling the store: {total:,} objects, {size:,.0f} MiB, took {time.perf_counter() - began:.1f} s")


def _states(plan: Plan) -> Iterator[ObjectState]:
    location, token = bodies.location_template(), bodies.token_template()
    cpo, emsp = PartyId(*bodies.CPO), PartyId(*bodies.EMSP)
    for at in range(plan.locations):
        key = StateKey(cpo, "locations", (bodies.ID_FORMAT % at).decode(), "", None)
        yield _state(key, at, location % (at, 0))
    for at in range(plan.tokens):
        key = StateKey(emsp, "tokens", (bodies.TOKEN_FORMAT % at).decode(), "RFID", None)
        yield _state(key, at, token % (at, 0))


def _state(key: StateKey, at: int, body: bytes) -> ObjectState:
    return ObjectState(key, Position(_BEFORE_ANY_PUSH, at), "2.2.1", body=body, last_updated=bodies.WHEN)
