"""A mongod that is a replica set of one, so that transactions, change streams and majority writes are there."""

from __future__ import annotations

from typing import Any, ClassVar

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from tests.engines.engine import Engine
from tests.engines.fetch import mongod

_NOT_YET_INITIALIZED = 94


class Mongo(Engine):
    """MongoDB. `address` is a URI without a database; `uri("name")` names one."""

    name: ClassVar[str] = "MongoDB"
    ports_needed: ClassVar[int] = 1
    port_taken: ClassVar[str] = "Address already in use"
    chatter: ClassVar[str] = '"s":"I"'

    @property
    def address(self) -> str:
        return self.uri("")

    def uri(self, database: str) -> str:
        """The URI of one database."""
        return f"mongodb://127.0.0.1:{self.ports[0]}/{database}?replicaSet=rs0&directConnection=false"

    def prepare(self) -> None:
        (self.folder / "data").mkdir()

    def command(self) -> list[str]:
        return [
            str(mongod()), "--dbpath", str(self.folder / "data"), "--port", str(self.ports[0]),
            "--bind_ip", "127.0.0.1", "--replSet", "rs0", "--quiet", "--wiredTigerCacheSizeGB", "0.5",
            "--nounixsocket", "--setParameter", "diagnosticDataCollectionEnabled=false",
        ]  # fmt: skip

    def answers(self) -> bool:
        direct = f"mongodb://127.0.0.1:{self.ports[0]}/?directConnection=true"
        client: MongoClient[dict[str, Any]] = MongoClient(
            direct, serverSelectionTimeoutMS=2000, connectTimeoutMS=2000, socketTimeoutMS=5000
        )
        with client:
            try:
                return self._is_primary(client)
            except PyMongoError:
                return False

    def _is_primary(self, client: MongoClient[dict[str, Any]]) -> bool:
        try:
            client.admin.command("replSetGetStatus")
        except OperationFailure as error:
            if error.code == _NOT_YET_INITIALIZED:
                member = {"_id": 0, "host": f"127.0.0.1:{self.ports[0]}"}
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
        return bool(client.admin.command("hello").get("isWritablePrimary"))
