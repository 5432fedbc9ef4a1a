"""The RECEIVER side of pushed objects: locations, tariffs, sessions, tokens and CDRs that others own."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import orjson

from connectors.errors import InvalidParameters
from connectors.sample.inbound import RECEIVER, Endpoints, Inbound, NotHere, not_here, row
from connectors.sample.objects import Object, Objects, find, merge, place, same, touch
from connectors.sample.wire import Reply
from connectors.values import PartyId

_PUSHED = {
    "locations": ("location_id", ("GET", "PUT", "PATCH")),
    "tariffs": ("tariff_id", ("GET", "PUT", "DELETE")),
    "sessions": ("session_id", ("GET", "PUT", "PATCH")),
    "tokens": ("token_uid", ("GET", "PUT", "PATCH")),
}
_PARTS = ("evse_uid", "connector_id")


class Copies:
    """What others pushed, served by the RECEIVER interface (OCPI 2.2.1, 8.2.2, 9.2.2, 10.2.2, 11.2.2, 12.2.1).

    `objects` is shared by everything on the platform; `cdr_url` makes the Location of a CDR of its reference.
    """

    def __init__(self, objects: Objects, cdr_url: Callable[[str], str]) -> None:
        self._objects = objects
        self._cdr_url = cdr_url
        self._cdrs: dict[str, Object] = {}

    def endpoints(self, *modules: str) -> Endpoints:
        """The rows of these modules, each with what serves it."""
        rows: Endpoints = []
        for module in modules:
            if module == "cdrs":
                rows += [(row(module, RECEIVER, "POST"), self._post_cdr)]
                rows += [(row(module, RECEIVER, "GET", "{reference}"), self._get_cdr)]
                continue
            id_, methods = _PUSHED[module]
            template = f"{{country_code}}/{{party_id}}/{{{id_}}}"
            serve = {"GET": self._get, "PUT": self._put, "PATCH": self._patch, "DELETE": self._delete}
            rows += [(row(module, RECEIVER, method, template), serve[method]) for method in methods]
            if module == "locations":
                for part in _PARTS:
                    template += f"/{{{part}}}"
                    rows += [(row(module, RECEIVER, method, template), serve[method]) for method in methods]
        return rows

    def _get(self, call: Inbound) -> Reply:
        return Reply(self._known(call))

    def _put(self, call: Inbound) -> Reply:
        owner, item, parts = call.owner(), call.content(), _parts(call)
        _same_owner(owner, item)
        _same_id(call, item, parts)
        if not parts:
            # A copy of its own: a later PATCH must not change what was recorded as received.
            kept = orjson.loads(call.received.body)
            fresh = self._objects.put(call.row.module, owner, kept, type_=call.query.get("type", ""))
            return Reply(http_status=201 if fresh else 200)
        location = self._top(call)
        placed = place(location, parts, orjson.loads(call.received.body))
        if placed is None:
            raise not_here("locations", f"the location has no EVSE {parts[0]}: PUT that first")
        touch(location, parts, item.get("last_updated"))
        return Reply(http_status=201 if placed else 200)

    def _patch(self, call: Inbound) -> Reply:
        patch, parts = call.content(), _parts(call)
        if "last_updated" not in patch:
            raise InvalidParameters("$.last_updated: a PATCH must carry it")
        merge(call.row.module, self._known(call), patch)
        if parts:
            touch(self._top(call), parts, patch["last_updated"])
        return Reply()

    def _delete(self, call: Inbound) -> Reply:
        if not self._objects.remove(call.row.module, call.owner(), _id(call)):
            raise _not_found(call)
        return Reply()

    def _post_cdr(self, call: Inbound) -> Reply:
        item = call.content()
        try:
            owner = PartyId.of(item["country_code"], item["party_id"])
            reference = f"{owner}-{item['id']}"
        except (KeyError, AttributeError, ValueError) as error:
            raise InvalidParameters(f"the CDR names no owner or id: {error}") from error
        fresh = reference.upper() not in self._cdrs
        if fresh:
            self._cdrs[reference.upper()] = item
            self._objects.put("cdrs", owner, item)
        location = self._cdr_url(quote(reference, safe=""))
        return Reply(http_status=201 if fresh else 200, headers={"Location": location})

    def _get_cdr(self, call: Inbound) -> Reply:
        item = self._cdrs.get(call.params["reference"].upper())
        if item is None:
            raise not_here("cdrs", f"no CDR was posted under {call.params['reference']}")
        return Reply(item)

    def _known(self, call: Inbound) -> Object:
        found = find(self._top(call), _parts(call))
        if found is None:
            raise _not_found(call)
        return found

    def _top(self, call: Inbound) -> Object:
        item = self._objects.get(call.row.module, call.owner(), _id(call), type_=call.query.get("type", ""))
        if item is None:
            raise _not_found(call)
        return item


def _parts(call: Inbound) -> tuple[str, ...]:
    return tuple(call.params[part] for part in _PARTS if part in call.params)


def _id(call: Inbound) -> str:
    return call.params[_PUSHED[call.row.module][0]]


def _not_found(call: Inbound) -> NotHere:
    return not_here(
        call.row.module, f"{call.row.module} {'/'.join(call.params.values())} is not known here: PUT it first"
    )


def _same_owner(owner: PartyId, item: Object) -> None:
    for field, value in zip(("country_code", "party_id"), owner, strict=True):
        if field in item and not same(item[field], value):
            raise InvalidParameters(f"$.{field}: {item[field]!r} is not the {value} of the URL")


def _same_id(call: Inbound, item: Object, parts: tuple[str, ...]) -> None:
    field = "uid" if call.row.module == "tokens" or len(parts) == 1 else "id"
    wanted = parts[-1] if parts else _id(call)
    if not same(item.get(field), wanted):
        raise InvalidParameters(f"$.{field}: {item.get(field)!r} is not the {wanted} of the URL")
