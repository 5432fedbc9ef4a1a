"""A look into the store's file without changing it, beside a hub that runs or without one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from routing.store.embedded.records import get_meta
from routing.store.embedded.schema import APPLICATION, FILE, MIGRATIONS
from routing.store.port import StoreAway, Unusable


@dataclass(frozen=True, slots=True)
class Seen:
    """`schema` is None where there is no file yet; `newest` is what this release writes. `meta` was asked for."""

    schema: int | None
    newest: int
    meta: bytes | None


def look(folder: Path, name: str) -> Seen:
    """What is in this folder, with the meta value of `name`. Raises Unusable and StoreAway."""
    path = folder / FILE
    if not path.exists():
        return Seen(None, len(MIGRATIONS), None)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            if application != APPLICATION:
                raise Unusable(f"{path} is a SQLite file, but not a store of this hub: move it away")
            return Seen(version, len(MIGRATIONS), get_meta(connection, name))
    except sqlite3.OperationalError as error:
        raise StoreAway(f"{path} cannot be opened: {error}") from error
    except sqlite3.DatabaseError as error:
        raise Unusable(f"{path} is not a store of this hub, or is damaged ({error}): restore a copy of it") from error
