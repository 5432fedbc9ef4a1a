"""The objects of OCPI 2.2.1 as pydantic models, and the table of those that travel as a body."""

from __future__ import annotations

from connectors.v2_2_1.models.cdrs import CDR
from connectors.v2_2_1.models.chargingprofiles import (
    ActiveChargingProfile,
    ActiveChargingProfileResult,
    ChargingProfileResponse,
    ChargingProfileResult,
    ClearProfileResult,
    SetChargingProfile,
)
from connectors.v2_2_1.models.commands import (
    CancelReservation,
    CommandResponse,
    CommandResult,
    ReserveNow,
    StartSession,
    StopSession,
    UnlockConnector,
)
from connectors.v2_2_1.models.common import BusinessDetails
from connectors.v2_2_1.models.credentials import Credentials, CredentialsRole, Endpoint, Version, VersionDetails
from connectors.v2_2_1.models.locations import EVSE, Connector, Location
from connectors.v2_2_1.models.sessions import CdrToken, ChargingPreferences, Session
from connectors.v2_2_1.models.tariffs import Tariff
from connectors.v2_2_1.models.tokens import AuthorizationInfo, LocationReferences, Token
from connectors.v2_2_1.models.types import Object, partial

BODIES: dict[str, type[Object]] = {
    model.__name__: model
    for model in (
        Location,
        EVSE,
        Connector,
        Session,
        ChargingPreferences,
        CDR,
        Tariff,
        Token,
        LocationReferences,
        CommandResult,
        SetChargingProfile,
        ActiveChargingProfile,
        ActiveChargingProfileResult,
        Credentials,
    )
}
"""The objects that a request carries, by the name that a catalogue row gives as its `model`."""

COMMANDS: dict[str, type[Object]] = {
    "CANCEL_RESERVATION": CancelReservation,
    "RESERVE_NOW": ReserveNow,
    "START_SESSION": StartSession,
    "STOP_SESSION": StopSession,
    "UNLOCK_CONNECTOR": UnlockConnector,
}
"""The body of each CommandType (13.4.3)."""

PATCHES: dict[str, type[Object]] = {
    model.__name__: partial(model) for model in (Location, EVSE, Connector, Session, Token)
}
"""The body of a PATCH of each object that has one."""

__all__ = [
    "BODIES",
    "COMMANDS",
    "PATCHES",
    "Location",
    "EVSE",
    "Connector",
    "Session",
    "ChargingPreferences",
    "CDR",
    "CdrToken",
    "Tariff",
    "Token",
    "LocationReferences",
    "AuthorizationInfo",
    "CancelReservation",
    "ReserveNow",
    "StartSession",
    "StopSession",
    "UnlockConnector",
    "CommandResponse",
    "CommandResult",
    "SetChargingProfile",
    "ActiveChargingProfile",
    "ActiveChargingProfileResult",
    "ChargingProfileResponse",
    "ChargingProfileResult",
    "ClearProfileResult",
    "Credentials",
    "CredentialsRole",
    "BusinessDetails",
    "Version",
    "Endpoint",
    "VersionDetails",
    "Object",
    "partial",
]
