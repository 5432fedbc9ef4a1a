"""The directory in MongoDB: a document a platform, with what it holds and its credentials beside it.

Each save is one change of one document, so no transaction is needed and none can be left half done. Who holds a party
is decided by a unique index. The directory's revision is the sum of those of its platforms, agreements and policies,
which lie in one collection: each save raises one of them by one, and none is ever deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from connectors.values import PartyId, Role
from routing.directory import Platform
from routing.store.codec import held, platform_document, platform_of
from routing.store.mongo import leases
from routing.store.mongo.connection import Database, Document
from routing.store.port import Conflict, Lease, StoreAway, Taken

_TRIES: Final = 20
_ALL: Final = 500
"""From so many changes on all is read: their names would make a long question."""

_NEWEST: Final = ReadConcern("local")


class Known:
    """What this process has read of the directory: a look reads only what was changed since the last one."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[int, Platform | None]] = {}
        """By document its revision, and its platform if it is of one."""

    async def load(self, db: Database) -> tuple[int, Sequence[Platform]]:
        """The directory's revision and all its platforms; one that did not change is the object that it was."""
        # A read of many documents is not of one moment. It is if nothing was changed between its end and one more look.
        for _ in range(_TRIES):
            total = sum(revision for revision, _ in self._read.values())
            if total == await revision(db):
                return total, [platform for _, (_, platform) in sorted(self._read.items()) if platform is not None]
            await self._read_on(db)
        raise StoreAway("the directory of parties changes faster than it can be read")

    async def _read_on(self, db: Database) -> None:
        listed: list[Document] = await db["platforms"].find({}, {"revision": 1}).to_list(None)
        known = {id: self._read[id] for one in listed if (id := one["_id"]) in self._read}
        changed = [id for one in listed if (id := one["_id"]) not in known or known[id][0] != one["revision"]]
        which = {"_id": {"$in": changed}} if len(changed) < _ALL else {}
        documents: list[Document] = await db["platforms"].find(which).to_list(None)
        for document in documents:
            platform = platform_of(document["platform"]) if "platform" in document else None
            known[document["_id"]] = document["revision"], platform
        self._read = known


async def revision(db: Database) -> int:
    """The directory's."""
    sums: list[Document] = await (
        db["platforms"].aggregate([{"$group": {"_id": None, "total": {"$sum": "$revision"}}}]).to_list(None)
    )
    return int(sums[0]["total"]) if sums else 0


async def save(db: Database, platform: Platform, lease: Lease | None) -> Platform:
    """Raises LeaseLost, Conflict and Taken."""
    if lease is not None:
        await leases.demand(db, lease)  # the write itself is conditional on the platform's revision
    saved = replace(platform, revision=platform.revision + 1)
    document = _document(saved)
    for _ in range(_TRIES):
        try:
            if platform.revision == 0:
                await db["platforms"].insert_one(document)
                return saved
            result = await db["platforms"].replace_one({"_id": platform.id, "revision": platform.revision}, document)
            if result.matched_count:
                return saved
        except DuplicateKeyError:
            pass
        await _refuse(db, platform)
    raise StoreAway("the directory of parties changes faster than it can be written")


async def find(db: Database, digest: bytes) -> Platform | None:
    found = await db["platforms"].find_one({"digests": digest})
    return platform_of(found["platform"]) if found else None


async def _refuse(db: Database, platform: Platform) -> None:
    """Why a save was refused: raises Conflict or Taken, or nothing where the reason is gone by now."""
    newest = db["platforms"].with_options(read_concern=_NEWEST)
    stored = await newest.find_one({"_id": platform.id}, {"revision": 1})
    current = stored["revision"] if stored else 0
    if current != platform.revision:
        raise Conflict(f"platform {platform.id}", current)
    for holds in held(platform):
        holder = await newest.find_one({"_id": {"$ne": platform.id}, "holds": _held(*holds)}, {"_id": 1})
        if holder:
            party, role = holds
            raise Taken(f"{party} as {role}", holder["_id"])


def _document(platform: Platform) -> Document:
    document: Document = {
        "_id": platform.id,
        "revision": platform.revision,
        "platform": platform_document(platform),
    }
    if holds := [_held(*holds) for holds in held(platform)]:
        document["holds"] = holds
    if platform.issued and not platform.removed:
        document["digests"] = [issued.digest for issued in platform.issued]
    return document


def _held(party: PartyId, role: Role) -> Document:
    return {"country_code": party.country_code, "party_id": party.party_id, "role": role.value}
