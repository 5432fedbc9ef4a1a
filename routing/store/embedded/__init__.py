"""The embedded store engine: one SQLite file, one process, no server."""

from routing.store.embedded.engine import EmbeddedStore

__all__ = ["EmbeddedStore"]
