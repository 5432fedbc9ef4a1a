"""What one call is about, for whoever watches: of its path, its body and its answer. Pure, and without secrets."""

from __future__ import annotations

from typing import Any

from connectors.sample.wire import object_of

_LONGEST = 64
_REFERENCE = "authorization_reference"


def facts(module: str, method: str, path: str, body: object, data: object) -> dict[str, str]:
    """The facts of a call: `what` it is, its `result`, and the ids by which the calls of one story are found together.

    `body` is its JSON, `data` that of the answer; either may be anything. Ids: `id`, `session`, `reference` (an
    authorization_reference), `callback` (the last segment of a response_url), `location`, `evse`.
    `place` is a location's city.
    """
    rest = [part for part in path.partition("?")[0].partition(f"/{module}")[2].split("/") if part]
    sent, came = object_of(body), object_of(data)
    match module:
        case "tokens" if rest[-1:] == ["authorize"]:
            found = {"what": "authorize", "result": came.get("allowed"), "reference": came.get(_REFERENCE)}
            found["location"] = sent.get("location_id")
        case "commands" | "chargingprofiles" if method == "POST" and "result" in sent:
            command = rest[0] if len(rest) > 1 else ""
            found = {"what": f"{command} result".strip(), "result": sent["result"], "callback": _last(rest)}
        case "commands":
            found = {"what": _last(rest), "result": came.get("result"), "reference": sent.get(_REFERENCE)}
            found |= {"callback": str(sent.get("response_url", "")).rpartition("/")[2]}
            found |= {"session": sent.get("session_id"), "location": sent.get("location_id")}
        case "sessions":
            found = {"what": "session", "result": sent.get("status"), "session": _last(rest), "kwh": sent.get("kwh")}
            found |= {"reference": sent.get(_REFERENCE), "location": sent.get("location_id")}
        case "cdrs" if sent:
            found = {"what": "CDR", "session": sent.get("session_id"), "kwh": sent.get("total_energy")}
            found |= {"cost": object_of(sent.get("total_cost")).get("incl_vat"), "currency": sent.get("currency")}
        case "locations" if method == "PATCH":
            found = {"what": "status", "result": sent.get("status"), "evse": _last(rest)}
        case "locations" | "tariffs" | "tokens":
            found = {"what": {"GET": "read"}.get(method, ""), "id": _last(rest), "result": came.get("status")}
            found["place"] = sent.get("city")
        case _:
            found = {}
    return {name: str(value)[:_LONGEST] for name, value in found.items() if value not in (None, "")}


def _last(segments: list[str]) -> Any:
    return segments[-1] if segments else ""
