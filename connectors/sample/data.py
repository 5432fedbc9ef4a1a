"""The sample parties' own objects, the same for the same seed, and the platforms that hold them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.sample.calls import SampleParty
from connectors.sample.charging import cdr, cdr_token, completed, period, session
from connectors.sample.objects import Object
from connectors.sample.places import PLACES, Place
from connectors.sample.platform import SamplePlatform
from connectors.sample.wire import stamp
from connectors.values import PartyId, Role

CPO_PARTY: Final = PartyId("NL", "TNM")
EMSP_PARTY: Final = PartyId("DE", "EMS")
SEED: Final = 221

_BEGIN: Final = datetime(2026, 1, 5, 8, tzinfo=UTC)
_EVSES: Final = (2, 4, 6, 4)
_WHITELISTS: Final = ("ALLOWED", "ALLOWED", "ALLOWED_OFFLINE", "NEVER", "ALWAYS")
_CAPABILITIES: Final = ["RFID_READER", "REMOTE_START_STOP_CAPABLE", "CHARGING_PROFILE_CAPABLE", "UNLOCK_CAPABLE"]


def sample_cpo(party: PartyId = CPO_PARTY, *, seed: int = SEED, **options: Any) -> SamplePlatform:
    """A CPO with 50 locations (200 EVSEs), 4 tariffs, and 5 ended sessions with their CDRs.

    `options` are those of SamplePlatform. It is not started.
    """
    platform = SamplePlatform([SampleParty(party, Role.CPO, "Tulip Mobility")], **options)
    sites = locations(party, seed=seed)
    prices = tariffs(party)
    for tariff in prices:
        platform.objects.put("tariffs", party, tariff)
    for site in sites:
        platform.objects.put("locations", party, site)
    for ended, bill in history(party, sites, prices[0], tokens(EMSP_PARTY, seed=seed)):
        platform.objects.put("sessions", party, ended)
        platform.objects.put("cdrs", party, bill)
    return platform


def sample_emsp(party: PartyId = EMSP_PARTY, *, seed: int = SEED, **options: Any) -> SamplePlatform:
    """An eMSP with 500 tokens, each fiftieth of them blocked. `options` as in sample_cpo. It is not started."""
    platform = SamplePlatform([SampleParty(party, Role.EMSP, "Ems Mobility")], **options)
    for token in tokens(party, seed=seed):
        platform.objects.put("tokens", party, token)
    return platform


def locations(party: PartyId = CPO_PARTY, *, seed: int = SEED) -> list[Object]:
    """50 locations with 200 EVSEs in all (OCPI 2.2.1, 8.3.1)."""
    chance = random.Random(seed)
    return [_location(party, number, place, chance) for number, place in enumerate(PLACES, 1)]


def _location(party: PartyId, number: int, place: Place, chance: random.Random) -> Object:
    updated = stamp(_BEGIN + timedelta(minutes=number))
    evses = 4 if number > len(PLACES) - len(PLACES) % len(_EVSES) else _EVSES[number % len(_EVSES)]
    fast = number % 5 == 0
    return {
        "country_code": party.country_code,
        "party_id": party.party_id,
        "id": f"LOC{number:04}",
        "publish": True,
        "name": f"{place.city} {place.street}",
        "address": f"{place.street} {chance.randrange(1, 120)}",
        "city": place.city,
        "postal_code": place.postal_code,
        "country": place.country,
        "coordinates": _coordinates(place, chance),
        "parking_type": "PARKING_LOT" if fast else "ON_STREET",
        "evses": [_evse(party, number, count, fast=fast, updated=updated) for count in range(1, evses + 1)],
        "operator": {"name": "Tulip Mobility"},
        "facilities": ["CAFE", "WIFI"] if fast else [],
        "time_zone": place.time_zone,
        "opening_times": {"twentyfourseven": True},
        "last_updated": updated,
    }


def _coordinates(place: Place, chance: random.Random) -> dict[str, str]:
    return {
        "latitude": f"{place.latitude + chance.uniform(-0.004, 0.004):.6f}",
        "longitude": f"{place.longitude + chance.uniform(-0.004, 0.004):.6f}",
    }


def _evse(party: PartyId, number: int, count: int, *, fast: bool, updated: str) -> Object:
    tariff = "DC-FAST" if fast else "AC-REGULAR"
    standards = ("IEC_62196_T2_COMBO", "CHADEMO") if fast else ("IEC_62196_T2",)
    return {
        "uid": f"E{number:04}-{count}",
        "evse_id": f"{party.country_code}*{party.party_id}*E{number:04}*{count}",
        "status": "AVAILABLE",
        "capabilities": list(_CAPABILITIES),
        "connectors": [_connector(str(i), standard, tariff, updated) for i, standard in enumerate(standards, 1)],
        "physical_reference": str(count),
        "last_updated": updated,
    }


def _connector(id_: str, standard: str, tariff: str, updated: str) -> Object:
    volts, amperes, watts = {
        "IEC_62196_T2": (230, 32, 22000),
        "IEC_62196_T2_COMBO": (920, 500, 300000),
        "CHADEMO": (500, 125, 50000),
    }[standard]
    ac = standard == "IEC_62196_T2"
    return {
        "id": id_,
        "standard": standard,
        "format": "SOCKET" if ac else "CABLE",
        "power_type": "AC_3_PHASE" if ac else "DC",
        "max_voltage": volts,
        "max_amperage": amperes,
        "max_electric_power": watts,
        "tariff_ids": [tariff],
        "last_updated": updated,
    }


def tariffs(party: PartyId = CPO_PARTY) -> list[Object]:
    """Four tariffs (OCPI 2.2.1, 11.3.1)."""
    energy = {"type": "ENERGY", "vat": 21.0, "step_size": 1}
    parking = {"type": "PARKING_TIME", "price": 6.0, "vat": 21.0, "step_size": 60}
    night = {"start_time": "22:00", "end_time": "06:00"}
    elements: dict[str, list[Object]] = {
        "AC-REGULAR": [{"price_components": [{**energy, "price": 0.35}]}],
        "AC-NIGHT": [
            {"price_components": [{**energy, "price": 0.27}], "restrictions": night},
            {"price_components": [{**energy, "price": 0.35}]},
        ],
        "DC-FAST": [{"price_components": [{**energy, "price": 0.59}, parking]}],
        "GREEN": [{"price_components": [{**energy, "price": 0.39}]}],
    }
    return [
        {
            "country_code": party.country_code,
            "party_id": party.party_id,
            "id": id_,
            "currency": "EUR",
            "type": "PROFILE_GREEN" if id_ == "GREEN" else "REGULAR",
            "tariff_alt_text": [{"language": "en", "text": f"Tulip Mobility {id_.replace('-', ' ').lower()}"}],
            "elements": content,
            "last_updated": stamp(_BEGIN + timedelta(minutes=number)),
        }
        for number, (id_, content) in enumerate(elements.items())
    ]


def tokens(party: PartyId = EMSP_PARTY, *, seed: int = SEED) -> list[Object]:
    """500 tokens (OCPI 2.2.1, 12.3.2): each tenth is of an app, each fiftieth is blocked."""
    chance = random.Random(seed)
    return [_token(party, number, chance) for number in range(1, 501)]


def _token(party: PartyId, number: int, chance: random.Random) -> Object:
    app = number % 10 == 5
    return {
        "country_code": party.country_code,
        "party_id": party.party_id,
        "uid": f"app-{number:05}" if app else f"04{chance.getrandbits(48):012X}",
        "type": "APP_USER" if app else "RFID",
        "contract_id": f"{party.country_code}{party.party_id}C{number:08}",
        "visual_number": f"{party.country_code}-{party.party_id}-{number:06}",
        "issuer": "Ems Mobility",
        "valid": number % 50 != 0,
        "whitelist": _WHITELISTS[number % len(_WHITELISTS)],
        "language": ("de", "nl", "fr")[number % 3],
        "last_updated": stamp(_BEGIN + timedelta(seconds=number)),
    }


def history(party: PartyId, sites: list[Object], tariff: Object, drivers: list[Object]) -> list[tuple[Object, Object]]:
    """Five ended sessions, each with its CDR."""
    ended = []
    for number in range(1, 6):
        began = _BEGIN + timedelta(hours=number)
        item = session(party, f"S-{number:04}", sites[number], cdr_token(drivers[number]), began, method="WHITELIST")
        item["charging_periods"] = [period(began, 3.7 * number, tariff["id"])]
        item |= completed(item, tariff, began + timedelta(minutes=30))
        ended.append((item, cdr(item, sites[number], tariff)))
    return ended
