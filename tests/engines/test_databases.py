"""A database that one test gives back is as new to the next."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient

from tests.engines.databases import Databases


def test_what_is_given_back_is_empty_for_the_next_keeps_its_indexes_and_nobody_is_told_of_the_emptying(
    mongo: str,
) -> None:
    with Databases(mongo) as databases:
        uri = databases.take()
        assert databases.take() != uri
        with MongoClient[dict[str, Any]](uri) as client:
            db = client.get_default_database()
            db["schema"].insert_one({"version": 7})
            db["platforms"].create_index("holds", name="holds")
            for collection in ("platforms", "states"):
                db[collection].insert_many([{"at": number} for number in range(3)])
            databases.give_back(uri)
            since = client.admin.command("hello")["operationTime"]
            assert databases.take() == uri
            assert {name: db[name].count_documents({}) for name in db.list_collection_names()} == {
                "schema": 1, "platforms": 0, "states": 0
            }  # fmt: skip
            assert "holds" in db["platforms"].index_information()
            with db.watch(start_at_operation_time=since, max_await_time_ms=100) as stream:
                assert stream.try_next() is None
    with MongoClient[dict[str, Any]](uri) as client:
        assert client.get_default_database().name not in client.list_database_names()
