"""Leases in MongoDB. The store's clock is the primary's own, read by the server as it writes (`$$NOW`)."""

from __future__ import annotations

from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

from pymongo import ReturnDocument

from routing.store.mongo.connection import Database, Document
from routing.store.port import Lease, LeaseLost

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def acquire(db: Database, name: str, holder: str, seconds: float) -> Lease | None:
    # One update that always matches, so that it may insert: what it finds free it takes, else it leaves all as it is.
    # Whether it took is told by a mark of this attempt alone, which also holds if the update was sent twice.
    attempt = token_hex(8)

    def if_free(taken: object, field: str) -> dict[str, Any]:
        return {"$cond": ["$free", taken, f"${field}"]}

    after: Document = await db["leases"].find_one_and_update(
        {"_id": name},
        [
            {"$set": {"free": {"$lte": [{"$ifNull": ["$ends", _LONG_AGO]}, "$$NOW"]}}},
            {
                "$set": {
                    "holder": if_free({"$literal": holder}, "holder"),
                    "attempt": if_free(attempt, "attempt"),
                    "generation": if_free({"$add": [{"$ifNull": ["$generation", 0]}, 1]}, "generation"),
                    "ends": if_free(_in(seconds), "ends"),
                }
            },
            {"$unset": "free"},
        ],
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return Lease(name, holder, after["generation"]) if after["attempt"] == attempt else None


async def renew(db: Database, lease: Lease, seconds: float) -> bool:
    result = await db["leases"].update_one(_held(lease), [{"$set": {"ends": _in(seconds)}}])
    return bool(result.matched_count)


async def release(db: Database, lease: Lease) -> None:
    await db["leases"].update_one(
        {"_id": lease.name, "generation": lease.generation}, [{"$set": {"ends": {"$min": ["$ends", "$$NOW"]}}}]
    )


async def demand(db: Database, lease: Lease) -> None:
    """Raises LeaseLost unless it is held now.

    Between this and the write that it allows the lease may end. What is written is therefore conditional as well on
    a record that nobody of a later generation has written.
    """
    if await db["leases"].find_one(_held(lease), {"_id": 1}) is None:
        raise LeaseLost(lease)


def _held(lease: Lease) -> Document:
    return {"_id": lease.name, "generation": lease.generation, "$expr": {"$gt": ["$ends", "$$NOW"]}}


def _in(seconds: float) -> Document:
    return {"$add": ["$$NOW", round(seconds * 1000)]}
