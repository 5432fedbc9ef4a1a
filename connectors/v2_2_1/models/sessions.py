"""The Sessions module of OCPI 2.2.1 (chapter 9), with the CdrToken and ChargingPeriod it shares with CDRs (10.4)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connectors.v2_2_1.models import enums
from connectors.v2_2_1.models.common import Price
from connectors.v2_2_1.models.types import (
    Addressed,
    CiString2,
    CiString3,
    CiString36,
    DateTime,
    Object,
    String3,
    String255,
)


class CdrToken(Object):
    """10.4.5 CdrToken: country_code and party_id are those of the eMSP that issued the Token."""

    country_code: CiString2
    party_id: CiString3
    uid: CiString36
    type: enums.TokenType
    contract_id: CiString36


class CdrDimension(Object):
    """10.4.2 CdrDimension: a volume in the dimension's unit."""

    type: enums.CdrDimensionType
    volume: float


class ChargingPeriod(Object):
    """10.4.6 ChargingPeriod: ends where the next one starts."""

    start_date_time: DateTime
    dimensions: Annotated[list[CdrDimension], Field(min_length=1)]
    tariff_id: CiString36 | None = None


class Session(Addressed):
    """9.3.1 Session: kwh in kWh."""

    country_code: CiString2
    party_id: CiString3
    id: CiString36
    start_date_time: DateTime
    end_date_time: DateTime | None = None
    kwh: float
    cdr_token: CdrToken
    auth_method: enums.AuthMethod
    authorization_reference: CiString36 | None = None
    location_id: CiString36
    evse_uid: CiString36
    connector_id: CiString36
    meter_id: String255 | None = None
    currency: String3
    charging_periods: list[ChargingPeriod] | None = None
    total_cost: Price | None = None
    status: enums.SessionStatus
    last_updated: DateTime


class ChargingPreferences(Addressed):
    """9.3.2 ChargingPreferences: energy_need in kWh."""

    profile_type: enums.ProfileType
    departure_time: DateTime | None = None
    energy_need: float | None = None
    discharge_allowed: bool | None = None
