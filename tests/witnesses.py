"""What recipients saw of a run, request by request, and the objects that they hold by it; for simulation and chaos."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.values import PartyId
from routing.resync import PREFIX

ObjectKey = tuple[str, str]
"""Module, and the top-level object's id in upper case."""


@dataclass(slots=True, eq=False)
class Begun:
    """A request whose first byte was written. `path` are the decoded ids after the endpoint URL.

    `seqs` are the events that it stands for, `processed` says that the recipient applied it. Times are seconds.
    `by` is the process that began it, where several do; `excused` that it was begun where order is not judged;
    `unknown` that it was a part of an object that the recipient said it does not know, `refused` that it said 2001.
    """

    at: float
    module: str
    method: str
    path: tuple[str, ...]
    query: str
    body: bytes
    seqs: frozenset[int]
    processed: bool = False
    ended: float | None = None
    by: int | None = None
    excused: bool = False
    unknown: bool = False
    refused: bool = False
    resync: str = ""
    """The correlation id of what the hub's resync sent, which names a position."""

    object: ObjectKey = field(init=False)
    name: tuple[str, ...] = field(init=False)
    """What at most one request may be in flight of."""

    def __post_init__(self) -> None:
        id = str(orjson.loads(self.body)["id"]) if self.module == "cdrs" else self.path[2].upper()
        self.object = self.module, id
        self.name = self.module, id, self.query


@dataclass(slots=True)
class Recipient:
    """One party: what it saw, and the objects that it holds. `modules` are those whose broadcasts it gets."""

    party: PartyId
    mood: str = "well"
    modules: frozenset[str] = frozenset(("locations", "tariffs", "tokens"))
    begun: list[Begun] = field(default_factory=list)
    objects: dict[ObjectKey, dict[str, Any]] = field(default_factory=dict)
    in_flight: dict[tuple[str, ...], Begun] = field(default_factory=dict)
    overlaps: list[str] = field(default_factory=list)

    def begin(self, begun: Begun) -> Begun | None:
        """Note a request; the one that is in flight of the same object, if there is one."""
        other = self.in_flight.get(begun.name)
        self.in_flight[begun.name] = begun
        self.begun.append(begun)
        return other

    def end(self, begun: Begun, now: float) -> None:
        """It was answered, or cut off."""
        begun.ended = now
        if self.in_flight.get(begun.name) is begun:
            del self.in_flight[begun.name]

    def process(self, begun: Begun) -> None:
        """Apply it to what this party holds."""
        begun.processed = True
        apply(self.objects, begun.object, begun.method, begun.path[3:], begun.body)


def seqs_of(body: bytes, correlation_id: str) -> frozenset[int]:
    """Every `seq` in a body, at whatever level; without any, the event that the correlation id names.

    What a resync sends names no event, but a position.
    """
    found: set[int] = set()
    if body:
        _walk(orjson.loads(body), found)
    if not found and not correlation_id.startswith(PREFIX):
        found.add(int(correlation_id))
    return frozenset(found)


def _walk(value: Any, found: set[int]) -> None:
    if isinstance(value, dict):
        if isinstance(value.get("seq"), int):
            found.add(value["seq"])
        for inner in value.values():
            if isinstance(inner, (dict, list)):
                _walk(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, found)


def apply(
    objects: dict[ObjectKey, dict[str, Any]], key: ObjectKey, method: str, below: tuple[str, ...], body: bytes
) -> None:
    """What a receiver does with a push; written apart from the hub's own folding."""
    if method == "DELETE":
        objects[key] = {"deleted": True}
        return
    new = orjson.loads(body)
    if not below:
        if method == "PATCH" and not objects.get(key, {}).get("deleted"):
            objects[key] = {**objects.get(key, {}), **new}
        else:
            objects[key] = dict(new)
        return
    whole = objects.setdefault(key, {})
    evses = whole.setdefault("evses", [])
    for i, evse in enumerate(evses):
        if evse["uid"] == below[0]:
            evses[i] = {**evse, **new} if method == "PATCH" else dict(new)
            break
    else:
        evses.append({"uid": below[0], **new})
    whole["last_updated"] = new["last_updated"]
