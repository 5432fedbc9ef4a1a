"""The collections and their indexes, and how they came to be: one migration after the other, each idempotent.

One process migrates, under a lease; the others wait for it. What the database is at stands in the collection `schema`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from secrets import token_hex
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from routing.store.codec import moment
from routing.store.mongo import archive, cdrs, deadletters, leases, states
from routing.store.mongo.connection import Connection, Database
from routing.store.port import Lease, Unusable

MIGRATION_SECONDS: Final = 3600.0
"""How long one migration may take: an index on many states is not built in a moment."""

_LEASE: Final = "migration"
_LEASE_SECONDS: Final = 10.0
_RENEW_SECONDS: Final = 3.0
_WAIT_SECONDS: Final = 0.1
_KEEP_GONE_SECONDS: Final = 86_400
_AT_ONCE: Final = 1000

_OURS: Final = frozenset(
    (
        "platforms",
        "states",
        "cdrs",
        "marks",
        "urls",
        "set_aside",
        "meta",
        archive.EXCHANGES,
        archive.BODIES,
        deadletters.LETTERS,
    )
)


async def _first(db: Database) -> None:
    # Sparse: an index takes an empty list for a value, and would let one platform without parties be there.
    await db["platforms"].create_indexes(
        [
            IndexModel([("holds", ASCENDING)], name="holds", unique=True, sparse=True),
            IndexModel([("digests", ASCENDING)], name="digests", sparse=True),
        ]
    )
    await db["cdrs"].create_indexes([IndexModel([("recorded", ASCENDING)], name="recorded")])
    await db["marks"].create_indexes(
        [IndexModel([("gone", ASCENDING)], name="gone", expireAfterSeconds=_KEEP_GONE_SECONDS)]
    )
    await db["urls"].create_indexes([IndexModel([("expires", ASCENDING)], name="expires", expireAfterSeconds=0)])
    await db["set_aside"].create_indexes(
        [IndexModel([("at", DESCENDING), ("epoch", DESCENDING), ("offset", DESCENDING)], name="newest")]
    )


async def _states_in_order(db: Database) -> None:
    """Keys of states were bytes, which the server puts in order by their length first; dates were text only."""
    states = db["states"]
    while old := await states.find({"_id": {"$type": "binData"}}).limit(_AT_ONCE).to_list(None):
        for document in old:
            new = {**document, "_id": document["_id"].decode("latin-1")}
            if (updated := moment(document.get("u"))) is not None:
                new["m"] = updated
            await states.replace_one({"_id": new["_id"]}, new, upsert=True)
        await states.delete_many({"_id": {"$in": [document["_id"] for document in old]}})


async def _states_by_position(db: Database) -> None:
    await db["states"].create_indexes([IndexModel([("p", ASCENDING)], name=states.BY_POSITION)])


Migration = Callable[[Database], Awaitable[None]]

MIGRATIONS: Final[tuple[Migration, ...]] = (
    _first,
    _states_in_order,
    states.note_contracts,
    archive.make_indexes,
    _states_by_position,
    deadletters.make_indexes,
    cdrs.make_indexes,
)


async def bring_up_to_date(connection: Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Back when the schema is the one that this release knows, whoever made it so.

    Raises Unusable for a database of a newer release or of somebody else, and StoreAway.
    """
    holder = token_hex(8)
    while True:
        version = await connection.run(schema_version)
        if version is not None and version > len(migrations):
            raise Unusable(
                f"the database was written by a newer release (schema {version}, this release knows up to"
                f" {len(migrations)}): run that release, or restore the copy made before the upgrade"
            )
        if version == len(migrations):
            return
        lease = await connection.run(leases.acquire, _LEASE, holder, _LEASE_SECONDS)
        if lease is None:
            await asyncio.sleep(_WAIT_SECONDS)
            continue
        renewing = asyncio.create_task(_renew_often(connection, lease), name="mongo-migration")
        try:
            await _migrate(connection, migrations)
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        await connection.run(leases.release, lease)


async def _migrate(connection: Connection, migrations: tuple[Migration, ...]) -> None:
    version = await connection.run(schema_version)
    if version is None:
        await connection.run(_begin)
        version = 0
    for number, migration in enumerate(migrations[version:], start=version + 1):
        await connection.run_long(MIGRATION_SECONDS, migration)
        await connection.run(_reached, number)


async def schema_version(db: Database) -> int | None:
    """How many migrations the database has behind it; None where no hub used it yet."""
    found = await db["schema"].find_one({"_id": "schema"})
    return None if found is None else int(found["version"])


async def _begin(db: Database) -> None:
    theirs = _OURS.intersection(await db.list_collection_names())
    if theirs:
        raise Unusable(
            f"the database {db.name} holds a collection {min(theirs)} that is not of this hub: name another database"
            " in HUB_STORE, as in mongodb://host:port/another"
        )
    try:
        await db["schema"].insert_one({"_id": "schema", "version": 0})
    except DuplicateKeyError:
        return  # one whose lease ended had begun


async def _reached(db: Database, version: int) -> None:
    await db["schema"].update_one({"_id": "schema", "version": {"$lt": version}}, {"$set": {"version": version}})


async def _renew_often(connection: Connection, lease: Lease) -> None:
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        await connection.run(leases.renew, lease, _LEASE_SECONDS)
