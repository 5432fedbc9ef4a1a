"""Bodies that parties send in the scenarios: whole objects of OCPI 2.2.1, of any owner and id."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime
from typing import Any

from connectors.sample import SamplePlatform, charging
from connectors.sample.data import locations, tariffs
from connectors.values import PartyId

Json = dict[str, Any]

WHEN = "2026-03-01T10:00:00Z"
_BEGAN = datetime(2026, 3, 1, 10, tzinfo=UTC)
_numbers = itertools.count(1)


def new_id(prefix: str = "O") -> str:
    """An object id that no other test of this process uses."""
    return f"{prefix}-{os.getpid()}-{next(_numbers)}"


def location(owner: PartyId, id: str | None = None, **fields: Any) -> Json:
    """A location with its EVSEs."""
    return locations(owner)[0] | {"id": id or new_id("L")} | fields


def tariff(owner: PartyId, id: str | None = None, **fields: Any) -> Json:
    """A tariff."""
    return tariffs(owner)[0] | {"id": id or new_id("T")} | fields


def token(emsp: SamplePlatform, number: int = 0) -> Json:
    """One of an eMSP's tokens."""
    found: Json = emsp.objects.all("tokens", emsp.parties[0].id)[number]
    return found


def session(cpo: SamplePlatform, emsp: SamplePlatform, id: str | None = None, **fields: Any) -> Json:
    """A session of a driver of this eMSP at this CPO."""
    owner = cpo.parties[0].id
    made: Json = charging.session(
        owner, id or new_id("S"), locations(owner)[0], charging.cdr_token(token(emsp)), _BEGAN
    )
    return made | fields


def cdr(cpo: SamplePlatform, emsp: SamplePlatform, id: str | None = None, **fields: Any) -> Json:
    """The CDR of such a session."""
    owner, price = cpo.parties[0].id, tariffs(cpo.parties[0].id)[0]
    ended = session(cpo, emsp)
    ended["charging_periods"] = [charging.period(_BEGAN, 7.5, price["id"])]
    ended |= charging.completed(ended, price, _BEGAN.replace(hour=11))
    made: Json = charging.cdr(ended, locations(owner)[0], price)
    return made | {"id": id or new_id("CDR")} | fields


def command(cpo: SamplePlatform, emsp: SamplePlatform, name: str) -> Json:
    """The body of a command to this CPO (13.3)."""
    body: Json = {"response_url": emsp.response_url("commands", name)}
    place = {"location_id": "LOC0001", "evse_uid": "E0001-1"}
    match name:
        case "START_SESSION":
            body |= {"token": token(emsp)} | place
        case "RESERVE_NOW":
            body |= {"token": token(emsp), "expiry_date": "2026-12-31T00:00:00Z", "reservation_id": new_id("R")} | place
        case "STOP_SESSION":
            body |= {"session_id": "S-0001"}
        case "CANCEL_RESERVATION":
            body |= {"reservation_id": "R-1"}
        case "UNLOCK_CONNECTOR":
            body |= place | {"connector_id": "1"}
        case _:
            body |= {"anything": True}
    del cpo
    return body


PROFILE: Json = {
    "charging_rate_unit": "W",
    "min_charging_rate": 1.5,
    "charging_profile_period": [{"start_period": 0, "limit": 11000.0}],
}
"""A ChargingProfile (14.4)."""
