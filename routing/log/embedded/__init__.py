"""The embedded engine of the log: a SQLite file in a folder that one process has for itself."""

from routing.log.embedded.file import LogLocked, LogUnusable
from routing.log.embedded.log import EmbeddedLog

__all__ = ["EmbeddedLog", "LogLocked", "LogUnusable"]
