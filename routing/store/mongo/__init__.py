"""The store at scale: MongoDB, by motor. Nothing outside this package imports motor, pymongo or bson."""

from routing.store.mongo.engine import MongoStore

__all__ = ["MongoStore"]
