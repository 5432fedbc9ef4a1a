"""Databases on the MongoDB that all tests share: one of a test's own, and those that tests use one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any, Self

from pymongo import MongoClient

_SCHEMA = "schema"


class Databases:
    """Of one server, `server` being its URI without a database. Each is emptied when it is given back.

    Its collections and indexes stay, and what schema they are at: to make and to drop them is most of what a test of a
    store costs. A test that changes them, or wants to see them made, takes `database`.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._all: list[str] = []
        self._free: list[str] = []

    def take(self) -> str:
        """The URI of an empty one."""
        if not self._free:
            uri = _new(self._server)
            self._all.append(uri)
            return uri
        return self._free.pop()

    def give_back(self, uri: str) -> None:
        """Nobody uses it any more."""
        with _client(uri) as client:
            db = client.get_default_database()
            for name in db.list_collection_names():
                if name != _SCHEMA:
                    db[name].delete_many({})
            # Who follows what changes begins with the last operation of all: that it is none of these.
            client.admin.command("appendOplogNote", data={"emptied": db.name})
        self._free.append(uri)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for uri in self._all:
            drop(uri)


@contextmanager
def database(server: str) -> Iterator[str]:
    """`server` is a URI without a database; gives one with, which is dropped after."""
    uri = _new(server)
    try:
        yield uri
    finally:
        drop(uri)


def drop(uri: str) -> None:
    """The database that it names, if it is there."""
    with _client(uri) as client:
        client.drop_database(client.get_default_database().name)


def _new(server: str) -> str:
    return server.replace("/?", f"/test-{token_hex(6)}?")


def _client(uri: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(uri)
