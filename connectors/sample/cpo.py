"""What a CPO serves of its own (OCPI 2.2.1): lists and locations, charging preferences, commands, charging profiles."""

from __future__ import annotations

from typing import Any, Final

from connectors.errors import InvalidParameters
from connectors.sample.inbound import RECEIVER, SENDER, Endpoints, Host, Inbound, not_here, row
from connectors.sample.lists import page
from connectors.sample.objects import Object, find
from connectors.sample.wire import Reply, now

COMMANDS: Final = ("CANCEL_RESERVATION", "RESERVE_NOW", "START_SESSION", "STOP_SESSION", "UNLOCK_CONNECTOR")
_TIMEOUT_S = 30
_LISTS = ("locations", "tariffs", "sessions", "cdrs")


class Cpo:
    """The CPO's own endpoints; what it RECEIVES of others' objects (tokens) is in copies."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._profiles: dict[str, Object] = {}

    def endpoints(self) -> Endpoints:
        """Every row that a CPO serves but the pushed tokens."""
        rows: Endpoints = [(row(module, SENDER, "GET"), self._list) for module in _LISTS]
        template = "{location_id}"
        for part in ("", "/{evse_uid}", "/{connector_id}"):
            template += part
            rows.append((row("locations", SENDER, "GET", template), self._location))
        rows += [
            (row("sessions", SENDER, "PUT", "{session_id}/charging_preferences"), self._preferences),
            (row("commands", RECEIVER, "POST", "{command}"), self._command),
        ]
        for method in ("GET", "PUT", "DELETE"):
            rows.append((row("chargingprofiles", RECEIVER, method, "{session_id}"), self._profile))
        return rows

    def _list(self, call: Inbound) -> Reply:
        return own_page(self._host, call)

    def _location(self, call: Inbound) -> Reply:
        ids = tuple(call.params.values())
        for owner in self._host.owners(call):
            location = self._host.objects.get("locations", owner, ids[0])
            found = find(location, ids[1:]) if location else None
            if found is not None:
                return Reply(found)
        raise not_here("locations", f"there is no {'/'.join(ids)} among the locations")

    def _preferences(self, call: Inbound) -> Reply:
        if "profile_type" not in call.content():
            raise InvalidParameters("$.profile_type: ChargingPreferences must carry it")
        session_id = call.params["session_id"]
        if not any(self._host.objects.get("sessions", owner, session_id) for owner in self._host.owners(call)):
            raise not_here("sessions", f"there is no session {session_id}")
        return Reply("ACCEPTED")

    def _command(self, call: Inbound) -> Reply:
        command, body = call.params["command"], call.content()
        if command not in COMMANDS:
            return Reply({"result": "NOT_SUPPORTED", "timeout": 0})
        url = _response_url(body, "$.response_url")
        self._host.post_later(call, url, {"result": self._host.asynchronous_result})
        self._host.commanded(call, command, body)
        return Reply({"result": "ACCEPTED", "timeout": _TIMEOUT_S})

    def _profile(self, call: Inbound) -> Reply:
        session_id, result = call.params["session_id"], self._host.asynchronous_result
        answer: dict[str, Any] = {"result": result}
        if call.row.method == "PUT":
            url = _response_url(call.content(), "$.response_url")
            self._profiles[session_id] = call.content().get("charging_profile", {})
        else:
            url = _response_url(call.query, "the query parameter response_url")
            if call.row.method == "DELETE":
                self._profiles.pop(session_id, None)
            elif result == "ACCEPTED":
                profile = self._profiles.get(session_id, _PROFILE)
                answer["profile"] = {"start_date_time": now(), "charging_profile": profile}
        self._host.post_later(call, url, answer)
        return Reply({"result": "ACCEPTED", "timeout": _TIMEOUT_S})


_PROFILE: Final[Object] = {
    "charging_rate_unit": "W",
    "charging_profile_period": [{"start_period": 0, "limit": 11000.0}],
}


def own_page(host: Host, call: Inbound) -> Reply:
    """A page of the platform's own objects of the call's module."""
    items = [item for owner in host.owners(call) for item in host.objects.all(call.row.module, owner)]
    return page(items, call.query, host.endpoint_url(call.row.module, SENDER), host.page_limit)


def _response_url(where: Any, name: str) -> str:
    url = where.get("response_url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise InvalidParameters(f"{name} is missing or no URL")
    return url
