"""The CDRs module of OCPI 2.2.1 (chapter 10)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connectors.v2_2_1.models import enums
from connectors.v2_2_1.models.common import Price
from connectors.v2_2_1.models.locations import GeoLocation
from connectors.v2_2_1.models.sessions import CdrToken, ChargingPeriod
from connectors.v2_2_1.models.tariffs import Tariff
from connectors.v2_2_1.models.types import (
    Addressed,
    CiString2,
    CiString3,
    CiString32,
    CiString36,
    CiString39,
    CiString48,
    DateTime,
    Object,
    String3,
    String10,
    String20,
    String45,
    String255,
    String512,
    String5000,
)


class CdrLocation(Object):
    """10.4.4 CdrLocation: the Location as it was when the session took place."""

    id: CiString36
    name: String255 | None = None
    address: String45
    city: String45
    postal_code: String10 | None = None
    state: String20 | None = None
    country: String3
    coordinates: GeoLocation
    evse_uid: CiString36
    evse_id: CiString48
    connector_id: CiString36
    connector_standard: enums.ConnectorType
    connector_format: enums.ConnectorFormat
    connector_power_type: enums.PowerType


class SignedValue(Object):
    """10.4.8 SignedValue: one metering value with its signature."""

    nature: CiString32
    plain_data: String5000
    signed_data: String5000


class SignedData(Object):
    """10.4.7 SignedData: signed metering, for calibration law."""

    encoding_method: CiString36
    encoding_method_version: int | None = None
    public_key: String512 | None = None
    signed_values: Annotated[list[SignedValue], Field(min_length=1)]
    url: String512 | None = None


class CDR(Addressed):
    """10.3.1 CDR: energy in kWh, times in hours. Immutable: corrected by a credit CDR, never by a PUT."""

    country_code: CiString2
    party_id: CiString3
    id: CiString39
    start_date_time: DateTime
    end_date_time: DateTime
    session_id: CiString36 | None = None
    cdr_token: CdrToken
    auth_method: enums.AuthMethod
    authorization_reference: CiString36 | None = None
    cdr_location: CdrLocation
    meter_id: String255 | None = None
    currency: String3
    tariffs: list[Tariff] | None = None
    charging_periods: Annotated[list[ChargingPeriod], Field(min_length=1)]
    signed_data: SignedData | None = None
    total_cost: Price
    total_fixed_cost: Price | None = None
    total_energy: float
    total_energy_cost: Price | None = None
    total_time: float
    total_time_cost: Price | None = None
    total_parking_time: float | None = None
    total_parking_cost: Price | None = None
    total_reservation_cost: Price | None = None
    remark: String255 | None = None
    invoice_reference_id: CiString39 | None = None
    credit: bool | None = None
    credit_reference_id: CiString39 | None = None
    home_charging_compensation: bool | None = None
    last_updated: DateTime
