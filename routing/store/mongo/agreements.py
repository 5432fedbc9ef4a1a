"""The agreements in MongoDB: beside the platforms, whose revisions they count with (platforms.py).

One that was taken back leaves its revision behind, so that the directory's only ever grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from routing.agreements import Agreement
from routing.store.codec import decode_agreement, encode_agreement
from routing.store.mongo.connection import Database

_PREFIX: Final = "agreement/"


async def load(db: Database) -> Sequence[Agreement]:
    found = (
        await db["platforms"]
        .find({"_id": {"$regex": f"^{_PREFIX}"}, "agreement": {"$ne": None}})
        .sort("_id")
        .to_list(None)
    )
    return [decode_agreement(document["agreement"]) for document in found]


async def save(db: Database, agreement: Agreement) -> None:
    change = {"$inc": {"revision": 1}, "$set": {"agreement": encode_agreement(agreement)}}
    await db["platforms"].update_one({"_id": _PREFIX + agreement.id}, change, upsert=True)


async def remove(db: Database, id: str) -> bool:
    there = {"_id": _PREFIX + id, "agreement": {"$ne": None}}
    result = await db["platforms"].update_one(there, {"$inc": {"revision": 1}, "$set": {"agreement": None}})
    return result.matched_count > 0
