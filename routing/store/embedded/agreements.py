"""The agreements in SQLite: a record a rule, part of the directory and of its revision."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from routing.agreements import Agreement
from routing.store.codec import decode_agreement, encode_agreement


def load(connection: sqlite3.Connection) -> Sequence[Agreement]:
    return [decode_agreement(record) for (record,) in connection.execute("SELECT record FROM agreements ORDER BY id")]


def save(connection: sqlite3.Connection, agreement: Agreement) -> None:
    connection.execute(
        "INSERT INTO agreements (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
        (agreement.id, encode_agreement(agreement)),
    )
    _changed(connection)


def remove(connection: sqlite3.Connection, id: str) -> bool:
    gone = connection.execute("DELETE FROM agreements WHERE id = ?", (id,)).rowcount > 0
    if gone:
        _changed(connection)
    return gone


def _changed(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'directory'")
