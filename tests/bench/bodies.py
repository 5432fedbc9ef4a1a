"""What goes over the wire in a benchmark: right OCPI 2.2.1 objects of a size that is known, as templates of bytes.

`%` formats a template faster than anything makes JSON, and an object's number stands in its name, which is how a
recipient's last state is told from an older one.
"""

from __future__ import annotations

from typing import Any

import orjson

CPO = ("NL", "TNM")
EMSP = ("DE", "EMS")

LOCATION_BYTES = 1500
WHEN = "2026-03-01T10:00:00Z"

_ID, _NUMBER, _PADDING = "<id>", "<number>", "<padding>"
ID_FORMAT, NUMBER_FORMAT = b"L%06d", b"%010d"
TOKEN_FORMAT = b"T%08d"
SESSION_FORMAT = b"S%06d"
_ENVELOPE = b'{"data":%b,"status_code":1000,"timestamp":"2026-03-01T10:00:00Z"}'


def marker(number: int) -> bytes:
    """What stands in the body of the push with this number, and in no other."""
    return b"Charge point " + NUMBER_FORMAT % number


def location_template() -> bytes:
    """A Location of 1,500 bytes as a template: `% (object, number)`."""
    return _template(_location(), ID_FORMAT, LOCATION_BYTES)


def token_template() -> bytes:
    """A Token as a template: `% (object, number)`."""
    return _template(_token(), TOKEN_FORMAT, 0)


def session_template(emsp: tuple[str, str]) -> bytes:
    """A Session of this eMSP's customer as a template: `% (object, number)`."""
    return _template(_session(emsp), SESSION_FORMAT, 0)


def location_answer() -> bytes:
    """The answer to a GET of one Location, as an envelope."""
    return _ENVELOPE % (location_template() % (1, 0))


def authorize_answer() -> bytes:
    """The answer to a real-time authorization, as an envelope: allowed, with the token."""
    return _ENVELOPE % (b'{"allowed":"ALLOWED","token":%b}' % (token_template() % (1, 0)))


COMMAND_TAKEN = _ENVELOPE % b'{"result":"ACCEPTED","timeout":30}'
"""The answer to a command."""

ACCEPTED = b'{"status_code":1000,"timestamp":"2026-03-01T10:00:00Z"}'
"""The answer to a push."""


def start_template(response_url: str) -> bytes:
    """A StartSession of the sample eMSP as a template: `% object`, the location's number."""
    text = orjson.dumps(
        {"response_url": response_url, "token": _token() | {"uid": "T1", "visual_number": "1"}, "location_id": _ID}
    )
    return text.replace(b"%", b"%%").replace(_ID.encode(), ID_FORMAT)


def place_template() -> bytes:
    """The LocationReferences of an authorization as a template: `% object`, the location's number."""
    return orjson.dumps({"location_id": _ID}).replace(_ID.encode(), ID_FORMAT)


def _template(value: dict[str, Any], id_format: bytes, size: int) -> bytes:
    text = orjson.dumps(value)
    formatted = len(id_format % 0) - len(_ID) + len(marker(0)) - len(_NUMBER) - len(_PADDING)
    padding = max(0, size - len(text) - formatted) if _PADDING.encode() in text else 0
    return (
        text.replace(b"%", b"%%")
        .replace(_PADDING.encode(), (b"Follow the signs to the second deck. " * 40)[:padding])
        .replace(_ID.encode(), id_format)
        .replace(_NUMBER.encode(), b"Charge point " + NUMBER_FORMAT)
    )


def _evse(uid: str) -> dict[str, Any]:
    return {
        "uid": uid,
        "evse_id": f"NL*TNM*{uid}",
        "status": "AVAILABLE",
        "capabilities": ["RFID_READER", "REMOTE_START_STOP_CAPABLE"],
        "connectors": [
            {
                "id": "1",
                "standard": "IEC_62196_T2",
                "format": "SOCKET",
                "power_type": "AC_3_PHASE",
                "max_voltage": 230,
                "max_amperage": 32,
                "tariff_ids": ["T1"],
                "last_updated": WHEN,
            }
        ],
        "physical_reference": uid[-1],
        "floor_level": "-1",
        "last_updated": WHEN,
    }


def _location() -> dict[str, Any]:
    return {
        "country_code": CPO[0],
        "party_id": CPO[1],
        "id": _ID,
        "publish": True,
        "name": _NUMBER,
        "address": "Marktplein 1",
        "city": "Utrecht",
        "postal_code": "3511 AB",
        "country": "NLD",
        "coordinates": {"latitude": "52.090737", "longitude": "5.121420"},
        "parking_type": "ON_STREET",
        "evses": [_evse("E1"), _evse("E2")],
        "directions": [{"language": "en", "text": _PADDING}],
        "operator": {"name": "A Charging Company"},
        "time_zone": "Europe/Amsterdam",
        "opening_times": {"twentyfourseven": True},
        "last_updated": WHEN,
    }


def _token() -> dict[str, Any]:
    return {
        "country_code": EMSP[0],
        "party_id": EMSP[1],
        "uid": _ID,
        "type": "RFID",
        "contract_id": "DE-EMS-C00000001-7",
        "visual_number": _NUMBER,
        "issuer": "A Mobility Company",
        "valid": True,
        "whitelist": "ALLOWED",
        "last_updated": WHEN,
    }


def _session(emsp: tuple[str, str]) -> dict[str, Any]:
    return {
        "country_code": CPO[0],
        "party_id": CPO[1],
        "id": _ID,
        "start_date_time": WHEN,
        "kwh": 12.5,
        "cdr_token": {
            "country_code": emsp[0],
            "party_id": emsp[1],
            "uid": "0123456789",
            "type": "RFID",
            "contract_id": "DE-EMS-C00000001-7",
        },
        "auth_method": "WHITELIST",
        "location_id": "L000001",
        "evse_uid": "E1",
        "connector_id": "1",
        "meter_id": _NUMBER,
        "currency": "EUR",
        "status": "ACTIVE",
        "last_updated": WHEN,
    }
