"""Which way a call goes: a pure and total decision on its row and its TO headers (OCPI 2.2.1, 4.2.3 and 4.4)."""

from __future__ import annotations

from enum import StrEnum

from connectors.catalogue import Row
from connectors.errors import InvalidParameters, UnknownReceiver
from connectors.values import InterfaceRole, Module, PartyId
from routing.opening import opened


class Way(StrEnum):
    """OWN: the hub answers itself. RELAY: passed to the party of TO, its answer passed back. OPEN: the same, for
    whoever its content tells. ALL: a list of everybody's objects, which the hub answers from object state. CALLBACK: a
    relay through a URL that the hub made. DIRECTED, BROADCAST: a push, by way of the log, for one party or for
    everyone."""

    OWN = "own"
    RELAY = "relay"
    OPEN = "open"
    ALL = "all"
    CALLBACK = "callback"
    DIRECTED = "directed"
    BROADCAST = "broadcast"


PUSHED = frozenset((Module.LOCATIONS, Module.TARIFFS, Module.TOKENS, Module.SESSIONS, Module.CDRS))
"""Modules whose objects are pushed to RECEIVER interfaces and take the log."""

FOR_EVERYONE = frozenset((Module.LOCATIONS, Module.TARIFFS, Module.TOKENS))
"""Modules whose data is meant for everyone; sessions and cdrs are one party's (broadcast push)."""

_WRITES = frozenset(("PUT", "PATCH", "POST", "DELETE"))
_TO = "OCPI-to-country-code and OCPI-to-party-id"


def is_push(row: Row) -> bool:
    """Whether calls of this row change an object at a RECEIVER, and so go onto the log."""
    return (
        row.interface is InterfaceRole.RECEIVER and row.module in PUSHED and row.method in _WRITES and not row.callback
    )


def classify(row: Row, to: PartyId | None, hub: PartyId) -> Way:
    """The way of a call of `row` to `to` at the hub party `hub`.

    A directed session or CDR without TO is for the eMSP of its cdr_token, which the body tells, or for whom the session
    was pushed to before. Raises InvalidParameters (2001) or UnknownReceiver (4001) where OCPI forbids the call, or
    nothing in it tells its receiver.
    """
    if row.interface is None:
        return Way.OWN
    if row.callback:
        return Way.CALLBACK
    if is_push(row):
        return _push(row, to, hub)
    if row.custom and (to is None or to == hub):
        raise UnknownReceiver(f"{row.module} is no module of OCPI, so only {_TO} tell which party it is for: send them")
    if to is None:
        if opened(row):
            return Way.OPEN
        raise _unnamed(row)
    if to != hub:
        return Way.RELAY
    if row.method == "GET" and row.listing and row.interface is InterfaceRole.SENDER:
        return Way.ALL
    raise _to_hub(row, hub)


def _push(row: Row, to: PartyId | None, hub: PartyId) -> Way:
    if to is not None and to != hub:
        return Way.DIRECTED
    if row.module in FOR_EVERYONE:
        return Way.BROADCAST
    if to is None:
        return Way.DIRECTED
    raise InvalidParameters(
        f"{row.module} are one party's data and are not broadcast: "
        f"send {_TO} of the receiving party, not of the hub {hub}"
    )


def _unnamed(row: Row) -> InvalidParameters | UnknownReceiver:
    if row.listing:
        return InvalidParameters(
            f"a list of {row.module} needs {_TO}: the party whose list it is, or the hub for everybody's"
        )
    return UnknownReceiver(
        f"nothing in a {row.method} of {row.module} as {row.interface} tells its receiver: send {_TO}"
    )


def _to_hub(row: Row, hub: PartyId) -> InvalidParameters:
    if row.method != "GET":
        return InvalidParameters(
            f"{row.method} {row.module} as {row.interface} is not broadcast: "
            f"send {_TO} of the receiving party, not of the hub {hub}"
        )
    if row.interface is InterfaceRole.RECEIVER:
        return InvalidParameters(
            f"a GET on a RECEIVER interface cannot be sent to the hub {hub}: send {_TO} of the party to read from"
        )
    return InvalidParameters(f"the hub {hub} owns no {row.module}: send {_TO} of the party that does")
