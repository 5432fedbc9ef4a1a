"""A look at a database without changing anything in it: is it there, is it ours, and what time is it there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from routing.store.mongo.connection import Connection, Database
from routing.store.mongo.records import get_meta
from routing.store.mongo.schema import MIGRATIONS, schema_version


@dataclass(frozen=True, slots=True)
class Seen:
    """`schema` is None in a database that no hub used yet; `newest` is what this release writes.

    `replicas` tells whether it is a replica set, without which processes do not hear of one another's changes.
    `ahead` is by how many seconds its clock is at least ahead of this machine's; negative: behind. `meta` is what is
    kept under the name that was asked for.
    """

    schema: int | None
    newest: int
    replicas: bool
    ahead: float
    meta: bytes | None


async def look(uri: str, name: str, *, timeout: float = 5.0) -> Seen:
    """What is at this URI, with the meta value of `name`. Raises Unusable and StoreAway."""
    connection = Connection(uri, timeout=timeout)
    replicas = await connection.open() is not None
    try:
        ahead = await connection.run(_ahead)
        schema = await connection.run(schema_version)
        return Seen(schema, len(MIGRATIONS), replicas, ahead, await connection.run(get_meta, name))
    finally:
        await connection.close()


async def _ahead(db: Database) -> float:
    sent = time.time()
    reply = await db.command("hello")
    answered = time.time()
    told: datetime = reply["localTime"]
    there = told.replace(tzinfo=UTC).timestamp()  # it comes without a zone, and is UTC
    return max(there - answered, 0.0) or min(there - sent, 0.0)
