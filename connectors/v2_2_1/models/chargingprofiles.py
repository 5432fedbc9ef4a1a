"""The ChargingProfiles module of OCPI 2.2.1 (chapter 14). Durations and periods are in seconds."""

from __future__ import annotations

from connectors.v2_2_1.models import enums
from connectors.v2_2_1.models.types import URL, Addressed, DateTime, Object


class ChargingProfilePeriod(Object):
    """14.4.4 ChargingProfilePeriod: limit in the profile's charging_rate_unit."""

    start_period: int
    limit: float


class ChargingProfile(Object):
    """14.4.3 ChargingProfile."""

    start_date_time: DateTime | None = None
    duration: int | None = None
    charging_rate_unit: enums.ChargingRateUnit
    min_charging_rate: float | None = None
    charging_profile_period: list[ChargingProfilePeriod] | None = None


class SetChargingProfile(Addressed):
    """14.3.5 SetChargingProfile."""

    charging_profile: ChargingProfile
    response_url: URL


class ActiveChargingProfile(Addressed):
    """14.4.1 ActiveChargingProfile: what the EVSE will follow."""

    start_date_time: DateTime
    charging_profile: ChargingProfile


class ChargingProfileResponse(Addressed):
    """14.3.1 ChargingProfileResponse: the receiver's immediate answer."""

    result: enums.ChargingProfileResponseType
    timeout: int


class ActiveChargingProfileResult(Addressed):
    """14.3.2 ActiveChargingProfileResult; profile only where the result is ACCEPTED."""

    result: enums.ChargingProfileResultType
    profile: ActiveChargingProfile | None = None


class ChargingProfileResult(Addressed):
    """14.3.3 ChargingProfileResult."""

    result: enums.ChargingProfileResultType


class ClearProfileResult(Addressed):
    """14.3.4 ClearProfileResult."""

    result: enums.ChargingProfileResultType
