"""The store on MongoDB: what only it has to do. That it is a store is shown in tests/contract."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from connectors.values import PartyId, Role
from routing.directory import Party, Platform
from routing.log.port import Position
from routing.state import ObjectState, StateKey
from routing.store.codec import platform_of
from routing.store.mongo import MongoStore, connection, platforms, schema
from routing.store.mongo.connection import Connection, Database, Document
from routing.store.port import Selection, StoreAway, Unusable
from tests.engines.databases import database
from tests.engines.mongo import Mongo

KEY = StateKey(PartyId("NL", "TNM"), "locations", "LOC1", "", None)
LONG = 30.0


@pytest.fixture
def uri(mongo: str) -> Iterator[str]:
    with database(mongo) as uri:
        yield uri


@pytest.fixture
def raw(uri: str) -> Iterator[Any]:
    """The database, past the store."""
    client: MongoClient[dict[str, Any]] = MongoClient(uri)
    with client:
        yield client.get_default_database()


@asynccontextmanager
async def opened(uri: str, timeout: float = 2.0) -> AsyncIterator[MongoStore]:
    store = MongoStore(uri, timeout=timeout)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


class Alone(Mongo):
    """A mongod that belongs to no replica set."""

    def uri(self, database: str) -> str:
        return f"mongodb://127.0.0.1:{self.ports[0]}/{database}"

    def command(self) -> list[str]:
        command = super().command()
        at = command.index("--replSet")
        return command[:at] + command[at + 2 :]

    def answers(self) -> bool:
        client: MongoClient[dict[str, Any]] = MongoClient(self.uri(""), serverSelectionTimeoutMS=2000)
        with client:
            try:
                return bool(client.admin.command("hello")["isWritablePrimary"])
            except PyMongoError:
                return False


def state(offset: int, key: StateKey = KEY) -> ObjectState:
    return ObjectState(key, Position(1, offset), "2.2.1", b'{"n": %d}' % offset)


async def _refused_within(call: Callable[[], Awaitable[object]]) -> float:
    """In seconds."""
    began = time.monotonic()
    with pytest.raises(StoreAway, match="MongoDB"):
        await call()
    return time.monotonic() - began


async def until(what: Callable[[], object], seconds: float = LONG) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it took too long"
        await asyncio.sleep(0.02)


# --- when it is away -------------------------------------------------------------------------------------------------


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(own_mongo: Mongo) -> None:
    uri = own_mongo.uri("hub")
    written: dict[StateKey, int] = {}
    saved = 0
    async with opened(uri) as store:
        stop = asyncio.Event()
        awaited = 0

        async def write(writer: int) -> None:
            nonlocal awaited
            offset = 0
            while not stop.is_set():
                offset += 1
                keys = [KEY._replace(object_id=f"L{writer}-{n}") for n in range(20)]
                while True:
                    try:
                        await store.write_states([state(offset, key) for key in keys])
                        break
                    except StoreAway:
                        awaited += 1
                        await asyncio.sleep(0.05)
                written.update(dict.fromkeys(keys, offset))

        async def save() -> None:
            nonlocal saved
            platform = Platform("p1")
            while not stop.is_set():
                try:
                    platform = await store.save_platform(platform)
                    saved = platform.revision
                except StoreAway:
                    break  # nothing is known of it; what was known before must be there

        tasks = [asyncio.create_task(write(n)) for n in range(3)] + [asyncio.create_task(save())]
        for _ in range(2):
            before = sum(written.values())
            await until(lambda before=before: sum(written.values()) > before + 200)  # type: ignore[misc]
            own_mongo.kill()
            await asyncio.to_thread(own_mongo.start)
        before = sum(written.values())
        await until(lambda: sum(written.values()) > before + 200)
        stop.set()
        await asyncio.gather(*tasks)
        assert store.trouble() is None
    async with opened(uri) as store:
        found = await store.read_states(list(written))
        assert {key: found[key].position.offset for key in written} == written
        _, (platform,) = await store.load_platforms()
        assert platform.revision >= saved > 0


@pytest.mark.parametrize("how", ["pause", "kill"])
async def test_a_server_that_is_away_is_told_of_soon_and_comes_back_by_itself(own_mongo: Mongo, how: str) -> None:
    async with opened(own_mongo.uri("hub"), timeout=1) as store:
        told = asyncio.Event()
        store.watch(told.set)
        platform = await store.save_platform(Platform("p1"))
        await asyncio.wait_for(told.wait(), LONG)
        getattr(own_mongo, how)()
        began = time.monotonic()
        calls: list[Callable[[], Awaitable[object]]] = [
            store.load_platforms,
            lambda: store.save_platform(platform),
            lambda: store.read_states([KEY]),
            lambda: store.write_states([state(1)]),
            lambda: store.acquire("probing", "one", 10),
            lambda: store.expire(0, cdrs_before=0),
        ]
        outcomes = await asyncio.gather(*(call() for call in calls[:5] * 4), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreAway}
        assert time.monotonic() - began < 10
        trouble = store.trouble()
        assert trouble is not None
        assert "MongoDB" in trouble
        # Who is known to be away is not asked again and again.
        while await _refused_within(calls[0]) > 0.3:
            assert time.monotonic() - began < LONG
        for call in calls[:5]:
            assert await _refused_within(call) < 0.9
        told.clear()
        if how == "pause":
            own_mongo.go_on()
        else:
            await asyncio.to_thread(own_mongo.start)
        await until(lambda: store.trouble() is None)
        async with opened(own_mongo.uri("hub")) as other:
            _, (platform,) = await other.load_platforms()
            await other.save_platform(platform)
        await asyncio.wait_for(told.wait(), LONG)
        for call in (calls[0], *calls[2:]):
            await call()


async def test_a_silent_server_is_found_out_though_nobody_asks(own_mongo: Mongo) -> None:
    async with opened(own_mongo.uri("hub"), timeout=1) as store:
        own_mongo.pause()
        await until(lambda: store.trouble() is not None)
        own_mongo.go_on()
        await until(lambda: store.trouble() is None)
        own_mongo.kill()
        await until(lambda: store.trouble() is not None)


async def test_a_server_that_answers_is_not_asked_whether_it_does(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PROBE_SECONDS", 0.1)
    clock = asyncio.get_running_loop().time
    answered = [clock()]
    quiet: list[float] = []
    probe = Connection._probe

    async def probed(self: Connection) -> str | None:
        quiet.append(clock() - answered[-1])
        return await probe(self)

    monkeypatch.setattr(Connection, "_probe", probed)
    async with opened(uri) as store:
        ends = clock() + 1
        quiet.clear()
        while clock() < ends:
            await store.list_meta("seen/")
            answered.append(clock())
        await until(lambda: quiet)
    assert min(quiet) > 0.05


async def test_what_asks_the_server_nothing_is_no_sign_of_it(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PROBE_SECONDS", 0.1)
    asked = asyncio.Event()
    probe = Connection._probe

    async def probed(self: Connection) -> str | None:
        asked.set()
        return await probe(self)

    monkeypatch.setattr(Connection, "_probe", probed)
    async with opened(uri) as store:
        asked.clear()
        end = time.monotonic() + 10
        while not asked.is_set():
            assert time.monotonic() < end, "it was not asked whether it is there"
            assert not await store.read_states([])
            assert not await store.claim_marks([])
            assert not await store.find_contract("x" * 1000, None)
            await store.write_states([])
            await asyncio.sleep(0.01)


async def test_closing_does_not_wait_for_a_server_that_says_nothing(own_mongo: Mongo) -> None:
    store = MongoStore(own_mongo.uri("hub"), timeout=1)
    await store.start()
    await store.write_states([state(1)])
    own_mongo.pause()
    began = time.monotonic()
    await store.close()
    assert time.monotonic() - began < 10
    with pytest.raises(StoreAway, match="not open"):
        await store.load_marks()
    own_mongo.go_on()


async def test_who_is_not_there_at_the_start_may_be_there_later(own_mongo: Mongo) -> None:
    own_mongo.kill()
    store = MongoStore(own_mongo.uri("hub"), timeout=0.5)
    with pytest.raises(StoreAway, match=r"MongoDB cannot be reached: 127\.0\.0\.1:\d+: .*refused"):
        await store.start()
    await asyncio.to_thread(own_mongo.start)
    await store.start()
    await store.close()


# --- the directory ---------------------------------------------------------------------------------------------------


async def test_a_watcher_misses_nothing_while_its_stream_was_lost(own_mongo: Mongo) -> None:
    async with opened(own_mongo.uri("hub"), timeout=1) as store:
        told = asyncio.Event()
        store.watch(told.set)
        own_mongo.kill()
        await asyncio.to_thread(own_mongo.start)
        async with opened(own_mongo.uri("hub")) as other:
            await other.save_platform(Platform("p1"))
        await asyncio.wait_for(told.wait(), LONG)


async def test_of_the_directory_only_what_changed_is_read_again(
    own_mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(document: Document) -> Platform:
        made.append(document["id"])
        return platform_of(document)

    monkeypatch.setattr(platforms, "platform_of", counted)
    uri = own_mongo.uri("directory")
    async with opened(uri) as store, opened(uri) as other:
        saved = [await other.save_platform(Platform(f"p{number}")) for number in range(5)]
        assert await store.load_platforms() == (5, saved)
        assert made == [one.id for one in saved]
        made.clear()
        assert await store.load_platforms() == (5, saved)
        saved[3] = await other.save_platform(saved[3])
        assert await store.load_platforms() == (6, saved)
        assert made == ["p3"]


async def test_without_a_replica_set_it_is_looked_each_second(own_mongo: Mongo) -> None:
    alone = Alone(own_mongo.folder / "alone")
    try:
        await asyncio.to_thread(alone.start)
        async with opened(alone.uri("hub")) as store, opened(alone.uri("hub")) as other:
            told = asyncio.Event()
            store.watch(told.set)
            held = Party(PartyId("NL", "TNM"), Role.CPO)
            saved = await other.save_platform(Platform("p1", parties=(held,)))
            await asyncio.wait_for(told.wait(), LONG)
            told.clear()
            assert await store.load_platforms() == (1, [saved])
            await other.save_platform(saved)
            await asyncio.wait_for(told.wait(), LONG)
            await store.write_states([state(1)])
            assert await other.read_states([KEY]) == {KEY: state(1)}
            lease = await store.acquire("probing", "one", 60)
            assert lease is not None
            await store.set_meta("name", b"value", lease=lease)
    finally:
        alone.remove()


# --- its schema ------------------------------------------------------------------------------------------------------


async def test_indexes_are_there_and_what_expires_has_one_that_drops_it(uri: str, raw: Any) -> None:
    async with opened(uri):
        pass
    assert raw["schema"].find_one({"_id": "schema"})["version"] == len(schema.MIGRATIONS)
    indexes = {name: raw[name].index_information() for name in raw.list_collection_names()}
    assert indexes["platforms"]["holds"]["unique"]
    assert indexes["urls"]["expires"]["expireAfterSeconds"] == 0
    assert indexes["marks"]["gone"]["expireAfterSeconds"] > 0


async def test_states_of_an_earlier_schema_are_found_and_listed(uri: str, raw: Any) -> None:
    written = [ObjectState(KEY, Position(1, 1), "2.2.1", body=b"{}", last_updated="2024-03-01T10:00:00Z"), state(2)]
    written[1].key = KEY._replace(object_id="\u00e9")
    async with opened(uri) as store:
        await store.write_states(written)
    for document in list(raw["states"].find()):
        raw["states"].delete_one({"_id": document["_id"]})
        document.pop("m", None)
        raw["states"].insert_one({**document, "_id": document["_id"].encode("latin-1")})
    raw["schema"].update_one({"_id": "schema"}, {"$set": {"version": 1}})
    async with opened(uri) as store:
        assert await store.read_states([one.key for one in written]) == {one.key: one for one in written}
        wanted = Selection(KEY.module, None, (KEY.owner,), before=1_709_287_200_000)
        assert await store.list_states(wanted, limit=9) == written[1:]
        assert await store.list_states(replace(wanted, before=None), limit=9) == written
    assert raw["states"].count_documents({}) == 2


async def test_tokens_of_an_earlier_schema_are_found_by_contract(uri: str, raw: Any) -> None:
    tokens = [state(number, KEY._replace(module="tokens", object_id=f"T{number}")) for number in range(1, 4)]
    for number, token in enumerate(tokens, start=1):
        token.body = b'{"contract_id": "C%d"}' % number
    async with opened(uri) as store:
        await store.write_states(tokens)
    raw["states"].update_many({}, {"$unset": {"c": ""}})
    raw["states"].drop_index("contract")
    raw["schema"].update_one({"_id": "schema"}, {"$set": {"version": 2}})
    async with opened(uri) as store:
        assert await store.find_contract("c2", None) == [KEY.owner]
        assert not await store.find_contract("C4", None)
    assert raw["states"].index_information()["contract"]["key"] == [("c", 1), ("_id", 1)]


async def test_a_schema_from_the_future_is_refused_with_a_sentence(uri: str, raw: Any) -> None:
    async with opened(uri):
        pass
    raw["schema"].update_one({"_id": "schema"}, {"$inc": {"version": 1}})
    with pytest.raises(Unusable, match=r"newer release \(schema \d+, this release knows up to \d+\): run that release"):
        await MongoStore(uri).start()


async def test_the_database_of_somebody_else_is_refused_with_a_sentence(uri: str, raw: Any) -> None:
    raw["platforms"].insert_one({"_id": "theirs"})
    with pytest.raises(Unusable, match="holds a collection platforms that is not of this hub: name another"):
        await MongoStore(uri).start()
    assert [index["name"] for index in raw["platforms"].list_indexes()] == ["_id_"]


async def test_a_migration_that_another_runs_is_waited_for(uri: str) -> None:
    running = asyncio.Event()
    go = asyncio.Event()
    runs: list[str] = []

    async def slow(db: Database) -> None:
        runs.append(db.name)
        running.set()
        await go.wait()

    one, other = Connection(uri, timeout=5), Connection(uri, timeout=5)
    await one.open()
    await other.open()
    try:
        migrations = (*schema.MIGRATIONS, slow)
        first = asyncio.create_task(schema.bring_up_to_date(one, migrations))
        await asyncio.wait_for(running.wait(), LONG)
        second = asyncio.create_task(schema.bring_up_to_date(other, migrations))
        await asyncio.sleep(0.5)
        assert not second.done()
        go.set()
        await asyncio.wait_for(asyncio.gather(first, second), LONG)
        assert len(runs) == 1
    finally:
        await one.close()
        await other.close()


async def test_a_migration_whose_process_ended_is_taken_up_by_another(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_LEASE_SECONDS", 0.5)
    begun = asyncio.Event()

    async def never(db: Database) -> None:
        del db
        begun.set()
        await asyncio.Event().wait()

    async def done(db: Database) -> None:
        await db["meta"].insert_one({"_id": "done"})

    one, other = Connection(uri, timeout=5), Connection(uri, timeout=5)
    await one.open()
    await other.open()
    try:
        dying = asyncio.create_task(schema.bring_up_to_date(one, (*schema.MIGRATIONS, never)))
        await asyncio.wait_for(begun.wait(), LONG)
        dying.cancel()
        await asyncio.wait_for(schema.bring_up_to_date(other, (*schema.MIGRATIONS, done)), LONG)
        assert await other.db["meta"].find_one({"_id": "done"})
    finally:
        await one.close()
        await other.close()


# --- its URI ---------------------------------------------------------------------------------------------------------

SECRETS = ("Sw0rdf1sh", "sw0rdf1sh")


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://user:Sw0rdf1sh@127.0.0.1:notaport/hub",
        "mongodb://user:Sw0rd/f1sh:Sw0rdf1sh@127.0.0.1/hub",
        "mongodb://us@er:Sw0rdf1sh@127.0.0.1/hub",
        "mongodb://user:Sw0rdf1sh@/hub",
        "nosql://user:Sw0rdf1sh@127.0.0.1/hub",
    ],
)
async def test_a_uri_that_is_none_is_refused_and_not_repeated(uri: str) -> None:
    store = MongoStore(uri, timeout=0.5)
    with pytest.raises(Unusable) as refused:
        await store.start()
    shown = f"{refused.value} {refused.value.__cause__} {store!r} {vars(store)}"
    assert "HUB_STORE" in str(refused.value)
    assert not [secret for secret in SECRETS if secret in shown]


async def test_no_warning_repeats_an_option(recwarn: pytest.WarningsRecorder) -> None:
    options = "authMechanism=MONGODB-AWS&authMechanismProperties=Sw0rdf1sh&tlsInsecure=Sw0rdf1sh&other=Sw0rdf1sh"
    with pytest.raises((Unusable, StoreAway)):
        await MongoStore(f"mongodb://127.0.0.1:1/hub?{options}", timeout=0.5).start()
    assert not list(recwarn)


async def test_a_server_that_is_not_there_is_named_without_the_password(
    caplog: pytest.LogCaptureFixture, own_mongo: Mongo
) -> None:
    caplog.set_level(logging.DEBUG)
    store = MongoStore("mongodb://user:Sw0rdf1sh@127.0.0.1:1/hub", timeout=0.5)
    with pytest.raises(StoreAway, match=r"127\.0\.0\.1:1") as away:
        await store.start()
    host = own_mongo.uri("hub").removeprefix("mongodb://")
    with pytest.raises(Unusable, match=r"Authentication failed.*HUB_STORE") as refused:
        await MongoStore(f"mongodb://user:Sw0rdf1sh@{host}&authSource=admin", timeout=2).start()
    shown = f"{away.value} {away.value.__cause__!r} {refused.value} {refused.value.__cause__!r} {caplog.text}"
    assert not [secret for secret in SECRETS if secret in shown]


async def test_a_certificate_file_that_is_not_there_is_said() -> None:
    with pytest.raises(Unusable, match="a file that HUB_STORE names cannot be used: No such file"):
        await MongoStore("mongodb://127.0.0.1:1/hub?tls=true&tlsCAFile=/nowhere/ca.pem", timeout=0.5).start()


async def test_the_database_is_the_path_of_the_uri_else_the_hubs_own(mongo: str) -> None:
    for path, name in (("", "ocpi_hub"), ("elsewhere", "elsewhere")):
        connection = Connection(mongo.replace("/?", f"/{path}?"), timeout=5)
        await connection.open()
        assert connection.db.name == name
        await connection.close()
