"""Object state in MongoDB: one round trip a batch, each state conditional on a greater position.

Two things make it fast, measured at half of the server's time a state. The condition stands in the update, not in the
query: a query by `_id` alone is not planned. And the `update` command is sent as it is, not by the library's bulk
write, which would make of each state a retryable write with a record of its own; a state may be sent twice anyway.
Names of fields are short because they stand in every document.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.errors import AutoReconnect, WriteConcernError, WriteError

from connectors.values import Module, PartyId
from routing.log.port import Position
from routing.state import ObjectState, StateKey
from routing.store.codec import (
    audience_range,
    contract_of,
    decode_parts,
    encode_parts,
    moment,
    state_key,
    state_key_of,
    state_range,
)
from routing.store.mongo.connection import DURABLE, Database, Document
from routing.store.port import LIST_BYTES, Selection, StateCount, StoreAway

_COMPOSED: Final = 1
_DELETED: Final = 2
_UNCONFIRMED: Final = 4
_UNPUBLISHED: Final = 8

BY_POSITION: Final = "position"
"""The name of the index by which what changed is found."""

_WHOLE: Final[Document] = {"b": {"$exists": True}, "f": {"$not": {"$bitsAllSet": _DELETED}}}
_PUBLISHED: Final[Document] = {"$not": {"$bitsAllSet": _UNPUBLISHED}}

_WRITE_STATES: Final = 1000
_WRITE_BYTES: Final = 4 * 2**20  # the server takes 16 MiB; encoding this much keeps the event loop from its turn
_AGAIN_SECONDS: Final = 0.05
_TRIES: Final = 5
_DUPLICATE: Final = 11000

# A field that is not there is less than any other: what was not there is inserted.
_IF_GREATER: Final = [{"$replaceWith": {"$cond": [{"$lt": ["$p", "$$new.p"]}, "$$new", "$$ROOT"]}}]


async def write(db: Database, states: Sequence[ObjectState], within: float) -> None:
    """`within` is how many seconds to go on trying while connections break."""
    until = time.monotonic() + within
    newest: dict[StateKey, ObjectState] = {}
    for state in states:
        there = newest.get(state.key)
        if there is None or state.position > there.position:
            newest[state.key] = state
    left = iter(newest.values())
    while batch := _batch(left):
        statements = [_statement(state) for state in batch]
        for _ in range(_TRIES):
            if not statements:
                break
            # Refused as duplicates are those that somebody else put there while the server looked: they are found now.
            statements = [statements[at] for at in await _send(db, statements, until)]
        else:
            raise StoreAway("MongoDB refused states as duplicates again and again")


async def read(db: Database, keys: Sequence[StateKey]) -> Mapping[StateKey, ObjectState]:
    wanted = {_id(state_key(key)): key for key in keys}
    documents = await db["states"].find({"_id": {"$in": list(wanted)}}, batch_size=len(wanted) + 1).to_list(None)
    states = (_state(wanted[document["_id"]], document) for document in documents)
    return {state.key: state for state in states}


# --- by contract -----------------------------------------------------------------------------------------------------

BY_CONTRACT: Final = "contract"


async def find_contract(db: Database, key: bytes, audience: PartyId | None) -> Sequence[PartyId]:
    found: list[PartyId] = []
    first, last = audience_range(Module.TOKENS, audience)
    while True:
        query: Document = {"c": key, "_id": {"$gt": _id(first), "$lt": _id(last)}}
        cursor = db["states"].find(query, {"_id": 1}).sort("_id", ASCENDING).limit(1).hint(BY_CONTRACT)
        documents = await cursor.to_list(None)
        if not documents:
            return found
        owner = state_key_of(documents[0]["_id"].encode("latin-1")).owner
        found.append(owner)
        _, first = state_range(Module.TOKENS, audience, owner)


async def note_contracts(db: Database) -> None:
    """The migration to what is found by contract: tokens of before get theirs, unless they change meanwhile."""
    index = IndexModel(
        [("c", ASCENDING), ("_id", ASCENDING)], name=BY_CONTRACT, partialFilterExpression={"c": {"$exists": True}}
    )
    await db["states"].create_indexes([index])
    tokens: Document = {"_id": {"$gt": f"{Module.TOKENS}\0", "$lt": f"{Module.TOKENS}\1"}, "c": {"$exists": False}}
    changes: list[UpdateOne] = []
    async for document in db["states"].find(tokens):
        contract = contract_of(_state(state_key_of(document["_id"].encode("latin-1")), document))
        if contract is not None:
            changes.append(UpdateOne({"_id": document["_id"], "p": document["p"]}, {"$set": {"c": contract}}))
        if len(changes) == _WRITE_STATES:
            await db["states"].bulk_write(changes, ordered=False)
            changes.clear()
    if changes:
        await db["states"].bulk_write(changes, ordered=False)


# --- lists -----------------------------------------------------------------------------------------------------------


async def select(
    db: Database, wanted: Selection, after: StateKey | None, skip: int, limit: int
) -> Sequence[ObjectState]:
    behind = b"" if after is None else state_key(after)
    ranges: list[Document] = []
    for owner in set(wanted.owners):
        first, last = state_range(wanted.module, wanted.audience, owner)
        if behind < last:
            within: Document = {"_id": {"$gt": _id(max(first, behind)), "$lt": _id(last)}}
            ranges.append(within if owner in wanted.unpublished else {**within, "f": _PUBLISHED})
    found: list[ObjectState] = []
    size = 0
    if not ranges:
        return found
    query: Document = {"$or": ranges, **_WHOLE}
    if outside := [{"m": {sign: at}} for sign, at in _bounds(wanted)]:
        query["$nor"] = outside
    cursor = db["states"].find(query).sort("_id", ASCENDING).skip(skip).limit(limit)
    try:
        async for document in cursor:
            state = _state(state_key_of(document["_id"].encode("latin-1")), document)
            found.append(state)
            size += len(state.body or b"")
            if size >= LIST_BYTES:
                break
    finally:
        await cursor.close()
    return found


async def changed(db: Database, module: str, since: Position, before: Position, limit: int) -> Sequence[ObjectState]:
    first, last = (_id(key) for key in audience_range(module, None))
    query = {"_id": {"$gt": first, "$lt": last}, "p": {"$gte": _bytes(since), "$lt": _bytes(before)}}
    cursor = db["states"].find(query, hint=BY_POSITION, batch_size=limit).sort("p", DESCENDING)
    found: list[ObjectState] = []
    size = 0
    try:
        async for document in cursor:
            state = _state(state_key_of(document["_id"].encode("latin-1")), document)
            if (len(found) >= limit or size >= LIST_BYTES) and state.position != found[-1].position:
                break
            found.append(state)
            size += len(state.body or b"")
    finally:
        await cursor.close()
    return found


async def count(db: Database, wanted: Selection, owner: PartyId) -> StateCount:
    first, last = state_range(wanted.module, wanted.audience, owner)
    flags: Document = {"$ifNull": ["$f", 0]}
    dated = [{"$not": [{"$and": [{"$isNumber": "$m"}, {sign: ["$m", at]}]}]} for sign, at in _bounds(wanted)]
    listed = [{"$ne": [{"$type": "$b"}, "missing"]}, {"$not": [_has(flags, _DELETED)]}, *dated]
    partly = {"$and": [{"$eq": [{"$type": "$b"}, "missing"]}, {"$ne": [{"$type": "$s"}, "missing"]}]}
    hidden = _has(flags, _UNPUBLISHED)
    group = {
        "_id": None,
        "published": _how_many({"$and": [*listed, {"$not": [hidden]}]}),
        "unpublished": _how_many({"$and": [*listed, hidden]}),
        "unsure": _how_many({"$or": [_has(flags, _UNCONFIRMED), partly]}),
    }
    steps: list[Document] = [{"$match": {"_id": {"$gt": _id(first), "$lt": _id(last)}}}, {"$group": group}]
    async for counted in db["states"].aggregate(steps):
        return StateCount(counted["published"], counted["unpublished"], counted["unsure"])
    return StateCount()


def _has(flags: Document, flag: int) -> Document:
    """Whether this bit of them is set; older servers have no operator for it."""
    return {"$gte": [{"$mod": [flags, flag * 2]}, flag]}


def _how_many(holds: Document) -> Document:
    return {"$sum": {"$cond": [holds, 1, 0]}}


def _bounds(wanted: Selection) -> list[tuple[str, int]]:
    """What is outside of the dates; what has no date that can be read is not."""
    bounds = (("$lt", wanted.since), ("$gte", wanted.before))
    return [(sign, at) for sign, at in bounds if at is not None]


def _batch(states: Iterator[ObjectState]) -> list[ObjectState]:
    size = 0
    batch: list[ObjectState] = []
    for state in islice(states, _WRITE_STATES):
        batch.append(state)
        size += len(state.body or b"") + sum(len(part.body) for part in state.parts)
        if size >= _WRITE_BYTES:
            break
    return batch


async def _send(db: Database, statements: list[Document], until: float) -> list[int]:
    """Which of them were refused as duplicates. Raises PyMongoError."""
    command = {"update": "states", "updates": statements, "ordered": False, "writeConcern": DURABLE.document}
    while True:
        try:
            reply: Document = await db.command(command)
            break
        except AutoReconnect as error:
            if error.timeout or time.monotonic() + _AGAIN_SECONDS >= until:
                raise
            await asyncio.sleep(_AGAIN_SECONDS)
    errors: list[Document] = reply.get("writeErrors", [])
    for refused in errors:
        if refused["code"] != _DUPLICATE:
            raise WriteError(refused.get("errmsg", "a state was refused"), refused["code"], refused)
    if unsafe := reply.get("writeConcernError"):
        raise WriteConcernError(unsafe.get("errmsg", "not yet durable"), unsafe.get("code"), unsafe)
    return [refused["index"] for refused in errors]


def _statement(state: ObjectState) -> Document:
    document = _document(state)
    return {"q": {"_id": document["_id"]}, "u": _IF_GREATER, "c": {"new": document}, "upsert": True}


def _document(state: ObjectState) -> Document:
    flags = (
        (_COMPOSED if state.composed else 0)
        | (_DELETED if state.deleted else 0)
        | (_UNCONFIRMED if state.unconfirmed else 0)
        | (_UNPUBLISHED if state.unpublished else 0)
    )
    document: Document = {"_id": _id(state_key(state.key)), "p": _bytes(state.position), "v": state.version}
    if flags:
        document["f"] = flags
    if state.body is not None:
        document["b"] = state.body
    if state.last_updated is not None:
        document["u"] = state.last_updated
        if (updated := moment(state.last_updated)) is not None:
            document["m"] = updated
    if state.parts:
        document["s"] = encode_parts(state.parts)
    if state.base is not None:
        document["a"] = _bytes(state.base)
    if (contract := contract_of(state)) is not None:
        document["c"] = contract
    return document


def _state(key: StateKey, document: Mapping[str, Any]) -> ObjectState:
    flags = document.get("f", 0)
    base = document.get("a")
    return ObjectState(
        key=key,
        position=_position(document["p"]),
        version=document["v"],
        body=document.get("b"),
        composed=bool(flags & _COMPOSED),
        parts=decode_parts(document.get("s")),
        last_updated=document.get("u"),
        deleted=bool(flags & _DELETED),
        unconfirmed=bool(flags & _UNCONFIRMED),
        base=None if base is None else _position(base),
        unpublished=bool(flags & _UNPUBLISHED),
    )


def _id(key: bytes) -> str:
    """Text of one character a byte: the server puts text in the order of its bytes, but bytes by their length first."""
    return key.decode("latin-1")


def _bytes(position: Position) -> bytes:
    """In which the server's order of bytes is the order of positions: one comparison, not two fields."""
    return position.epoch.to_bytes(8, "big") + position.offset.to_bytes(8, "big")


def _position(stored: bytes) -> Position:
    return Position(int.from_bytes(stored[:8], "big"), int.from_bytes(stored[8:], "big"))
