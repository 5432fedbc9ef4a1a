"""The file `store.db`: how it is opened, and how its schema came to be, one migration after the other."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from routing.store.port import StoreAway, Unusable

FILE: Final = "store.db"

APPLICATION: Final = 0x4F435049  # "OCPI" in the file's header, so that `file` and we know it
_WRITER_CACHE_KIB: Final = 16 * 1024
_READER_CACHE_KIB: Final = 4 * 1024
# A page that is written again and again goes back into the file once a checkpoint, so checkpoints are made rare.
_CHECKPOINT_PAGES: Final = 4096
_WAL_BYTES_KEPT: Final = 32 * 1024 * 1024

# States and CDRs are rowid tables with an index of their own: a body of 1.5 KB in a table without rowids would go
# to overflow pages, rewritten whole at each update. The rest is small, and lies in its key's own order.
Migrations = tuple[tuple[str, ...], ...]

MIGRATIONS: Final[Migrations] = (
    (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO counters (name, value) VALUES ('directory', 0), ('marks', 0)",
        "CREATE TABLE platforms (id TEXT PRIMARY KEY, revision INTEGER NOT NULL, record BLOB NOT NULL)",
        "CREATE TABLE credentials (digest BLOB PRIMARY KEY, platform TEXT NOT NULL) WITHOUT ROWID",
        "CREATE INDEX credentials_platform ON credentials (platform)",
        """CREATE TABLE parties (
            country_code TEXT, party_id TEXT, role TEXT, platform TEXT NOT NULL,
            PRIMARY KEY (country_code, party_id, role)
        ) WITHOUT ROWID""",
        "CREATE INDEX parties_platform ON parties (platform)",
        """CREATE TABLE states (
            id INTEGER PRIMARY KEY, key BLOB NOT NULL, epoch INTEGER NOT NULL, offset INTEGER NOT NULL,
            base_epoch INTEGER, base_offset INTEGER, flags INTEGER NOT NULL, version TEXT NOT NULL,
            last_updated TEXT, parts BLOB, body BLOB
        )""",
        "CREATE UNIQUE INDEX states_key ON states (key)",
        """CREATE TABLE cdrs (
            id INTEGER PRIMARY KEY, key BLOB NOT NULL, epoch INTEGER NOT NULL, offset INTEGER NOT NULL,
            recorded INTEGER NOT NULL, http_status INTEGER, status_code INTEGER, location TEXT,
            answer BLOB NOT NULL, payload BLOB NOT NULL
        )""",
        "CREATE UNIQUE INDEX cdrs_key ON cdrs (key)",
        "CREATE INDEX cdrs_recorded ON cdrs (recorded)",
        """CREATE TABLE marks (
            platform TEXT, topic TEXT, partition INTEGER, epoch INTEGER NOT NULL, offset INTEGER NOT NULL,
            since INTEGER NOT NULL, reason TEXT NOT NULL, revision INTEGER NOT NULL,
            PRIMARY KEY (platform, topic, partition)
        ) WITHOUT ROWID""",
        """CREATE TABLE urls (
            id INTEGER PRIMARY KEY, ref TEXT NOT NULL, expires INTEGER NOT NULL, content BLOB NOT NULL
        )""",
        "CREATE UNIQUE INDEX urls_ref ON urls (ref)",
        "CREATE INDEX urls_expires ON urls (expires)",
    ),
    (
        """CREATE TABLE leases (
            name TEXT PRIMARY KEY, holder TEXT NOT NULL, generation INTEGER NOT NULL, ends INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE set_aside (
            id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL,
            offset INTEGER NOT NULL, append_time INTEGER NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL,
            key BLOB NOT NULL, headers BLOB NOT NULL, value BLOB NOT NULL
        )""",
        "CREATE UNIQUE INDEX set_aside_position ON set_aside (topic, partition, epoch, offset)",
        "CREATE INDEX set_aside_at ON set_aside (at)",
    ),
    ("CREATE TABLE agreements (id TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID",),
    (
        "ALTER TABLE states ADD COLUMN contract BLOB",
        """UPDATE states SET contract = CAST(upper(json_extract(CAST(body AS TEXT), '$.contract_id')) AS BLOB)
            WHERE key > x'746f6b656e7300' AND key < x'746f6b656e7301' -- tokens
            AND flags & 2 = 0 AND json_valid(CAST(body AS TEXT))""",
        "CREATE INDEX states_contract ON states (contract, key) WHERE contract IS NOT NULL",
    ),
    (
        "ALTER TABLE marks ADD COLUMN resync BLOB",
        "CREATE INDEX states_position ON states (epoch, offset)",
    ),
    ("CREATE TABLE policies (id TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID",),
    (
        """CREATE TABLE letters (
            id TEXT PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL, module TEXT NOT NULL, owner TEXT NOT NULL,
            sender TEXT NOT NULL, recipient TEXT NOT NULL, version INTEGER NOT NULL, redriven INTEGER,
            record BLOB NOT NULL, body BLOB NOT NULL
        )""",
        "CREATE INDEX letters_at ON letters (at, id)",
    ),
    (
        "ALTER TABLE marks RENAME TO former_marks",
        """CREATE TABLE marks (
            platform TEXT, topic TEXT, partition INTEGER, party TEXT, epoch INTEGER NOT NULL, offset INTEGER NOT NULL,
            since INTEGER NOT NULL, reason TEXT NOT NULL, revision INTEGER NOT NULL, resync BLOB,
            PRIMARY KEY (platform, topic, partition, party)
        ) WITHOUT ROWID""",
        """INSERT INTO marks
            SELECT platform, topic, partition, '', epoch, offset, since, reason, revision, resync FROM former_marks""",
        "DROP TABLE former_marks",
    ),
    (
        "ALTER TABLE cdrs ADD COLUMN rank INTEGER NOT NULL DEFAULT 0",
        """UPDATE cdrs SET rank = CASE WHEN status_code BETWEEN 1000 AND 1999 THEN 2 ELSE 1 END
            WHERE status_code IS NOT NULL""",
        "ALTER TABLE cdrs ADD COLUMN custody BLOB",
        "ALTER TABLE cdrs ADD COLUMN held TEXT",
        "ALTER TABLE cdrs ADD COLUMN due INTEGER",
        "ALTER TABLE cdrs ADD COLUMN recipient TEXT",
        "ALTER TABLE cdrs ADD COLUMN partition INTEGER",
        "CREATE INDEX cdrs_held ON cdrs (held, recipient, due, key, partition) WHERE held IS NOT NULL",
    ),
)


def open_writer(
    path: Path, busy: float, migrations: Migrations = MIGRATIONS, *, cache_kib: int = _WRITER_CACHE_KIB
) -> sqlite3.Connection:
    """The connection that writes, the schema brought up to date; `busy` is how long to wait for a lock, seconds.

    Raises Unusable for a file that is not ours or from a newer release, StoreAway when it is locked or the disk fails.
    """
    try:
        _make(path)
        connection = _connect(path, busy, cache_kib)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit={_WAL_BYTES_KEPT}")
            _migrate(connection, path, migrations)
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreAway(f"{path} is in use by another process: stop that one first") from error
        raise StoreAway(f"{path} cannot be opened: {error}") from error
    except sqlite3.DatabaseError as error:
        raise Unusable(f"{path} is not a store of this hub, or is damaged ({error}): restore a copy of it") from error
    except OSError as error:
        raise StoreAway(f"{path} cannot be opened: {error.strerror}") from error
    return connection


def open_reader(path: Path, busy: float, *, cache_kib: int = _READER_CACHE_KIB) -> sqlite3.Connection:
    """A connection that only reads; the file must have been opened by open_writer before. Raises StoreAway."""
    try:
        connection = _connect(path, busy, cache_kib)
        connection.execute("PRAGMA query_only=ON")
    except sqlite3.Error as error:
        raise StoreAway(f"{path} cannot be opened: {error}") from error
    return connection


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # SQLite gives its files beside this one the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _connect(path: Path, busy: float, cache_kib: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA cache_size=-{cache_kib}")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Migrations) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and application != APPLICATION:
            raise Unusable(f"{path} is a SQLite file, but not a store of this hub: move it away")
        if version > len(migrations):
            raise Unusable(
                f"{path} was written by a newer release (schema {version}, this release knows up to "
                f"{len(migrations)}): run that release, or restore the copy made before the upgrade"
            )
        for migration in migrations[version:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION}")
        connection.execute(f"PRAGMA user_version={len(migrations)}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
