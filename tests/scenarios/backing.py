"""What stands behind the hub of a scenario: its own data folder, or a Kafka and a MongoDB that all hubs share.

There each hub has topics of a prefix of its own, few partitions, and a database of its own. The topics go with it; so
does the database, or it is emptied for the next hub.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex
from typing import Any, Final, Protocol, TypeVar

import bson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pymongo import MongoClient

from routing.topics import ALL
from tests.engines.databases import Databases, drop
from tests.engines.kafka import Kafka
from tests.engines.mongo import Mongo
from tests.scenarios import nursery

PARTITIONS: Final = 2
SESSION_SECONDS: Final = 2
"""A hub that was killed is a member of its group for so long; the next one waits for that."""


T = TypeVar("T")


class Backing(Protocol):
    """Of one hub."""

    def settings(self) -> Mapping[str, object]:
        """HUB_ variables without the prefix, in lower case."""

    def prepare(self, environment: Mapping[str, str]) -> None:
        """Before the first start; `environment` is that of the hub's process."""

    def contents(self) -> Mapping[str, Iterable[bytes]]:
        """Everything that it keeps, by place: where credentials are looked for."""

    def drop(self) -> None:
        """The hub is gone for good."""


class OwnFolder:
    """The embedded engine: all is in the data folder, which the hub's scenario looks after itself."""

    def settings(self) -> Mapping[str, object]:
        return {}

    def prepare(self, environment: Mapping[str, str]) -> None:
        """Nothing to do."""

    def contents(self) -> Mapping[str, Iterable[bytes]]:
        return {}

    def drop(self) -> None:
        """Nothing to do."""


class OnEngines:
    """Kafka and MongoDB, running. A database is taken from `databases`, if such are given, and given back to them."""

    def __init__(self, kafka: Kafka, mongo: Mongo, databases: Databases | None = None) -> None:
        self.kafka, self.mongo = kafka, mongo
        name = f"scenario-{token_hex(4)}"
        self._prefix = f"{name}."
        self._databases = databases
        self._uri = mongo.uri(name) if databases is None else databases.take()
        self._prepared = self._dropped = False

    def settings(self) -> Mapping[str, object]:
        return {
            "log": f"kafka://{self.kafka.address}?single_node=true&prefix={self._prefix}",
            "store": self._uri,
            "session_seconds": SESSION_SECONDS,
        }

    def prepare(self, environment: Mapping[str, str]) -> None:
        """`ocpi-hub topics create`, as an operator does it. Raises AssertionError with what it said."""
        if self._prepared:
            return
        words = ("topics", "create", "--single-node", "--partitions", str(PARTITIONS))
        code, *said = nursery.run(words, environment)
        assert code == 0, said
        self._prepared = True

    def contents(self) -> Mapping[str, Iterable[bytes]]:
        if not self._prepared:
            return {}
        return {"a topic": _run(self._records()), "the database": self._documents()}

    def drop(self) -> None:
        if self._dropped:  # a test may end its hub before the fixture does
            return
        self._dropped = True
        if self._databases is None:
            drop(self._uri)
        else:
            self._databases.give_back(self._uri)
        if self._prepared:
            _run(self._delete_topics())

    # --- inside ------------------------------------------------------------------------------------------------------

    def _documents(self) -> Iterator[bytes]:
        with MongoClient[dict[str, Any]](self._uri) as client:
            database = client.get_default_database()
            for collection in database.list_collection_names():
                for document in database[collection].find():
                    yield bson.encode(document)

    async def _records(self) -> list[bytes]:
        found: list[bytes] = []
        tps = [TopicPartition(self._prefix + name, number) for name in ALL for number in range(PARTITIONS)]
        reader = AIOKafkaConsumer(bootstrap_servers=self.kafka.address, enable_auto_commit=False)
        await reader.start()
        try:
            ends = {tp: end for tp, end in (await reader.end_offsets(tps)).items() if end}
            reader.assign(list(ends))
            for tp in ends:
                await reader.seek_to_beginning(tp)
            while any([await reader.position(tp) < end for tp, end in ends.items()]):
                for records in (await reader.getmany(timeout_ms=500)).values():
                    for record in records:
                        found += [record.key or b"", record.value or b"", *(value for _, value in record.headers)]
        finally:
            await reader.stop()
        return found

    async def _delete_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.address)
        await admin.start()
        try:
            await admin.delete_topics([self._prefix + name for name in ALL])
        finally:
            await admin.close()


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Its result; beside the loop that the test may be running on."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
