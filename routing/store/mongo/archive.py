"""The archive in MongoDB: a document an exchange, put together of its parts, dropped by the server when it expires.

Names of fields are short because they stand in every document: `r` rank, `x` when it expires, `t` the numbers of its
terms, `m` and `o` its parts. The `update` command is sent as it is, as for states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

from bson import Int64
from bson.datetime_ms import DatetimeMS
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import WriteConcernError, WriteError

from routing.store.archive import Body, Filed, Kept, Part, rank_of, ranks, term_number
from routing.store.mongo.connection import DURABLE, Connection, Database, Document
from routing.store.port import StoreAway

EXCHANGES: Final = "archive"
BODIES: Final = "archive_bodies"

_FIELDS: Final = {Part.MESSAGE: "m", Part.OUTCOME: "o"}
_WHOLE: Final = {"r": 1, "m": 1, "o": 1}
_AT_ONCE: Final = 500
_BYTES_AT_ONCE: Final = 4 * 2**20
_TRIES: Final = 5
_DUPLICATE: Final = 11000
_FIND_SECONDS: Final = 15.0
_EXPIRE_SECONDS: Final = 30.0


async def make_indexes(db: Database) -> None:
    """A migration: what exchanges and bodies are found and dropped by."""
    await db[EXCHANGES].create_indexes(
        [
            IndexModel([("t", ASCENDING), ("r", DESCENDING)], name="terms"),
            IndexModel([("r", DESCENDING)], name="newest"),
            IndexModel([("x", ASCENDING)], name="expires", expireAfterSeconds=0),
        ]
    )
    await db[BODIES].create_indexes(
        [
            IndexModel([("id", ASCENDING)], name="exchange"),
            IndexModel([("x", ASCENDING)], name="expires", expireAfterSeconds=0),
        ]
    )


class MongoArchive:
    """The archive over the store's connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def trouble(self) -> str | None:
        return self._connection.trouble()

    async def file(self, parts: Sequence[Filed]) -> None:
        await self._send(EXCHANGES, map(_statement, parts), lambda one: len(one["u"]["$set"][_field(one)]))

    async def find(
        self,
        terms: Sequence[str],
        *,
        since: int | None = None,
        until: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> Sequence[Kept]:
        first, last = ranks(since, until, before)
        query: Document = {"r": {"$gte": Int64(first), "$lt": Int64(last)}}
        if terms:
            query["$and"] = [{"t": Int64(term_number(term))} for term in terms]
        return await self._connection.run_long(_FIND_SECONDS, _find, query, limit)

    async def read(self, id: str) -> Kept | None:
        return await self._connection.run(_read, id)

    async def file_bodies(self, bodies: Sequence[Body]) -> None:
        await self._send(BODIES, map(_body_statement, bodies), lambda one: len(one["u"]["$setOnInsert"]["b"]))

    async def read_bodies(self, id: str) -> Sequence[Body]:
        return await self._connection.run(_read_bodies, id)

    async def expire(self, now: int) -> int:
        return await self._connection.run_long(_EXPIRE_SECONDS, _expire, now)

    async def _send(self, collection: str, statements: Iterable[Document], size: Callable[[Document], int]) -> None:
        left = iter(statements)
        while some := _batch(left, size):
            for _ in range(_TRIES):
                if not some:
                    break
                # Refused as duplicates are those that somebody else put there while the server looked: found now.
                some = [some[at] for at in await self._connection.run(partial(_update, collection), some)]
            else:
                raise StoreAway("MongoDB refused exchanges as duplicates again and again")


def _batch(statements: Iterator[Document], size: Callable[[Document], int]) -> list[Document]:
    batch: list[Document] = []
    whole = 0
    for one in islice(statements, _AT_ONCE):
        batch.append(one)
        whole += size(one)
        if whole >= _BYTES_AT_ONCE:
            break
    return batch


async def _update(collection: str, db: Database, statements: Sequence[Document]) -> list[int]:
    """Which of them were refused as duplicates. Raises PyMongoError."""
    command = {"update": collection, "updates": statements, "ordered": False, "writeConcern": DURABLE.document}
    reply: Document = await db.command(command)
    errors: list[Document] = reply.get("writeErrors", [])
    for refused in errors:
        if refused["code"] != _DUPLICATE:
            raise WriteError(refused.get("errmsg", "an exchange was refused"), refused["code"], refused)
    if unsafe := reply.get("writeConcernError"):
        raise WriteConcernError(unsafe.get("errmsg", "not yet durable"), unsafe.get("code"), unsafe)
    return [refused["index"] for refused in errors]


def _statement(part: Filed) -> Document:
    update: Document = {
        "$setOnInsert": {"r": Int64(rank_of(part.id, part.at))},
        "$max": {"x": DatetimeMS(part.expires)},
        "$addToSet": {"t": {"$each": [Int64(term_number(term)) for term in part.terms]}},
        "$set": {_FIELDS[part.part]: part.content},
    }
    return {"q": {"_id": part.id}, "u": update, "upsert": True}


def _field(statement: Document) -> str:
    (name,) = statement["u"]["$set"]
    return str(name)


def _body_statement(body: Body) -> Document:
    new = {"id": body.id, "n": body.name, "x": DatetimeMS(body.expires), "b": body.content}
    return {"q": {"_id": f"{body.id} {body.name}"}, "u": {"$setOnInsert": new}, "upsert": True}


async def _find(db: Database, query: Document, limit: int) -> list[Kept]:
    newest = [("r", DESCENDING)]
    found = await db[EXCHANGES].find(query, _WHOLE).sort(newest).limit(limit).to_list(None)
    kept = [_kept(document) for document in found]
    if len(kept) == limit:  # others of the very same rank would be on no page else
        same = await db[EXCHANGES].find({**query, "r": Int64(kept[-1].rank)}, _WHOLE).to_list(None)
        known = {one.id for one in kept}
        kept += [_kept(document) for document in same if document["_id"] not in known]
    return kept


async def _read(db: Database, id: str) -> Kept | None:
    found = await db[EXCHANGES].find_one({"_id": id}, _WHOLE)
    return _kept(found) if found else None


async def _read_bodies(db: Database, id: str) -> list[Body]:
    found: list[Document] = await db[BODIES].find({"id": id}).sort("n", ASCENDING).to_list(None)
    return [Body(one["id"], one["n"], _ms(one["x"]), one["b"]) for one in found]


async def _expire(db: Database, now: int) -> int:
    old = {"x": {"$lte": DatetimeMS(now)}}
    exchanges = await db[EXCHANGES].delete_many(old)
    bodies = await db[BODIES].delete_many(old)
    return exchanges.deleted_count + bodies.deleted_count


def _ms(moment: Any) -> int:
    return int(DatetimeMS(moment))


def _kept(document: Mapping[str, Any]) -> Kept:
    return Kept(document["_id"], int(document["r"]), document.get("m"), document.get("o"))
