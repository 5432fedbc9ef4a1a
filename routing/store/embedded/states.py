"""Object state in SQLite: bulk upserts on a greater position, bulk reads.

Rows go in by statements of many rows, not by executemany: SQLite's module lets Python's lock go around each step, and
beside a busy event loop every step then waits for its turn.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from connectors.values import Module, PartyId
from routing.log.port import Position
from routing.state import ObjectState, StateKey
from routing.store.codec import (
    audience_range,
    contract_key,
    contract_of,
    decode_parts,
    encode_parts,
    state_key,
    state_key_of,
    state_range,
)
from routing.store.port import LIST_BYTES, Selection, StateCount

_COMPOSED: Final = 1
_DELETED: Final = 2
_UNCONFIRMED: Final = 4
_UNPUBLISHED: Final = 8

_OF_CONTRACT: Final = "SELECT key FROM states WHERE contract = ? AND key > ? AND key < ? ORDER BY key LIMIT 1"

_WRITE_ROWS: Final = (50, 8, 1)
_READ_ROWS: Final = (100, 10, 1)


def write(connection: sqlite3.Connection, states: Sequence[ObjectState]) -> None:
    at = 0
    for rows in _WRITE_ROWS:
        statement = _upsert(rows)
        while len(states) - at >= rows:
            values: list[Any] = []
            for state in states[at : at + rows]:
                flags = (
                    (_COMPOSED if state.composed else 0)
                    | (_DELETED if state.deleted else 0)
                    | (_UNCONFIRMED if state.unconfirmed else 0)
                    | (_UNPUBLISHED if state.unpublished else 0)
                )
                values += (
                    state_key(state.key),
                    *state.position,
                    *(state.base or (None, None)),
                    flags,
                    state.version,
                    state.last_updated,
                    encode_parts(state.parts),
                    state.body,
                    contract_of(state),
                )
            connection.execute(statement, values)
            at += rows


def read(connection: sqlite3.Connection, keys: Sequence[StateKey]) -> Mapping[StateKey, ObjectState]:
    wanted = {state_key(key): key for key in keys}
    encoded = list(wanted)
    found: dict[StateKey, ObjectState] = {}
    at = 0
    for rows in _READ_ROWS:
        statement = _select(rows)
        while len(encoded) - at >= rows:
            for row in connection.execute(statement, encoded[at : at + rows]).fetchall():
                state = _state(wanted[row[0]], row)
                found[state.key] = state
            at += rows
    return found


def find_contract(connection: sqlite3.Connection, contract_id: str, audience: PartyId | None) -> Sequence[PartyId]:
    key = contract_key(contract_id)
    first, last = audience_range(Module.TOKENS, audience)
    found: list[PartyId] = []
    while row := connection.execute(_OF_CONTRACT, (key, first, last)).fetchone():
        owner = state_key_of(row[0]).owner
        found.append(owner)
        _, first = state_range(Module.TOKENS, audience, owner)
    return found


# --- lists -----------------------------------------------------------------------------------------------------------

_WHOLE: Final = f"body IS NOT NULL AND flags & {_DELETED} = 0"
_AT: Final = "CAST(round((julianday(last_updated) - 2440587.5) * 86400000) AS INTEGER)"
_SELECT: Final = """
    SELECT key, epoch, offset, base_epoch, base_offset, flags, version, last_updated, parts, body FROM states
