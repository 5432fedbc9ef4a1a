"""Dead letters in MongoDB: a document each, what they are found by in fields of its own, the rest a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from routing.deadletters import DeadLetter, Wanted, decode, encode, party_text
from routing.store.mongo.connection import Connection, Database, Document

LETTERS: Final = "letters"

_LIST_SECONDS: Final = 15.0


class MongoDeadLetters:
    """Over the store's own connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._run = connection.run

    async def put(self, letter: DeadLetter) -> None:
        await self._run(_put, letter)

    async def find(self, wanted: Wanted, *, limit: int, offset: int = 0) -> Sequence[DeadLetter]:
        return await self._connection.run_long(_LIST_SECONDS, _find, wanted, limit, offset)

    async def count(self, wanted: Wanted) -> int:
        return await self._connection.run_long(_LIST_SECONDS, _count, wanted)

    async def read(self, id: str) -> DeadLetter | None:
        return await self._run(_read, id)

    async def redriven(self, id: str, version: int, at: int) -> bool:
        return await self._run(_redriven, id, version, at)

    async def drop(self, id: str, *, version: int | None = None) -> bool:
        return await self._run(_drop, id, version)


async def make_indexes(db: Database) -> None:
    await db[LETTERS].create_indexes(
        [
            IndexModel([("at", DESCENDING), ("_id", DESCENDING)], name="newest"),
            IndexModel([("parties", ASCENDING), ("at", DESCENDING)], name="parties"),
        ]
    )


async def _put(db: Database, letter: DeadLetter) -> None:
    document: Document = {
        "_id": letter.id,
        "at": letter.at,
        "reason": letter.reason.value,
        "module": letter.module,
        "owner": party_text(letter.owner),
        "sender": f"{letter.sender}",
        "recipient": f"{letter.recipient}",
        "parties": sorted({party_text(letter.owner), f"{letter.sender}", f"{letter.recipient}"} - {""}),
        "version": letter.version,
        "redriven": letter.redriven,
        "record": encode(letter),
        "body": letter.body,
    }
    older = {"_id": letter.id, "version": {"$lt": letter.version}}
    try:
        await db[LETTERS].replace_one(older, document, upsert=True)
    except DuplicateKeyError:  # one as new is there, or one came while the server looked
        await db[LETTERS].replace_one(older, document)


async def _find(db: Database, wanted: Wanted, limit: int, offset: int) -> Sequence[DeadLetter]:
    newest = [("at", DESCENDING), ("_id", DESCENDING)]
    found = db[LETTERS].find(_asked(wanted), {"body": 0}).sort(newest).skip(offset).limit(limit)
    documents: list[Document] = await found.to_list(None)
    return [_letter(document) for document in documents]


async def _count(db: Database, wanted: Wanted) -> int:
    found: int = await db[LETTERS].count_documents(_asked(wanted))
    return found


def _asked(wanted: Wanted) -> Document:
    asked: Document = {}
    if wanted.party is not None:
        asked["parties"] = f"{wanted.party}"
    if wanted.module:
        asked["module"] = wanted.module
    if wanted.reason is not None:
        asked["reason"] = wanted.reason.value
    within = {"$gte": wanted.since, "$lt": wanted.until}
    if bounds := {name: value for name, value in within.items() if value is not None}:
        asked["at"] = bounds
    if wanted.open:
        asked["redriven"] = None
    return asked


async def _read(db: Database, id: str) -> DeadLetter | None:
    found = await db[LETTERS].find_one({"_id": id})
    return _letter(found) if found else None


async def _redriven(db: Database, id: str, version: int, at: int) -> bool:
    result = await db[LETTERS].update_one({"_id": id, "version": version}, {"$set": {"redriven": at}})
    return result.matched_count > 0


async def _drop(db: Database, id: str, version: int | None) -> bool:
    which: Document = {"_id": id} if version is None else {"_id": id, "version": version}
    result = await db[LETTERS].delete_one(which)
    return result.deleted_count > 0


def _letter(document: Document) -> DeadLetter:
    return decode(
        document["record"], id=document["_id"], at=document["at"], reason=document["reason"],
        module=document["module"], owner=document["owner"], sender=document["sender"],
        recipient=document["recipient"], version=document["version"], redriven=document["redriven"],
        body=document.get("body", b""),
    )  # fmt: skip
