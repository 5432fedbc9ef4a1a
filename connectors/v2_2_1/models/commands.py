"""The Commands module of OCPI 2.2.1 (chapter 13). Timeouts are in seconds."""

from __future__ import annotations

from connectors.v2_2_1.models import enums
from connectors.v2_2_1.models.common import DisplayText
from connectors.v2_2_1.models.tokens import Token
from connectors.v2_2_1.models.types import URL, Addressed, CiString36, DateTime


class CancelReservation(Addressed):
    """13.3.1 CancelReservation."""

    response_url: URL
    reservation_id: CiString36


class ReserveNow(Addressed):
    """13.3.4 ReserveNow."""

    response_url: URL
    token: Token
    expiry_date: DateTime
    reservation_id: CiString36
    location_id: CiString36
    evse_uid: CiString36 | None = None
    authorization_reference: CiString36 | None = None


class StartSession(Addressed):
    """13.3.5 StartSession."""

    response_url: URL
    token: Token
    location_id: CiString36
    evse_uid: CiString36 | None = None
    connector_id: CiString36 | None = None
    authorization_reference: CiString36 | None = None


class StopSession(Addressed):
    """13.3.6 StopSession."""

    response_url: URL
    session_id: CiString36


class UnlockConnector(Addressed):
    """13.3.7 UnlockConnector."""

    response_url: URL
    location_id: CiString36
    evse_uid: CiString36
    connector_id: CiString36


class CommandResponse(Addressed):
    """13.3.2 CommandResponse: the receiver's immediate answer."""

    result: enums.CommandResponseType
    timeout: int
    message: list[DisplayText] | None = None


class CommandResult(Addressed):
    """13.3.3 CommandResult: what the charge point made of it, posted to the response_url without an envelope."""

    result: enums.CommandResultType
    message: list[DisplayText] | None = None
