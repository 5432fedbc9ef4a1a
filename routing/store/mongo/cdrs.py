"""CDR memory and custody in MongoDB: a document a CDR and recipient; custody is found by when it is due."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from connectors.values import PartyId
from routing import custody
from routing.custody import Held
from routing.log.port import Position
from routing.store.codec import cdr_key, cdr_key_of
from routing.store.mongo.connection import Database, Document
from routing.store.port import CdrKey, CdrRecord, CustodyCount, CustodyWanted


async def make_indexes(db: Database) -> None:
    fields = [(name, ASCENDING) for name in ("held", "recipient", "due", "_id", "partition")]
    held = {"held": {"$type": "string"}}
    await db["cdrs"].create_indexes([IndexModel(fields, name="held", partialFilterExpression=held)])


async def read(db: Database, key: CdrKey) -> CdrRecord | None:
    found = await db["cdrs"].find_one({"_id": cdr_key(key)})
    return _record(found) if found else None


async def write(db: Database, record: CdrRecord) -> None:
    document = _document(record)
    id, rank = document["_id"], document["rank"]
    as_new: Document = {"rank": rank}
    if record.status_code is None:
        as_new["custody"] = None
    allowed: list[Document] = [{"rank": {"$lt": rank}}]
    if record.status_code is not None or record.custody is None:
        allowed.append(as_new)
    no_later: Document = {"_id": id, "$or": allowed}
    try:
        await db["cdrs"].replace_one(no_later, document, upsert=True)
    except DuplicateKeyError:  # a later one is there, or one came while the server looked
        await db["cdrs"].replace_one(no_later, document)


async def step(db: Database, record: CdrRecord) -> bool:
    assert record.custody is not None  # noqa: S101  # what a step is of
    document = _document(record)
    before = {"_id": document["_id"], "rank": document["rank"], "turn": record.custody.turn - 1}
    result = await db["cdrs"].replace_one(before, document)
    if result.matched_count:
        return True
    there = await db["cdrs"].with_options(read_concern=ReadConcern("majority")).find_one({"_id": document["_id"]})
    return there is not None and _record(there) == record


async def count(db: Database) -> Sequence[CustodyCount]:
    group = {"_id": {"recipient": "$recipient", "held": "$held", "partition": "$partition"}, "count": {"$sum": 1},
             "oldest": {"$min": "$recorded"}}  # fmt: skip
    asked: list[Document] = [{"$match": {"held": {"$in": [held.value for held in Held]}}}, {"$group": group}]
    found = await db["cdrs"].aggregate(asked).to_list(None)
    return [
        CustodyCount(
            _party(one["_id"]["recipient"]), Held(one["_id"]["held"]), one["_id"]["partition"], one["count"],
            one["oldest"],
        )
        for one in found
    ]  # fmt: skip


async def select(db: Database, wanted: CustodyWanted, limit: int) -> Sequence[CdrRecord]:
    asked: Document = {
        "held": wanted.held.value,
        "recipient": "".join(wanted.recipient),
        "due": {"$lte": wanted.due},
        "partition": {"$in": list(wanted.partitions)},
    }
    if wanted.after is not None:
        due, key = wanted.after
        asked["$or"] = [{"due": {"$gt": due}}, {"due": due, "_id": {"$gt": key}}]
    found = db["cdrs"].find(asked).sort([("due", ASCENDING), ("_id", ASCENDING)]).limit(limit)
    return [_record(document) for document in await found.to_list(None)]


def _document(record: CdrRecord) -> Document:
    held = record.custody
    document: Document = {
        "_id": cdr_key(record.key),
        "rank": _rank(record),
        "epoch": record.position.epoch,
        "offset": record.position.offset,
        "recorded": record.recorded,
        "http_status": record.http_status,
        "status_code": record.status_code,
        "location": record.location,
        "answer": record.answer,
        "payload": record.payload,
    }
    if held is not None:
        document |= {"custody": custody.encode(held), "turn": held.turn}
        if record.awaited:
            document |= {
                "held": held.held.value,
                "due": held.due,
                "recipient": "".join(record.key.recipient),
                "partition": held.partition,
            }
    return document


def _record(found: Document) -> CdrRecord:
    return CdrRecord(
        key=cdr_key_of(found["_id"]),
        payload=found["payload"],
        position=Position(found["epoch"], found["offset"]),
        recorded=found["recorded"],
        http_status=found["http_status"],
        status_code=found["status_code"],
        answer=found["answer"],
        location=found["location"],
        custody=custody.decode(found.get("custody")),
    )


def _rank(record: CdrRecord) -> bytes:
    """In which the server's order of bytes is that of the port."""
    (epoch, offset), answered = record.rank
    return epoch.to_bytes(8, "big") + offset.to_bytes(8, "big") + bytes((answered,))


def _party(text: str) -> PartyId:
    return PartyId(text[:2], text[2:])
