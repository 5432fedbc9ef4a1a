"""Right objects of OCPI 2.2.1 for tests, one builder each: a plain dict, with whatever is given by keyword laid over.

`location(id="X", name=ABSENT)` has another id and no name. `body(...)` gives the bytes that go over the wire.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

ABSENT: Final[Any] = object()
"""The value of a field that is to be left out."""

NOW = "2026-03-01T10:00:00Z"


def body(value: object) -> bytes:
    """The JSON bytes of an object."""
    return orjson.dumps(value)


def _laid(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (base | over).items() if value is not ABSENT}


def connector(**over: Any) -> dict[str, Any]:
    return _laid(
        {
            "id": "1",
            "standard": "IEC_62196_T2",
            "format": "SOCKET",
            "power_type": "AC_3_PHASE",
            "max_voltage": 230,
            "max_amperage": 32,
            "tariff_ids": ["T1"],
            "last_updated": NOW,
        },
        over,
    )


def evse(**over: Any) -> dict[str, Any]:
    return _laid(
        {
            "uid": "E1",
            "evse_id": "NL*ABC*E1",
            "status": "AVAILABLE",
            "capabilities": ["RFID_READER", "REMOTE_START_STOP_CAPABLE"],
            "connectors": [connector()],
            "physical_reference": "1",
            "floor_level": "-1",
            "last_updated": NOW,
        },
        over,
    )


def location(**over: Any) -> dict[str, Any]:
    return _laid(
        {
            "country_code": "NL",
            "party_id": "ABC",
            "id": "LOC1",
            "publish": True,
            "name": "Market square",
            "address": "Marktplein 1",
            "city": "Utrecht",
            "postal_code": "3511 AB",
            "country": "NLD",
            "coordinates": {"latitude": "52.090737", "longitude": "5.121420"},
            "parking_type": "ON_STREET",
            "evses": [evse(), evse(uid="E2", evse_id="NL*ABC*E2")],
            "operator": {"name": "A Charging Company"},
            "time_zone": "Europe/Amsterdam",
            "opening_times": {"twentyfourseven": True},
            "last_updated": NOW,
        },
        over,
    )


def price(excl_vat: float = 2.5, **over: Any) -> dict[str, Any]:
    return _laid({"excl_vat": excl_vat, "incl_vat": 3.03}, over)


def tariff(**over: Any) -> dict[str, Any]:
    return _laid(
        {
            "country_code": "NL",
            "party_id": "ABC",
            "id": "T1",
            "currency": "EUR",
            "type": "REGULAR",
            "elements": [{"price_components": [{"type": "ENERGY", "price": 0.25, "vat": 21.0, "step_size": 1}]}],
            "last_updated": NOW,
        },
        over,
    )


def token(**over: Any) -> dict[str, Any]:
    return _laid(
        {
            "country_code": "DE",
            "party_id": "XYZ",
            "uid": "012345678",
            "type": "RFID",
            "contract_id": "DE8XYZC12E46L89",
            "issuer": "A Mobility Company",
            "valid": True,
            "whitelist": "ALLOWED",
            "last_updated": NOW,
        },
        over,
    )


def cdr_token(**over: Any) -> dict[str, Any]:
    return _laid(
        {
            "country_code": "DE",
            "party_id": "XYZ",
            "uid": "012345678",
            "type": "RFID",
            "contract_id": "DE8XYZC12E46L89",
        },
        over,
    )


def charging_period(**over: Any) -> dict[str, Any]:
    return _laid({"start_date_time": NOW, "dimensions": [{"type": "ENERGY", "volume": 1.5}], "tariff_id": "T1"}, over)


def session(**over: Any) -> dict[str, Any]:
    return _laid(
        {
            "country_code": "NL",
            "party_id": "ABC",
            "id": "S1",
            "start_date_time": NOW,
            "kwh": 1.5,
            "cdr_token": cdr_token(),
            "auth_method": "WHITELIST",
            "location_id": "LOC1",
            "evse_uid": "E1",
            "connector_id": "1",
            "currency": "EUR",
            "charging_periods": [charging_period()],
            "total_cost": price(),
            "status": "ACTIVE",
            "last_updated": NOW,
        },
        over,
    )


def cdr(**over: Any) -> dict[str, Any]:
    return _laid(
        {
            "country_code": "NL",
            "party_id": "ABC",
            "id": "C1",
            "start_date_time": NOW,
            "end_date_time": "2026-03-01T11:00:00Z",
            "session_id": "S1",
            "cdr_token": cdr_token(),
            "auth_method": "WHITELIST",
            "cdr_location": {
                "id": "LOC1",
                "address": "Marktplein 1",
                "city": "Utrecht",
                "country": "NLD",
                "coordinates": {"latitude": "52.090737", "longitude": "5.121420"},
                "evse_uid": "E1",
                "evse_id": "NL*ABC*E1",
                "connector_id": "1",
                "connector_standard": "IEC_62196_T2",
                "connector_format": "SOCKET",
                "connector_power_type": "AC_3_PHASE",
            },
            "currency": "EUR",
            "tariffs": [tariff()],
            "charging_periods": [charging_period()],
            "total_cost": price(),
            "total_energy": 10.0,
            "total_time": 1.0,
            "last_updated": NOW,
        },
        over,
    )


def start_session(**over: Any) -> dict[str, Any]:
    return _laid(
        {
            "response_url": "https://emsp.example/ocpi/2.2.1/sender/commands/START_SESSION/1",
            "token": token(),
            "location_id": "LOC1",
            "evse_uid": "E1",
            "authorization_reference": "A1",
        },
        over,
    )


def set_charging_profile(**over: Any) -> dict[str, Any]:
    return _laid(
        {
            "charging_profile": {
                "charging_rate_unit": "A",
                "charging_profile_period": [{"start_period": 0, "limit": 16.0}],
            },
            "response_url": "https://scsp.example/ocpi/2.2.1/sender/chargingprofiles/result/1",
        },
        over,
    )


def credentials(**over: Any) -> dict[str, Any]:
    return _laid(
        {
            "token": "not-a-real-secret",
            "url": "https://cpo.example/ocpi/versions",
            "roles": [
                {
                    "role": "CPO",
                    "country_code": "NL",
                    "party_id": "ABC",
                    "business_details": {"name": "A Charging Company"},
                }
            ],
        },
        over,
    )
