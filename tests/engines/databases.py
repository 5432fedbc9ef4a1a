"""A database of a test's own on the MongoDB that all tests share, dropped after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

from pymongo import MongoClient


@contextmanager
def database(server: str) -> Iterator[str]:
    """`server` is a URI without a database; gives one with."""
    name = f"test-{token_hex(6)}"
    uri = server.replace("/?", f"/{name}?")
    try:
        yield uri
    finally:
        client: MongoClient[dict[str, Any]] = MongoClient(uri)
        with client:
            client.drop_database(name)
