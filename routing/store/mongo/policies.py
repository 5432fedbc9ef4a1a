"""The delivery policies in MongoDB: beside the platforms, whose revisions they count with (platforms.py).

One that was taken back leaves its revision behind, so that the directory's only ever grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from routing.policies import Policy
from routing.store.codec import decode_policy, encode_policy
from routing.store.mongo.connection import Database

_PREFIX: Final = "policy/"


async def load(db: Database) -> Sequence[Policy]:
    found = (
        await db["platforms"]
        .find({"_id": {"$regex": f"^{_PREFIX}"}, "policy": {"$ne": None}})
        .sort("_id")
        .to_list(None)
    )
    return [decode_policy(document["policy"]) for document in found]


async def save(db: Database, policy: Policy) -> None:
    change = {"$inc": {"revision": 1}, "$set": {"policy": encode_policy(policy)}}
    await db["platforms"].update_one({"_id": _PREFIX + policy.id}, change, upsert=True)


async def remove(db: Database, id: str) -> bool:
    there = {"_id": _PREFIX + id, "policy": {"$ne": None}}
    result = await db["platforms"].update_one(there, {"$inc": {"revision": 1}, "$set": {"policy": None}})
    return result.matched_count > 0