"""


def select(
    connection: sqlite3.Connection, wanted: Selection, after: StateKey | None, skip: int, limit: int
) -> Sequence[ObjectState]:
    behind = b"" if after is None else state_key(after)
    found: list[ObjectState] = []
    size = 0
    ranges = sorted((*state_range(wanted.module, wanted.audience, owner), owner) for owner in set(wanted.owners))
    for first, last, owner in ranges:
        if behind >= last:
            continue
        where, values = _within(wanted, max(first, behind), last)
        if owner not in wanted.unpublished:
            where += f" AND flags & {_UNPUBLISHED} = 0"
        if skip:
            passed = connection.execute(f"SELECT key FROM states WHERE {where} ORDER BY key LIMIT ?", (*values, skip))  # noqa: S608
            skipped = passed.fetchall()
            skip -= len(skipped)
            if skip:
                continue
            values[0] = skipped[-1][0]
        rows = connection.execute(f"{_SELECT} WHERE {where} ORDER BY key LIMIT ?", (*values, limit - len(found)))
        for row in rows:
            state = _state(state_key_of(row[0]), row)
            found.append(state)
            size += len(state.body or b"")
            if size >= LIST_BYTES:
                rows.close()
                return found
        if len(found) == limit:
            break
    return found


def changed(
    connection: sqlite3.Connection, module: str, since: Position, before: Position, limit: int
) -> Sequence[ObjectState]:
    where = "(epoch, offset) >= (?, ?) AND (epoch, offset) < (?, ?) AND key > ? AND key < ?"
    order = f"INDEXED BY states_position WHERE {where} ORDER BY epoch DESC, offset DESC"
    keys = audience_range(module, None)
    found: list[ObjectState] = []
    size = 0
    rows = connection.execute(f"{_SELECT} {order}", (*since, *before, *keys))
    for row in rows:
        state = _state(state_key_of(row[0]), row)
        if (len(found) >= limit or size >= LIST_BYTES) and state.position != found[-1].position:
            break
        found.append(state)
        size += len(state.body or b"")
    rows.close()
    return found


def count(connection: sqlite3.Connection, wanted: Selection, owner: PartyId) -> StateCount:
    first, last = state_range(wanted.module, wanted.audience, owner)
    dates, moments = _dated(wanted)
    listed = f"{_WHOLE}{dates}"
    row = connection.execute(
        f"SELECT count(*) FILTER (WHERE {listed} AND flags & {_UNPUBLISHED} = 0),"  # noqa: S608 - no word of anybody
        f" count(*) FILTER (WHERE {listed} AND flags & {_UNPUBLISHED} != 0),"
        f" count(*) FILTER (WHERE flags & {_UNCONFIRMED} != 0 OR (body IS NULL AND parts IS NOT NULL))"
        " FROM states WHERE key > ? AND key < ?",
        (*moments, *moments, first, last),
    ).fetchone()
    return StateCount(*row)


def _within(wanted: Selection, first: bytes, last: bytes) -> tuple[str, list[Any]]:
    dates, moments = _dated(wanted)
    return f"key > ? AND key < ? AND {_WHOLE}{dates}", [first, last, *moments]


def _dated(wanted: Selection) -> tuple[str, list[int]]:
    """What cannot be read as a date is NULL for SQLite, and left in."""
    clauses, moments = "", []
    for sign, moment in ((">=", wanted.since), ("<", wanted.before)):
        if moment is not None:
            clauses += f" AND coalesce({_AT} {sign} ?, 1)"
            moments.append(moment)
    return clauses, moments


def _state(key: StateKey, row: tuple[Any, ...]) -> ObjectState:
    _, epoch, offset, base_epoch, base_offset, flags, version, last_updated, parts, body = row
    return ObjectState(
        key=key,
        position=Position(epoch, offset),
        version=version,
        body=body,
        composed=bool(flags & _COMPOSED),
        parts=decode_parts(parts),
        last_updated=last_updated,
        deleted=bool(flags & _DELETED),
        unconfirmed=bool(flags & _UNCONFIRMED),
        base=None if base_epoch is None else Position(base_epoch, base_offset),
        unpublished=bool(flags & _UNPUBLISHED),
    )


@lru_cache(maxsize=len(_WRITE_ROWS))
def _upsert(rows: int) -> str:
    return f"""
        INSERT INTO states
            (key, epoch, offset, base_epoch, base_offset, flags, version, last_updated, parts, body, contract)
        VALUES {", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * rows)}
        ON CONFLICT (key) DO UPDATE SET
            epoch = excluded.epoch, offset = excluded.offset, base_epoch = excluded.base_epoch,
            base_offset = excluded.base_offset, flags = excluded.flags, version = excluded.version,
            last_updated = excluded.last_updated, parts = excluded.parts, body = excluded.body,
            contract = excluded.contract
        WHERE (excluded.epoch, excluded.offset) > (epoch, offset)
    """  # noqa: S608 - only the number of rows goes in


@lru_cache(maxsize=len(_READ_ROWS))
def _select(rows: int) -> str:
    return f"""
        SELECT key, epoch, offset, base_epoch, base_offset, flags, version, last_updated, parts, body
        FROM states WHERE key IN ({", ".join("?" * rows)})
    """  # noqa: S608 - only the number of keys goes in
