"""Sessions and CDRs as a CPO makes them while a car charges (OCPI 2.2.1, chapters 9 and 10)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from connectors.sample.objects import Object
from connectors.sample.wire import moment, stamp
from connectors.values import PartyId

VAT: Final = 21.0


def cdr_token(token: Object) -> Object:
    """The CdrToken of a Token."""
    return {field: token[field] for field in ("country_code", "party_id", "uid", "type", "contract_id")}


def session(
    party: PartyId,
    id_: str,
    location: Object,
    token: Object,
    began: datetime,
    *,
    evse: int = 0,
    method: str = "AUTH_REQUEST",
    reference: str | None = None,
) -> Object:
    """A session that begins now at an EVSE of the location; `token` is a CdrToken, `method` an AuthMethod."""
    place = location["evses"][evse]
    item = {
        "country_code": party.country_code,
        "party_id": party.party_id,
        "id": id_,
        "start_date_time": stamp(began),
        "kwh": 0.0,
        "cdr_token": token,
        "auth_method": method,
        "location_id": location["id"],
        "evse_uid": place["uid"],
        "connector_id": place["connectors"][0]["id"],
        "currency": "EUR",
        "status": "ACTIVE",
        "last_updated": stamp(began),
    }
    if reference:
        item["authorization_reference"] = reference
    return item


def period(began: datetime, kwh: float, tariff_id: str) -> Object:
    """A charging period with its energy in kWh."""
    return {
        "start_date_time": stamp(began),
        "dimensions": [{"type": "ENERGY", "volume": round(kwh, 4)}],
        "tariff_id": tariff_id,
    }


def progress(item: Object, began: datetime, kwh: float, tariff_id: str) -> Object:
    """The PATCH that adds a period of `kwh` to a session."""
    added = period(began, kwh, tariff_id)
    return {"kwh": round(item["kwh"] + kwh, 4), "charging_periods": [added], "last_updated": stamp(began)}


def completed(item: Object, tariff: Object, ended: datetime) -> Object:
    """The PATCH that ends a session."""
    kwh = round(sum(one["dimensions"][0]["volume"] for one in item.get("charging_periods", ())), 4)
    return {
        "kwh": kwh,
        "status": "COMPLETED",
        "end_date_time": stamp(ended),
        "total_cost": cost(kwh, tariff),
        "last_updated": stamp(ended),
    }


def cost(kwh: float, tariff: Object) -> Object:
    """The Price of the energy by the tariff's first component."""
    net = round(kwh * tariff["elements"][0]["price_components"][0]["price"], 4)
    return {"excl_vat": net, "incl_vat": round(net * (1 + VAT / 100), 4)}


def cdr(item: Object, location: Object, tariff: Object) -> Object:
    """The CDR of a completed session."""
    hours = (moment(item["end_date_time"]) - moment(item["start_date_time"])).total_seconds() / 3600
    return {
        "country_code": item["country_code"],
        "party_id": item["party_id"],
        "id": f"CDR-{item['id']}",
        "start_date_time": item["start_date_time"],
        "end_date_time": item["end_date_time"],
        "session_id": item["id"],
        "cdr_token": item["cdr_token"],
        "auth_method": item["auth_method"],
        **({"authorization_reference": item["authorization_reference"]} if "authorization_reference" in item else {}),
        "cdr_location": _cdr_location(location, item["evse_uid"]),
        "currency": item["currency"],
        "tariffs": [tariff],
        "charging_periods": item["charging_periods"],
        "total_cost": item["total_cost"],
        "total_energy": item["kwh"],
        "total_energy_cost": item["total_cost"],
        "total_time": round(hours, 4),
        "last_updated": item["end_date_time"],
    }


def _cdr_location(location: Object, evse_uid: str) -> Object:
    evse = next(one for one in location["evses"] if one["uid"] == evse_uid)
    connector = evse["connectors"][0]
    return {
        "id": location["id"],
        "name": location["name"],
        "address": location["address"][:45],
        "city": location["city"],
        "postal_code": location["postal_code"],
        "country": location["country"],
        "coordinates": location["coordinates"],
        "evse_uid": evse["uid"],
        "evse_id": evse["evse_id"],
        "connector_id": connector["id"],
        "connector_standard": connector["standard"],
        "connector_format": connector["format"],
        "connector_power_type": connector["power_type"],
    }
