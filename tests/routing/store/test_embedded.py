"""What only the embedded store can break: kill -9, the file, the threads."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from secrets import token_hex

import pytest

from connectors.authorization import digest
from connectors.values import PartyId
from hub.keys import Keys, check
from hub.sealed import Rewrite, lock
from routing.directory import Issued, Kind, Platform
from routing.log.port import Position
from routing.state import ObjectState, StateKey
from routing.store.embedded import EmbeddedStore
from routing.store.embedded.archive import ARCHIVE_FILE
from routing.store.embedded.schema import FILE, MIGRATIONS
from routing.store.port import Conflict, StoreAway, Unusable

ROOT = Path(__file__).parents[3]
OWNER = PartyId("NL", "TNM")


def state(id: str, offset: int, body: bytes | None = b"{}") -> ObjectState:
    return ObjectState(StateKey(OWNER, "locations", id, "", None), Position(1, offset), "2.2.1", body)


# --- kill -9 ---------------------------------------------------------------------------------------------------------

CHILD = """
import asyncio, sys
from pathlib import Path
from connectors.values import PartyId
from routing.log.port import Position
from routing.state import ObjectState, StateKey
from routing.store.embedded import EmbeddedStore

async def main(folder, first):
    store = EmbeddedStore(Path(folder))
    await store.start()
    async def writer(name):
        key = StateKey(PartyId("NL", "TNM"), "locations", name, "", None)
        offset = first
        while True:
            offset += 1
            await store.write_states([ObjectState(key, Position(1, offset), "2.2.1", b"x" * 1500)])
            print(name, offset, flush=True)
    await asyncio.gather(*(writer(f"L{n}") for n in range(8)))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: dict[str, int] = {}
    for run in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(run * 1_000_000)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for _ in range(200):
            name, offset = child.stdout.readline().split()
            acknowledged[name] = int(offset)
        child.kill()
        # A line cut by the kill is one that nobody was told of.
        for line in child.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                name, offset = line.split()
                acknowledged[name] = int(offset)
        child.wait()
        child.stdout.close()
        store = EmbeddedStore(tmp_path)
        await store.start()
        stored = await store.read_states([state(name, 0).key for name in acknowledged])
        await store.close()
        kept = {key.object_id: found.position.offset for key, found in stored.items()}
        assert len(kept) == 8
        assert {name: offset for name, offset in acknowledged.items() if kept[name] < offset} == {}


# --- the file --------------------------------------------------------------------------------------------------------


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "made")
    await store.start()
    await store.set_meta("name", b"value")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "made").iterdir()}
    await store.close()
    assert set(modes.values()) == {0o600}
    assert FILE in modes


