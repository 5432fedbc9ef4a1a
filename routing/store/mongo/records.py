"""Marks, stored URLs, records set aside and meta in MongoDB: small documents by key."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from bson.datetime_ms import DatetimeMS
from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from routing.log.port import Position, TopicPartition
from routing.store.codec import decode_headers, decode_resync, encode_headers, encode_resync, mark_party, party_of_mark
from routing.store.mongo import leases
from routing.store.mongo.connection import Database, Document
from routing.store.mongo.deadletters import LETTERS
from routing.store.port import Conflict, Lease, LeaseLost, Mark, SetAside

_NEWEST: Final = ReadConcern("local")


# --- marks -----------------------------------------------------------------------------------------------------------
# A mark that was removed stays for a day as `gone`, and revisions are no smaller than the server's clock: so none is
# ever given twice, and no counter is needed beside the document.


_NEXT_REVISION: Final[Document] = {"$max": [{"$add": [{"$ifNull": ["$revision", 0]}, 1]}, {"$toLong": "$$NOW"}]}


async def load_marks(db: Database) -> Sequence[Mark]:
    documents: list[Document] = await db["marks"].find({"gone": None}).to_list(None)
    return [_mark(document) for document in documents]


async def claim_marks(db: Database, tps: Collection[TopicPartition]) -> Sequence[Mark]:
    """One write and one read, however many there are: whatever changes in between is conditional on what it writes."""
    wanted = [{"_id.topic": tp.topic, "_id.partition": tp.partition} for tp in tps]
    theirs: Document = {"gone": None, "$or": wanted}
    await db["marks"].update_many(theirs, [{"$set": {"revision": _NEXT_REVISION}}])
    documents: list[Document] = await db["marks"].with_options(read_concern=_NEWEST).find(theirs).to_list(None)
    return [_mark(document) for document in documents]


async def save_mark(db: Database, mark: Mark) -> Mark:
    """Raises Conflict."""
    id = _mark_id(mark)
    known: Document = {"gone": {"$type": "date"}} if mark.revision == 0 else {"gone": None, "revision": mark.revision}
    content = {
        "epoch": mark.position.epoch,
        "offset": mark.position.offset,
        "since": mark.since,
        "reason": mark.reason,
        "resync": encode_resync(mark),
    }
    try:
        after = await db["marks"].find_one_and_update(
            {"_id": id, **known},
            [
                {
                    "$replaceWith": {
                        "_id": {"$literal": id},
                        **{name: {"$literal": value} for name, value in content.items()},
                        "revision": _NEXT_REVISION,
                    }
                }
            ],
            upsert=mark.revision == 0,
            return_document=ReturnDocument.AFTER,
        )
    except DuplicateKeyError:  # one that is not gone
        after = None
    if after is None:
        raise Conflict(_named(mark), await _mark_revision(db, id))
    return replace(mark, revision=after["revision"])


async def remove_mark(db: Database, mark: Mark) -> None:
    """Raises Conflict."""
    id = _mark_id(mark)
    result = await db["marks"].update_one(
        {"_id": id, "gone": None, "revision": mark.revision}, [{"$set": {"gone": "$$NOW"}}]
    )
    if not result.matched_count and (current := await _mark_revision(db, id)) not in (0, mark.revision):
        raise Conflict(_named(mark), current)


async def _mark_revision(db: Database, id: Document) -> int:
    found = await db["marks"].with_options(read_concern=_NEWEST).find_one({"_id": id, "gone": None}, {"revision": 1})
    return found["revision"] if found else 0


def _mark(document: Document) -> Mark:
    id = document["_id"]
    return Mark(
        platform=id["platform"],
        tp=TopicPartition(id["topic"], id["partition"]),
        position=Position(document["epoch"], document["offset"]),
        since=document["since"],
        reason=document["reason"],
        revision=document["revision"],
        party=party_of_mark(id.get("party", "")),
        **decode_resync(document.get("resync")),
    )


def _mark_id(mark: Mark) -> Document:
    id = {"platform": mark.platform, "topic": mark.tp.topic, "partition": mark.tp.partition}
    return id if mark.party is None else {**id, "party": mark_party(mark)}


def _named(mark: Mark) -> str:
    return f"the mark of {mark.platform} in {mark.tp.topic}/{mark.tp.partition}"


# --- rewritten URLs --------------------------------------------------------------------------------------------------


async def put_url(db: Database, ref: str, content: bytes, expires: int) -> None:
    await db["urls"].replace_one(
        {"_id": ref}, {"_id": ref, "content": content, "expires": DatetimeMS(expires)}, upsert=True
    )


async def get_url(db: Database, ref: str, now: int) -> bytes | None:
    found = await db["urls"].find_one({"_id": ref, "expires": {"$gt": DatetimeMS(now)}}, {"content": 1})
    return found["content"] if found else None


async def expire(db: Database, now: int, cdrs_before: int) -> int:
    urls = await db["urls"].delete_many({"expires": {"$lte": DatetimeMS(now)}})
    cdrs = await db["cdrs"].delete_many({"recorded": {"$lt": cdrs_before}, "due": None})
    aside = await db["set_aside"].delete_many({"at": {"$lt": cdrs_before}})
    letters = await db[LETTERS].delete_many({"at": {"$lt": cdrs_before}})
    return urls.deleted_count + cdrs.deleted_count + aside.deleted_count + letters.deleted_count


# --- records set aside -----------------------------------------------------------------------------------------------


async def set_aside(db: Database, record: SetAside) -> None:
    document: Document = {
        "_id": {"topic": record.tp.topic, "partition": record.tp.partition, **record.position._asdict()},
        **record.position._asdict(),
        "append_time": record.append_time,
        "at": record.at,
        "reason": record.reason,
        "key": record.key,
        "headers": encode_headers(record.headers),
        "value": record.value,
    }
    try:
        await db["set_aside"].insert_one(document)
    except DuplicateKeyError:
        return


async def load_set_aside(db: Database, limit: int, offset: int, wanted: str) -> Sequence[SetAside]:
    newest = [("at", DESCENDING), ("epoch", DESCENDING), ("offset", DESCENDING)]
    found = db["set_aside"].find(_with(wanted)).sort(newest).skip(offset).limit(limit)
    documents: list[Document] = await found.to_list(None)
    return [_aside(document) for document in documents]


async def count_set_aside(db: Database, wanted: str) -> int:
    found: int = await db["set_aside"].count_documents(_with(wanted))
    return found


def _with(wanted: str) -> Document:
    if not wanted:
        return {}
    within = {"$regex": re.escape(wanted), "$options": "i"}
    return {"$or": [{"_id.topic": within}, {"reason": within}]}


async def read_set_aside(db: Database, tp: TopicPartition, offset: int) -> SetAside | None:
    wanted = {"_id.topic": tp.topic, "_id.partition": tp.partition, "offset": offset}
    found = await db["set_aside"].find_one(wanted, sort=[("epoch", DESCENDING)])
    return _aside(found) if found else None


def _aside(document: Document) -> SetAside:
    return SetAside(
        tp=TopicPartition(document["_id"]["topic"], document["_id"]["partition"]),
        position=Position(document["epoch"], document["offset"]),
        append_time=document["append_time"],
        at=document["at"],
        reason=document["reason"],
        key=document["key"],
        headers=decode_headers(document["headers"]),
        value=document["value"],
    )


# --- meta ------------------------------------------------------------------------------------------------------------


async def get_meta(db: Database, name: str) -> bytes | None:
    found = await db["meta"].find_one({"_id": name})
    return found["value"] if found else None


async def list_meta(db: Database, prefix: str) -> dict[str, bytes]:
    found = await db["meta"].find({"_id": {"$regex": f"^{re.escape(prefix)}"}}).to_list(None)
    return {document["_id"]: document["value"] for document in found}


async def remove_meta(db: Database, name: str) -> None:
    await db["meta"].delete_one({"_id": name})


async def set_meta(db: Database, name: str, value: bytes, lease: Lease | None) -> None:
    """Raises LeaseLost."""
    if lease is None:
        await db["meta"].update_one({"_id": name}, {"$set": {"value": value}}, upsert=True)
        return
    await leases.demand(db, lease)
    by_none_later = {"$or": [{"generation": None}, {"generation": {"$lte": lease.generation}}]}
    try:
        await db["meta"].update_one(
            {"_id": name, **by_none_later}, {"$set": {"value": value, "generation": lease.generation}}, upsert=True
        )
    except DuplicateKeyError:
        raise LeaseLost(lease) from None


async def add_meta(db: Database, name: str, value: bytes, after: bytes | None) -> bytes:
    if after is None:
        stored: Document = await db["meta"].find_one_and_update(
            {"_id": name}, {"$setOnInsert": {"value": value}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        return bytes(stored["value"])
    result = await db["meta"].update_one({"_id": name, "value": after}, {"$set": {"value": value}})
    if result.matched_count:
        return value
    found = await db["meta"].with_options(read_concern=_NEWEST).find_one({"_id": name})
    return found["value"] if found else b""
