"""CDR memory and custody in SQLite: a row a CDR and recipient; who is in custody is found by when it is due."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from connectors.values import PartyId
from routing import custody
from routing.custody import Held
from routing.log.port import Position
from routing.store.codec import cdr_key, cdr_key_of
from routing.store.port import CdrKey, CdrRecord, CustodyCount, CustodyWanted

_COLUMNS: Final = "payload, epoch, offset, recorded, http_status, status_code, answer, location, custody"
_NEWER: Final = "(excluded.epoch, excluded.offset, excluded.rank)"
_THERE: Final = "(epoch, offset, rank)"


def read(connection: sqlite3.Connection, key: CdrKey) -> CdrRecord | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM cdrs WHERE key = ?", (cdr_key(key),)).fetchone()  # noqa: S608
    return _record(key, row) if row else None


def write(connection: sqlite3.Connection, record: CdrRecord) -> None:
    fields = _fields(record)
    names = ", ".join(fields)
    marks = ", ".join("?" * len(fields))
    replaced = ", ".join(f"{name} = excluded.{name}" for name in fields if name != "key")
    connection.execute(
        f"INSERT INTO cdrs ({names}) VALUES ({marks}) ON CONFLICT (key) DO UPDATE SET {replaced}"  # noqa: S608
        f" WHERE {_NEWER} > {_THERE} OR ({_NEWER} = {_THERE} AND"
        " (excluded.rank > 0 OR (excluded.custody IS NULL AND custody IS NULL)))",
        tuple(fields.values()),
    )


def step(connection: sqlite3.Connection, record: CdrRecord) -> bool:
    there = read(connection, record.key)
    if there is None:
        return False
    if there == record:
        return True
    if not record.follows(there):
        return False
    fields = _fields(record)
    changed = ", ".join(f"{name} = ?" for name in fields if name != "key")
    values = [value for name, value in fields.items() if name != "key"]
    connection.execute(f"UPDATE cdrs SET {changed} WHERE key = ?", (*values, fields["key"]))  # noqa: S608
    return True


def count(connection: sqlite3.Connection) -> Sequence[CustodyCount]:
    rows = connection.execute(
        "SELECT recipient, held, partition, count(*), min(recorded) FROM cdrs WHERE held IS NOT NULL GROUP BY 1, 2, 3"
    )
    return [
        CustodyCount(PartyId(party[:2], party[2:]), Held(held), partition, found, oldest)
        for party, held, partition, found, oldest in rows.fetchall()
    ]


def select(connection: sqlite3.Connection, wanted: CustodyWanted, limit: int) -> Sequence[CdrRecord]:
    there = ", ".join("?" * len(wanted.partitions))
    due, key = wanted.after or (-1, b"")
    rows = connection.execute(
        f"SELECT key, {_COLUMNS} FROM cdrs WHERE held = ? AND recipient = ? AND due <= ? AND (due, key) > (?, ?)"  # noqa: S608
        f" AND partition IN ({there}) ORDER BY due, key LIMIT ?",
        (wanted.held, "".join(wanted.recipient), wanted.due, due, key, *wanted.partitions, limit),
    )
    return [_record(cdr_key_of(row[0]), row[1:]) for row in rows.fetchall()]


def _fields(record: CdrRecord) -> dict[str, Any]:
    held = record.custody
    (epoch, offset), rank = record.rank
    fields: dict[str, Any] = {
        "key": cdr_key(record.key), "epoch": epoch, "offset": offset, "rank": rank, "recorded": record.recorded,
        "http_status": record.http_status, "status_code": record.status_code, "location": record.location,
        "answer": record.answer, "payload": record.payload, "custody": None, "held": None, "due": None,
        "recipient": None, "partition": None,
    }  # fmt: skip
    if held is not None:
        fields["custody"] = custody.encode(held)
        if record.awaited:
            fields |= {
                "held": held.held.value, "due": held.due, "recipient": "".join(record.key.recipient),
                "partition": held.partition,
            }  # fmt: skip
    return fields


def _record(key: CdrKey, row: tuple[Any, ...]) -> CdrRecord:
    payload, epoch, offset, recorded, http_status, status_code, answer, location, held = row
    position = Position(epoch, offset)
    return CdrRecord(
        key, payload, position, recorded, http_status, status_code, answer, location, custody.decode(held)
    )  # fmt: skip
