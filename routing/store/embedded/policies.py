"""The delivery policies in SQLite: a record a scope, part of the directory and of its revision."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from routing.policies import Policy
from routing.store.codec import decode_policy, encode_policy


def load(connection: sqlite3.Connection) -> Sequence[Policy]:
    return [decode_policy(record) for (record,) in connection.execute("SELECT record FROM policies ORDER BY id")]


def save(connection: sqlite3.Connection, policy: Policy) -> None:
    connection.execute(
        "INSERT INTO policies (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
        (policy.id, encode_policy(policy)),
    )
    _changed(connection)


def remove(connection: sqlite3.Connection, id: str) -> bool:
    gone = connection.execute("DELETE FROM policies WHERE id = ?", (id,)).rowcount > 0
    if gone:
        _changed(connection)
    return gone


def _changed(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'directory'")