async def test_a_closed_store_is_one_file_and_one_of_its_archive(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    await store.start()
    await store.write_states([state("L1", 1)])
    await store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [ARCHIVE_FILE, FILE]


async def test_a_schema_from_the_future_is_refused_with_a_sentence(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    await store.start()
    await store.close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(Unusable, match=r"newer release \(schema \d+, this release knows up to \d+\): run that release"):
        await EmbeddedStore(tmp_path).start()


async def test_a_file_of_an_older_release_is_brought_up_to_date_and_keeps_its_data(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    await store.start()
    saved = await store.save_platform(Platform("p1"))
    token = state("T1", 1)
    token.key = token.key._replace(module="tokens")
    token.body = b'{"contract_id": "nl-c1"}'
    await store.write_states([state("L1", 1), token])
    await store.close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("DROP INDEX states_contract")
        connection.execute("ALTER TABLE states DROP COLUMN contract")
        for table in ("leases", "set_aside", "agreements", "policies", "letters"):  # what came later
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE marks DROP COLUMN resync")
        connection.execute("DROP INDEX states_position")
        connection.execute("DROP INDEX cdrs_held")
        for column in ("rank", "custody", "held", "due", "recipient", "partition"):
            connection.execute(f"ALTER TABLE cdrs DROP COLUMN {column}")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    await store.start()
    try:
        assert list((await store.load_platforms())[1]) == [saved]
        assert await store.read_states([state("L1", 1).key]) == {state("L1", 1).key: state("L1", 1)}
        assert await store.acquire("probing", "one", 60) is not None
        assert list(await store.load_set_aside(limit=1)) == []
        assert list(await store.load_agreements()) == []
        assert await store.find_contract("NL-C1", token.key.audience) == [token.key.owner]
    finally:
        await store.close()


async def test_the_file_of_somebody_else_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(Unusable, match="not a store of this hub"):
        await EmbeddedStore(tmp_path).start()
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to be looked at" * 50)
    with pytest.raises(Unusable, match="not a store of this hub"):
        await EmbeddedStore(tmp_path).start()


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreAway, match=r"store\.db cannot be opened"):
        await EmbeddedStore(tmp_path / "file").start()


async def test_a_file_that_another_process_holds_is_refused_with_a_sentence(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreAway, match="in use by another process"):
        await EmbeddedStore(tmp_path, busy=0.01).start()
    other.close()


# --- trouble ---------------------------------------------------------------------------------------------------------


async def test_a_write_that_fails_is_away_and_trouble_ends_without_another_call(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, busy=0.01)
    await store.start()
    await store.write_states([state("L1", 1)])
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(
        *(store.write_states([state("L1", offset)]) for offset in (2, 3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [StoreAway, StoreAway]
    assert "locked" in (store.trouble() or "")
    assert len(await store.read_states([state("L1", 1).key])) == 1
    other.execute("ROLLBACK")
    other.close()
    async with asyncio.timeout(10):
        while store.trouble() is not None:
            await asyncio.sleep(0.01)
    await store.close()


async def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    with pytest.raises(StoreAway, match="not open"):
        await store.get_meta("x")
    await store.start()
    await store.close()
    await store.close()
    with pytest.raises(StoreAway, match="not open"):
        await store.set_meta("x", b"")


# --- group commit ----------------------------------------------------------------------------------------------------


async def test_a_write_that_is_refused_does_not_undo_its_neighbours(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    await store.start()
    saved = await store.save_platform(Platform("p1"))
    results = await asyncio.gather(
        store.write_states([state("L1", 1)]),
        store.save_platform(Platform("p1")),
        store.save_platform(saved),
        store.set_meta("name", b"value"),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), Conflict, Platform, type(None)]
    await store.close()
    await store.start()
    assert len(await store.read_states([state("L1", 1).key])) == 1
    assert await store.get_meta("name") == b"value"
    await store.close()


async def test_a_write_that_is_defective_fails_alone_and_leaves_nothing(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    await store.start()
    results = await asyncio.gather(
        store.write_states([state("L1", 1)]),
        store.write_states([*(state(f"N{n}", 1) for n in range(8)), state("N8", 2**64)]),
        store.set_meta("name", b"value"),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), OverflowError, type(None)]
    keys = [state("L1", 1).key, *(state(f"N{n}", 1).key for n in range(9))]
    assert list(await store.read_states(keys)) == [state("L1", 1).key]
    assert await store.get_meta("name") == b"value"
    assert store.trouble() is None
    await store.close()


async def test_what_was_queued_before_close_is_written(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    await store.start()
    writes = [asyncio.ensure_future(store.write_states([state(f"L{n}", 1)])) for n in range(1500)]
    await asyncio.sleep(0)
    await store.close()
    assert all(write.done() for write in writes)
    await asyncio.gather(*writes)
    await store.start()
    assert len(await store.read_states([state(f"L{n}", 1).key for n in range(1500)])) == 1500
    await store.close()


async def test_a_cancelled_caller_does_not_hold_up_the_others(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    await store.start()
    told = asyncio.Event()
    store.watch(told.set)
    cancelled = asyncio.ensure_future(store.save_platform(Platform("p1")))
    await asyncio.sleep(0)
    cancelled.cancel()
    await store.set_meta("name", b"value")
    # It was queued, so it landed; who watches must hear of it although the caller no longer does.
    assert told.is_set()
    assert [p.id for p in (await store.load_platforms())[1]] == ["p1"]
    await store.close()


# --- secrets ---------------------------------------------------------------------------------------------------------


async def test_no_secret_is_in_the_folder_in_any_spelling(tmp_path: Path) -> None:
    ours, theirs, path = (f"canary-{name}-{token_hex(16)}" for name in ("ours", "theirs", "path"))
    keys = Keys({"k": bytes(range(32))})
    store = EmbeddedStore(tmp_path)
    await store.start()
    await check(keys, store)
    issued = (Issued(digest(ours), Kind.ACCESS, created=1),)
    saved = await store.save_platform(Platform("p1", issued=issued, presents=keys.encrypt(theirs.encode(), b"p1")))
    url = f"https://a.example/{path}"
    ref, content = lock(Rewrite("cdr", "p1", "p2", url, 2**40, to=OWNER, sender=OWNER), keys)
    await store.put_url(ref, content, 2**40)

    def found() -> list[str]:
        everything = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert digest(ours).hex().encode() in everything
        return [
            secret
            for secret in (ours, theirs, path, bytes(range(32)).decode())
            for spelling in (secret.encode(), b64encode(secret.encode()), secret.encode().hex().encode())
            if spelling in everything
        ]

    assert found() == []
    assert saved.presents is not None
    assert keys.decrypt(saved.presents, b"p1") == theirs.encode()
    await store.close()
    assert found() == []
