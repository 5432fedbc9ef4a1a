"""Marks, stored URLs, records set aside and meta in SQLite: small records by key."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from routing.log.port import Position, TopicPartition
from routing.store.codec import decode_headers, decode_resync, encode_headers, encode_resync, mark_party, party_of_mark
from routing.store.embedded import leases
from routing.store.port import Conflict, Lease, Mark, SetAside

EXPIRE_ROWS: Final = 500
"""How many records one transaction drops, so that other writes get their turn in between."""

_ASIDE: Final = "SELECT topic, partition, epoch, offset, append_time, at, reason, key, headers, value FROM set_aside"
_WANTED: Final = "(instr(lower(topic), lower(?)) OR instr(lower(reason), lower(?)))"
_HOW_MANY: Final = f"SELECT count(*) FROM set_aside WHERE {_WANTED}"  # noqa: S608 - nothing of a caller goes in


# --- marks -----------------------------------------------------------------------------------------------------------


def load_marks(connection: sqlite3.Connection) -> Sequence[Mark]:
    rows = connection.execute(
        "SELECT platform, topic, partition, party, epoch, offset, since, reason, revision, resync FROM marks"
    ).fetchall()
    return [
        Mark(
            platform, TopicPartition(topic, partition), Position(epoch, offset), since, reason, revision,
            party=party_of_mark(party), **decode_resync(resync),
        )
        for platform, topic, partition, party, epoch, offset, since, reason, revision, resync in rows
    ]  # fmt: skip


def claim_marks(connection: sqlite3.Connection, tps: Collection[TopicPartition]) -> Sequence[Mark]:
    claimed = [replace(mark, revision=_next_revision(connection)) for mark in load_marks(connection) if mark.tp in tps]
    for mark in claimed:
        connection.execute(
            "UPDATE marks SET revision = ? WHERE (platform, topic, partition, party) = (?, ?, ?, ?)",
            (mark.revision, *_mark_key(mark)),
        )
    return claimed


def save_mark(connection: sqlite3.Connection, mark: Mark) -> Mark:
    """Raises Conflict before it writes anything."""
    current = _mark_revision(connection, mark)
    if current != mark.revision:
        raise Conflict(_named(mark), current)
    revision = _next_revision(connection)
    connection.execute(
        "INSERT OR REPLACE INTO marks"
        " (platform, topic, partition, party, epoch, offset, since, reason, revision, resync)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*_mark_key(mark), *mark.position, mark.since, mark.reason, revision, encode_resync(mark)),
    )
    return replace(mark, revision=revision)


def remove_mark(connection: sqlite3.Connection, mark: Mark) -> None:
    """Raises Conflict before it writes anything."""
    current = _mark_revision(connection, mark)
    if current not in (0, mark.revision):
        raise Conflict(_named(mark), current)
    connection.execute("DELETE FROM marks WHERE (platform, topic, partition, party) = (?, ?, ?, ?)", _mark_key(mark))


def _next_revision(connection: sqlite3.Connection) -> int:
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'marks'")
    (revision,) = connection.execute("SELECT value FROM counters WHERE name = 'marks'").fetchone()
    return int(revision)


def _mark_revision(connection: sqlite3.Connection, mark: Mark) -> int:
    row = connection.execute(
        "SELECT revision FROM marks WHERE (platform, topic, partition, party) = (?, ?, ?, ?)", _mark_key(mark)
    ).fetchone()
    return row[0] if row else 0


def _mark_key(mark: Mark) -> tuple[str, str, int, str]:
    return mark.platform, *mark.tp, mark_party(mark)


def _named(mark: Mark) -> str:
    return f"the mark of {mark.platform} in {mark.tp.topic}/{mark.tp.partition}"


# --- rewritten URLs --------------------------------------------------------------------------------------------------


def put_url(connection: sqlite3.Connection, ref: str, content: bytes, expires: int) -> None:
    connection.execute(
        "INSERT INTO urls (ref, content, expires) VALUES (?, ?, ?)"
        " ON CONFLICT (ref) DO UPDATE SET content = excluded.content, expires = excluded.expires",
        (ref, content, expires),
    )


def get_url(connection: sqlite3.Connection, ref: str, now: int) -> bytes | None:
    row = connection.execute("SELECT content FROM urls WHERE ref = ? AND expires > ?", (ref, now)).fetchone()
    return row[0] if row else None


def expire(connection: sqlite3.Connection, now: int, cdrs_before: int) -> int:
    """Drops up to EXPIRE_ROWS of each kind; returns how many in all."""
    urls = connection.execute(
        "DELETE FROM urls WHERE id IN (SELECT id FROM urls WHERE expires <= ? LIMIT ?)", (now, EXPIRE_ROWS)
    )
    cdrs = connection.execute(
        "DELETE FROM cdrs WHERE id IN (SELECT id FROM cdrs WHERE recorded < ? AND due IS NULL LIMIT ?)",
        (cdrs_before, EXPIRE_ROWS),
    )
    aside = connection.execute(
        "DELETE FROM set_aside WHERE id IN (SELECT id FROM set_aside WHERE at < ? LIMIT ?)", (cdrs_before, EXPIRE_ROWS)
    )
    letters = connection.execute(
        "DELETE FROM letters WHERE id IN (SELECT id FROM letters WHERE at < ? LIMIT ?)", (cdrs_before, EXPIRE_ROWS)
    )
    return urls.rowcount + cdrs.rowcount + aside.rowcount + letters.rowcount


# --- records set aside -----------------------------------------------------------------------------------------------


def set_aside(connection: sqlite3.Connection, record: SetAside) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO set_aside"
        " (topic, partition, epoch, offset, append_time, at, reason, key, headers, value)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *record.tp,
            *record.position,
            record.append_time,
            record.at,
            record.reason,
            record.key,
            encode_headers(record.headers),
            record.value,
        ),
    )


def load_set_aside(connection: sqlite3.Connection, limit: int, offset: int, wanted: str) -> Sequence[SetAside]:
    rows = connection.execute(
        f"{_ASIDE} WHERE {_WANTED} ORDER BY at DESC, epoch DESC, offset DESC LIMIT ? OFFSET ?",
        (wanted, wanted, limit, offset),
    )
    return [_aside(row) for row in rows.fetchall()]


def count_set_aside(connection: sqlite3.Connection, wanted: str) -> int:
    found = connection.execute(_HOW_MANY, (wanted, wanted)).fetchone()
    return int(found[0])


def read_set_aside(connection: sqlite3.Connection, tp: TopicPartition, offset: int) -> SetAside | None:
    row = connection.execute(
        f"{_ASIDE} WHERE (topic, partition, offset) = (?, ?, ?) ORDER BY epoch DESC LIMIT 1", (*tp, offset)
    ).fetchone()
    return _aside(row) if row else None


def _aside(row: tuple[Any, ...]) -> SetAside:
    topic, partition, epoch, offset, append_time, at, reason, key, headers, value = row
    tp, position = TopicPartition(topic, partition), Position(epoch, offset)
    return SetAside(tp, position, append_time, at, reason, key, decode_headers(headers), value)


# --- meta ------------------------------------------------------------------------------------------------------------


def get_meta(connection: sqlite3.Connection, name: str) -> bytes | None:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def list_meta(connection: sqlite3.Connection, prefix: str) -> dict[str, bytes]:
    rows = connection.execute(
        "SELECT name, value FROM meta WHERE name >= ? AND substr(name, 1, ?) = ?", (prefix, len(prefix), prefix)
    )
    return dict(rows.fetchall())


def remove_meta(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("DELETE FROM meta WHERE name = ?", (name,))


def set_meta(connection: sqlite3.Connection, name: str, value: bytes, lease: Lease | None) -> None:
    """Raises LeaseLost before it writes anything."""
    if lease is not None:
        leases.demand(connection, lease)
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))


def add_meta(connection: sqlite3.Connection, name: str, value: bytes, after: bytes | None) -> bytes:
    stored = get_meta(connection, name)
    if stored != after:
        return stored or b""
    set_meta(connection, name, value, None)
    return value
