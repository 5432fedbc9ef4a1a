"""How long a call may take, by its row: counted from the request line, on the edge's monotonic clock. Pure."""

from __future__ import annotations

from connectors.catalogue import Row
from connectors.values import Module
from hub.settings import Settings
from routing.classify import is_push

_ASYNCHRONOUS = frozenset((Module.COMMANDS, Module.CHARGINGPROFILES))


def seconds(row: Row, settings: Settings) -> float:
    """The deadline of a call of this row, in seconds after its request line."""
    if is_push(row):
        return settings.directed_seconds
    if row.template.endswith("authorize"):
        return settings.authorize_seconds
    if row.listing:
        return settings.list_seconds
    if row.method == "GET" and row.module not in _ASYNCHRONOUS:
        return settings.get_seconds
    return settings.command_seconds
