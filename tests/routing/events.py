"""Events for tests of what decides: one builder, with whatever is given by keyword laid over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from connectors.values import PartyId, Role
from routing.event import Event, Operation
from routing.log.port import Position

CPO = PartyId("NL", "TNM")
EMSP = PartyId("DE", "EMS")


def at(offset: int) -> Position:
    return Position(1, offset)


def event(operation: str, payload: Any = None, *below: str, **over: Any) -> Event:
    """A push of location L1 at the level of `below`; `payload` is JSON bytes, or becomes them."""
    body = payload if isinstance(payload, bytes) else b"" if payload is None else orjson.dumps(payload)
    made = Event(
        id="e1", module="locations", owner=CPO, object_id="L1", operation=Operation(operation),
        path=("NL", "TNM", "L1", *below), query="", audience=None, sender=CPO, sender_role=Role.CPO, platform="cpo",
        accepted=0, expires=3000, request_id="r", correlation_id="c", revision=1, payload=body,
    )  # fmt: skip
    return replace(made, **over)
