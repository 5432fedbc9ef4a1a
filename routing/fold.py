"""Folding: several updates of one object become the fewest requests that leave the same state. Pure.

A whole PUT or a DELETE replaces what waits. A part is laid into a waiting PUT at or above its level, a PATCH into a
waiting PATCH of its level, field by field; without a base it stays a PATCH. What was folded stands last, so the
requests of one object keep growing positions: nothing older is begun after something newer.
OCPI 2.2.1, 8.2.2 (locations have three levels, a parent takes its child's last_updated).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connectors import digits
from routing.event import Event, Operation
from routing.log.port import Position

_CHILDREN = (("evses", "uid"), ("connectors", "id"))
_APPENDED = "charging_periods"


@dataclass(frozen=True, slots=True)
class Request:
    """One request towards a recipient, as an event asks for it or as folding composed it.

    `path` are the ids below the object: (), (evse_uid,) or (evse_uid, connector_id). `composed` marks bytes that the
    hub put together; otherwise `body` is the sender's own. `position` is the newest that it stands for.
    """

    operation: Operation
    path: tuple[str, ...]
    body: bytes
    position: Position
    composed: bool = False


def request_of(event: Event, position: Position) -> Request:
    """What an event asks for, as it came."""
    return Request(event.operation, event.path[3:], event.payload, position)


def fold(waiting: tuple[Request, ...], new: Request) -> tuple[Request, ...]:
    """The requests that stand for `waiting` and then `new`, in order of position."""
    if not waiting or replaces_all(new):
        return (new,)
    base = _nearest_whole(waiting, new.path)
    if base is not None:
        laid = lay(base.body, new.path[len(base.path) :], new, level=len(base.path))
        if laid is not None:
            rest = tuple(r for r in waiting if r is not base and not covered(new, r))
            return (*rest, Request(base.operation, base.path, laid, new.position, composed=True))
    if new.operation is Operation.PATCH:
        same = next((r for r in waiting if r.path == new.path and r.operation is Operation.PATCH), None)
        if same is not None and _may_move(waiting, same):
            rest = tuple(r for r in waiting if r is not same and not covered(new, r))
            body = _patched(same.body, new.body)
            return (*rest, Request(Operation.PATCH, new.path, body, new.position, composed=True))
    return (*(r for r in waiting if not covered(new, r)), new)


def fold_all(waiting: tuple[Request, ...], later: Iterable[Request]) -> tuple[Request, ...]:
    """`fold` over each of `later` in turn."""
    for request in later:
        waiting = fold(waiting, request)
    return waiting


def lay(body: bytes, below: tuple[str, ...], new: Request, *, level: int) -> bytes | None:
    """`new` laid into the whole object `body` at the ids `below` it; None where there is nothing to lay it into.

    `level` is how deep `body` itself stands: 0 a top-level object, 1 an EVSE. A PUT of a child that is not there yet
    is added; a PATCH of one is not possible. Every number keeps its digits.
    """
    whole: Any = digits.decode(body)
    part: Any = digits.decode(new.body)
    if not isinstance(whole, dict) or not isinstance(part, dict):
        return None
    if not _place(whole, below, part, new.operation, level):
        return None
    return digits.encode(whole)


def _place(
    node: dict[str, Any], below: tuple[str, ...], part: dict[str, Any], operation: Operation, level: int
) -> bool:
    if not below:
        if operation is Operation.PUT:
            node.clear()
        _update(node, part)
        return True
    name, id_field = _CHILDREN[level]
    children = node.get(name)
    if not isinstance(children, list):
        if operation is not Operation.PUT or len(below) > 1:
            return False
        children = node[name] = []
    for child in children:
        if isinstance(child, dict) and str(child.get(id_field, "")).upper() == below[0].upper():
            if not _place(child, below[1:], part, operation, level + 1):
                return False
            break
    else:
        if operation is not Operation.PUT or len(below) > 1:
            return False
        children.append(part)
    if "last_updated" in part:
        node["last_updated"] = part["last_updated"]
    return True


def _update(node: dict[str, Any], part: dict[str, Any]) -> None:
    for name, value in part.items():
        # a session PATCH appends its periods (OCPI 2.2.1, 9.2.2.3); every other list is replaced
        if name == _APPENDED and isinstance(node.get(name), list) and isinstance(value, list):
            node[name] = [*node[name], *value]
        else:
            node[name] = value


def _patched(body: bytes, patch: bytes) -> bytes:
    fields: Any = digits.decode(body)
    _update(fields, digits.decode(patch))  # type: ignore[arg-type]  # the edge let only objects in
    return digits.encode(fields)


def replaces_all(new: Request) -> bool:
    return new.operation is Operation.DELETE or (new.operation is not Operation.PATCH and not new.path)


def covered(new: Request, old: Request) -> bool:
    """Whether `old` has no effect any more once `new` is applied."""
    depth = len(new.path)
    if not _same(old.path[:depth], new.path) or len(old.path) < depth:
        return False
    if new.operation is not Operation.PATCH:
        return True
    return len(old.path) > depth and _carries_children(new)


def _nearest_whole(waiting: tuple[Request, ...], path: tuple[str, ...]) -> Request | None:
    found: Request | None = None
    for request in waiting:
        if request.operation is Operation.PUT and _same(path[: len(request.path)], request.path):
            if found is None or len(request.path) >= len(found.path):
                found = request
    return found if found is None or _may_move(waiting, found) else None


def _may_move(waiting: tuple[Request, ...], request: Request) -> bool:
    """Whether `request` may stand last: nothing after it touches what it holds."""
    after = waiting[waiting.index(request) + 1 :]
    depth = len(request.path)
    below = any(len(r.path) > depth and _same(r.path[:depth], request.path) for r in after)
    return not below or not _carries_children(request)


def _carries_children(request: Request) -> bool:
    """Whether the body holds the list of the level below, which it would replace whole."""
    if len(request.path) >= len(_CHILDREN):
        return False
    body: Any = digits.decode(request.body)
    return isinstance(body, dict) and _CHILDREN[len(request.path)][0] in body


def _same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return len(one) == len(other) and all(a.upper() == b.upper() for a, b in zip(one, other, strict=True))
