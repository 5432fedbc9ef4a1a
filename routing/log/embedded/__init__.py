"""The embedded engine of the log: a SQLite file in a folder that one process has for itself."""

from routing.log.embedded.file import LogLocked
from routing.log.embedded.log import EmbeddedLog
from routing.log.port import LogUnusable

__all__ = ["EmbeddedLog", "LogLocked", "LogUnusable"]
