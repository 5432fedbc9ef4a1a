"""Right OCPI 2.2.1 objects of the load, each with a `seq` that grows with every push (an unknown field, untouched)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

import orjson

from connectors.values import PartyId
from routing.log.port import partition_of

CPO: Final = PartyId("NL", "TNM")
EVSES: Final = ("E1", "E2", "E3")

MIXED: Final = 1 / 8
"""The part of the partitions for locations that one party alone is told of too. A restart may leave such an object
marked, and a mark covers its whole partition: other locations stay out of these, so that they can be judged."""

_STATUSES: Final = ("AVAILABLE", "CHARGING", "RESERVED", "OUTOFORDER")
_numbers = count(1)


def name(letter: str) -> str:
    """An object id that was never used."""
    return f"{letter}{next(_numbers):06d}"


def location_name(*, mixed: bool, partitions: int) -> str:
    """The id of a new location in one of its partitions."""
    while True:
        found = name("L")
        key = f"{CPO.country_code}*{CPO.party_id}/locations/{found}".encode()
        if (partition_of(key, partitions) < MIXED * partitions) is mixed:
            return found


def dump(body: dict[str, Any]) -> bytes:
    return orjson.dumps(body)


def stamp(seq: int) -> dict[str, Any]:
    now = datetime.fromtimestamp(time.time(), UTC)
    return {"seq": seq, "last_updated": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"}


def location(id_: str, seq: int) -> dict[str, Any]:
    return {
        **owned(CPO), "id": id_, "publish": True, "name": f"n{seq}", "address": "Marktplein 1", "city": "Utrecht",
        "country": "NLD", "coordinates": {"latitude": "52.090737", "longitude": "5.121420"},
        "time_zone": "Europe/Amsterdam", "evses": [evse(uid, seq) for uid in EVSES[:2]], **stamp(seq),
    }  # fmt: skip


def evse(uid: str, seq: int) -> dict[str, Any]:
    connector = {
        "id": "1", "standard": "IEC_62196_T2", "format": "SOCKET", "power_type": "AC_3_PHASE", "max_voltage": 230,
        "max_amperage": 32, "last_updated": stamp(seq)["last_updated"],
    }  # fmt: skip
    return {"uid": uid, **status(seq), "connectors": [connector]}


def status(seq: int) -> dict[str, Any]:
    """The PATCH of an EVSE."""
    return {"status": _STATUSES[seq % len(_STATUSES)], **stamp(seq)}


def tariff(id_: str, seq: int) -> dict[str, Any]:
    price = {"type": "ENERGY", "price": 0.25 + seq % 100 / 1000, "step_size": 1}
    return {**owned(CPO), "id": id_, "currency": "EUR", "elements": [{"price_components": [price]}], **stamp(seq)}


def token(owner: PartyId, uid: str, seq: int) -> dict[str, Any]:
    return {
        **owned(owner), "uid": uid, "type": "RFID", "contract_id": f"C{uid}", "issuer": "Chaos Mobility",
        "valid": seq % 3 > 0, "whitelist": "ALLOWED", **stamp(seq),
    }  # fmt: skip


def session(id_: str, emsp: PartyId, seq: int) -> dict[str, Any]:
    return {
        **owned(CPO), "id": id_, "start_date_time": "2026-03-01T10:00:00Z", "kwh": 0.0, "cdr_token": cdr_token(emsp),
        "auth_method": "AUTH_REQUEST", "location_id": "L1", "evse_uid": "E1", "connector_id": "1", "currency": "EUR",
        "status": "ACTIVE", **stamp(seq),
    }  # fmt: skip


def charging(seq: int) -> dict[str, Any]:
    """The PATCH of a session that goes on."""
    return {"kwh": seq / 1000, "status": "ACTIVE", **stamp(seq)}


def cdr(id_: str, emsp: PartyId) -> dict[str, Any]:
    """Without a seq, since a repetition is the same bytes: what it stands for is told by its correlation id."""
    volume = {"dimensions": [{"type": "ENERGY", "volume": 7.25}], "start_date_time": "2026-03-01T10:00:00Z"}
    return {
        **owned(CPO), "id": id_, "start_date_time": "2026-03-01T10:00:00Z", "end_date_time": "2026-03-01T11:00:00Z",
        "session_id": f"S{id_}", "cdr_token": cdr_token(emsp), "auth_method": "AUTH_REQUEST",
        "cdr_location": {
            "id": "L1", "address": "Marktplein 1", "city": "Utrecht", "country": "NLD", "evse_uid": "E1",
            "coordinates": {"latitude": "52.090737", "longitude": "5.121420"}, "evse_id": "NL*TNM*E1",
            "connector_id": "1", "connector_standard": "IEC_62196_T2", "connector_format": "SOCKET",
            "connector_power_type": "AC_3_PHASE",
        },
        "currency": "EUR", "charging_periods": [volume], "total_cost": {"excl_vat": 2.5}, "total_energy": 7.25,
        "total_time": 1.0, "last_updated": "2026-03-01T11:00:00Z",
    }  # fmt: skip


def cdr_token(emsp: PartyId) -> dict[str, Any]:
    return {**owned(emsp), "uid": "0123456789", "type": "RFID", "contract_id": "C0123456789"}


def owned(party: PartyId) -> dict[str, str]:
    return {"country_code": party.country_code, "party_id": party.party_id}
