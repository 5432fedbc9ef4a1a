"""The objects that a sample platform holds: its own, and the copies of what others pushed to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.values import PartyId

Object = dict[str, Any]

_ID_FIELD = {"tokens": "uid"}
_LEVELS = (("evses", "uid"), ("connectors", "id"))


class Objects:
    """Objects by module, owner and id; ids and owners compare without case (OCPI's CiString), order is of creation."""

    def __init__(self) -> None:
        self._modules: dict[str, dict[tuple[PartyId, str], Object]] = {}

    def put(self, module: str, owner: PartyId, item: Object, *, type_: str = "") -> bool:
        """Keep an object under its own id; True if it is new."""
        shelf = self._modules.setdefault(module, {})
        key = (owner, _key(str(item[_ID_FIELD.get(module, "id")]), type_ or _type(module, item)))
        fresh = key not in shelf
        shelf[key] = item
        return fresh

    def get(self, module: str, owner: PartyId | None, id_: str, *, type_: str = "") -> Object | None:
        """The object, of any owner when `owner` is None; for tokens `type_` defaults to RFID (2.2.1, 12.2.1)."""
        key = _key(id_, type_ or _type(module, {}))
        shelf = self._modules.get(module, {})
        if owner is not None:
            return shelf.get((owner, key))
        return next((item for (_, other), item in shelf.items() if other == key), None)

    def remove(self, module: str, owner: PartyId, id_: str) -> bool:
        """Drop an object; False if there is none."""
        return self._modules.get(module, {}).pop((owner, _key(id_, "")), None) is not None

    def all(self, module: str, owner: PartyId | None = None) -> list[Object]:
        """The objects of a module, of one owner where one is given."""
        shelf = self._modules.get(module, {})
        return [item for (whose, _), item in shelf.items() if owner is None or whose == owner]


def _key(id_: str, type_: str) -> str:
    return f"{id_.upper()}/{type_}" if type_ else id_.upper()


def _type(module: str, item: Object) -> str:
    return str(item.get("type", "RFID")) if module == "tokens" else ""


def find(location: Object, ids: Iterable[str]) -> Object | None:
    """The EVSE or connector of a location by (evse_uid) or (evse_uid, connector_id); the location itself without."""
    found: Object | None = location
    for id_, (children, field) in zip(ids, _LEVELS, strict=False):
        if found is None:
            return None
        found = next((item for item in found.get(children, ()) if same(item.get(field), id_)), None)
    return found


def place(location: Object, ids: tuple[str, ...], item: Object) -> bool | None:
    """Put an EVSE or connector into a location at its ids; True if it is new, None if its parent is not there."""
    parent = find(location, ids[:-1])
    if parent is None:
        return None
    children, field = _LEVELS[len(ids) - 1]
    siblings = parent.setdefault(children, [])
    for index, sibling in enumerate(siblings):
        if same(sibling.get(field), ids[-1]):
            siblings[index] = item
            return False
    siblings.append(item)
    return True


def touch(location: Object, ids: tuple[str, ...], last_updated: object) -> None:
    """Give the parents of an EVSE or connector its last_updated (OCPI 2.2.1, 8.2.2: "parents SHALL be updated")."""
    for depth in range(len(ids)):
        parent = find(location, ids[:depth])
        if parent is not None:
            parent["last_updated"] = last_updated


def merge(module: str, item: Object, patch: Object) -> None:
    """Lay a PATCH over an object; a session's charging_periods are appended (OCPI 2.2.1, 9.2.2)."""
    for field, value in patch.items():
        if module == "sessions" and field == "charging_periods":
            item[field] = [*item.get(field, ()), *(value or ())]
        else:
            item[field] = value


def same(left: object, right: str) -> bool:
    """Whether two CiStrings are equal."""
    return isinstance(left, str) and left.upper() == right.upper()
