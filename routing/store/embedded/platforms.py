"""The directory in SQLite: a record a platform, and beside it who holds which party and which credential."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from routing.directory import Platform
from routing.store.codec import decode_platform, encode_platform, held
from routing.store.embedded import leases
from routing.store.port import Conflict, Lease, Taken


def load(connection: sqlite3.Connection) -> tuple[int, Sequence[Platform]]:
    connection.execute("BEGIN")  # the revision and the records of one moment
    (revision,) = connection.execute("SELECT value FROM counters WHERE name = 'directory'").fetchone()
    records = connection.execute("SELECT record FROM platforms ORDER BY rowid").fetchall()
    connection.execute("COMMIT")
    return revision, [decode_platform(record) for (record,) in records]


def save(connection: sqlite3.Connection, platform: Platform, lease: Lease | None) -> Platform:
    """Checks everything before it writes anything. Raises LeaseLost, Conflict and Taken."""
    if lease is not None:
        leases.demand(connection, lease)
    id = platform.id
    row = connection.execute("SELECT revision FROM platforms WHERE id = ?", (id,)).fetchone()
    current: int = row[0] if row else 0
    if current != platform.revision:
        raise Conflict(f"platform {id}", current)
    holds = [(*party, role.value) for party, role in held(platform)]
    for party in holds:
        row = connection.execute(
            "SELECT platform FROM parties WHERE (country_code, party_id, role) = (?, ?, ?) AND platform <> ?",
            (*party, id),
        ).fetchone()
        if row:
            raise Taken("{}-{} as {}".format(*party), row[0])
    saved = replace(platform, revision=current + 1)
    connection.execute(
        "INSERT INTO platforms (id, revision, record) VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, record = excluded.record",
        (id, saved.revision, encode_platform(saved)),
    )
    connection.execute("DELETE FROM parties WHERE platform = ?", (id,))
    connection.executemany("INSERT INTO parties VALUES (?, ?, ?, ?)", [(*party, id) for party in holds])
    connection.execute("DELETE FROM credentials WHERE platform = ?", (id,))
    if not platform.removed:
        connection.executemany(
            "INSERT OR REPLACE INTO credentials VALUES (?, ?)", [(issued.digest, id) for issued in platform.issued]
        )
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'directory'")
    return saved


def find(connection: sqlite3.Connection, digest: bytes) -> Platform | None:
    row = connection.execute(
        "SELECT record FROM platforms WHERE id = (SELECT platform FROM credentials WHERE digest = ?)", (digest,)
    ).fetchone()
    return decode_platform(row[0]) if row else None
