"""The Locations module of OCPI 2.2.1 (chapter 8): Location, EVSE, Connector and what they are made of.

Lengths are those of the 2.2.1 errata (address 255, state 45), so that what is right today is not found fault with.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connectors.v2_2_1.models import enums
from connectors.v2_2_1.models.common import BusinessDetails, DisplayText, EnergyMix, Image
from connectors.v2_2_1.models.types import (
    URL,
    Addressed,
    CiString2,
    CiString3,
    CiString36,
    CiString48,
    DateTime,
    Object,
    String3,
    String4,
    String5,
    String10,
    String11,
    String16,
    String45,
    String64,
    String255,
)


class GeoLocation(Object):
    """8.4.13 GeoLocation: decimal degrees (WGS 84), as strings."""

    latitude: String10
    longitude: String11


class AdditionalGeoLocation(Object):
    """8.4.1 AdditionalGeoLocation: a point near the Location, such as a car park's entrance."""

    latitude: String10
    longitude: String11
    name: DisplayText | None = None


class StatusSchedule(Object):
    """8.4.23 StatusSchedule: a status planned for a period."""

    period_begin: DateTime
    period_end: DateTime | None = None
    status: enums.Status


class RegularHours(Object):
    """8.4.21 RegularHours: weekday 1 is Monday; HH:MM in the Location's time zone."""

    weekday: Annotated[int, Field(ge=1, le=7)]
    period_begin: String5
    period_end: String5


class ExceptionalPeriod(Object):
    """8.4.11 ExceptionalPeriod: in UTC."""

    period_begin: DateTime
    period_end: DateTime


class Hours(Object):
    """8.4.14 Hours."""

    twentyfourseven: bool
    regular_hours: list[RegularHours] | None = None
    exceptional_openings: list[ExceptionalPeriod] | None = None
    exceptional_closings: list[ExceptionalPeriod] | None = None


class PublishTokenType(Object):
    """8.4.20 PublishTokenType: the tokens that an unpublished Location may be shown to."""

    uid: CiString36 | None = None
    type: enums.TokenType | None = None
    visual_number: String64 | None = None
    issuer: String64 | None = None
    group_id: CiString36 | None = None


class Connector(Addressed):
    """8.3.3 Connector: volts, amperes, watts."""

    id: CiString36
    standard: enums.ConnectorType
    format: enums.ConnectorFormat
    power_type: enums.PowerType
    max_voltage: int
    max_amperage: int
    max_electric_power: int | None = None
    tariff_ids: list[CiString36] | None = None
    terms_and_conditions: URL | None = None
    last_updated: DateTime


class EVSE(Addressed):
    """8.3.2 EVSE."""

    uid: CiString36
    evse_id: CiString48 | None = None
    status: enums.Status
    status_schedule: list[StatusSchedule] | None = None
    capabilities: list[enums.Capability] | None = None
    connectors: Annotated[list[Connector], Field(min_length=1)]
    floor_level: String4 | None = None
    coordinates: GeoLocation | None = None
    physical_reference: String16 | None = None
    directions: list[DisplayText] | None = None
    parking_restrictions: list[enums.ParkingRestriction] | None = None
    images: list[Image] | None = None
    last_updated: DateTime


class Location(Addressed):
    """8.3.1 Location."""

    country_code: CiString2
    party_id: CiString3
    id: CiString36
    publish: bool
    publish_allowed_to: list[PublishTokenType] | None = None
    name: String255 | None = None
    address: String255
    city: String45
    postal_code: String10 | None = None
    state: String45 | None = None
    country: String3
    coordinates: GeoLocation
    related_locations: list[AdditionalGeoLocation] | None = None
    parking_type: enums.ParkingType | None = None
    evses: list[EVSE] | None = None
    directions: list[DisplayText] | None = None
    operator: BusinessDetails | None = None
    suboperator: BusinessDetails | None = None
    owner: BusinessDetails | None = None
    facilities: list[enums.Facility] | None = None
    time_zone: String255
    opening_times: Hours | None = None
    charging_when_closed: bool | None = None
    images: list[Image] | None = None
    energy_mix: EnergyMix | None = None
    last_updated: DateTime
