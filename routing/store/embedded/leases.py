"""Leases in SQLite. The store's clock is this machine's: UTC milliseconds."""

from __future__ import annotations

import sqlite3
import time

from routing.store.port import Lease, LeaseLost


def acquire(connection: sqlite3.Connection, name: str, holder: str, seconds: float) -> Lease | None:
    now = _now()
    row = connection.execute("SELECT generation, ends FROM leases WHERE name = ?", (name,)).fetchone()
    generation, ends = row or (0, now)
    if ends > now:
        return None
    # The record of a lease that ended stays, because its generation must go on growing.
    connection.execute(
        "INSERT OR REPLACE INTO leases (name, holder, generation, ends) VALUES (?, ?, ?, ?)",
        (name, holder, generation + 1, now + _ms(seconds)),
    )
    return Lease(name, holder, generation + 1)


def renew(connection: sqlite3.Connection, lease: Lease, seconds: float) -> bool:
    if not _held(connection, lease):
        return False
    connection.execute("UPDATE leases SET ends = ? WHERE name = ?", (_now() + _ms(seconds), lease.name))
    return True


def release(connection: sqlite3.Connection, lease: Lease) -> None:
    connection.execute("UPDATE leases SET ends = 0 WHERE (name, generation) = (?, ?)", (lease.name, lease.generation))


def demand(connection: sqlite3.Connection, lease: Lease) -> None:
    """Raises LeaseLost unless it is held now."""
    if not _held(connection, lease):
        raise LeaseLost(lease)


def _held(connection: sqlite3.Connection, lease: Lease) -> bool:
    row = connection.execute("SELECT generation, ends FROM leases WHERE name = ?", (lease.name,)).fetchone()
    return row is not None and row[0] == lease.generation and row[1] > _now()


def _now() -> int:
    return time.time_ns() // 1_000_000


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
