"""The endpoints of OCPI 2.2.1 that the hub serves (the endpoint tables of chapters 6 to 14), ids as in its reference.

Versions, credentials and hubclientinfo are configuration: terminated by the hub, without an interface. Every other row
is forwarded.
`Command` stands for the body of the command that the URL names, whichever it is.
"""

from __future__ import annotations

from connectors.catalogue import Catalogue, Row
from connectors.values import InterfaceRole

VERSION = "2.2.1"

VERSIONS = "versions"
"""The module name of the two version rows; OCPI has none, version details never list it."""

_S, _R = InterfaceRole.SENDER, InterfaceRole.RECEIVER
_LOCATION = "{country_code}/{party_id}/{location_id}"
_EVSE = f"{_LOCATION}/{{evse_uid}}"
_CONNECTOR = f"{_EVSE}/{{connector_id}}"
_SESSION = "{country_code}/{party_id}/{session_id}"
_TARIFF = "{country_code}/{party_id}/{tariff_id}"
_TOKEN = "{country_code}/{party_id}/{token_uid}"

_ROWS = (
    Row("VER-1", VERSIONS, None, "GET", ""),
    Row("VER-2", VERSIONS, None, "GET", "{version}"),
    Row("CRE-1", "credentials", None, "GET", ""),
    Row("CRE-2", "credentials", None, "POST", "", model="Credentials"),
    Row("CRE-3", "credentials", None, "PUT", "", model="Credentials"),
    Row("CRE-4", "credentials", None, "DELETE", ""),
    Row("HCI-S1", "hubclientinfo", None, "GET", "", listing=True),
    Row("HCI-R1", "hubclientinfo", None, "GET", "{country_code}/{party_id}"),
    Row("HCI-R2", "hubclientinfo", None, "PUT", "{country_code}/{party_id}", model="ClientInfo"),
    Row("LOC-S1", "locations", _S, "GET", "", listing=True),
    Row("LOC-S2", "locations", _S, "GET", "{location_id}"),
    Row("LOC-S3", "locations", _S, "GET", "{location_id}/{evse_uid}"),
    Row("LOC-S4", "locations", _S, "GET", "{location_id}/{evse_uid}/{connector_id}"),
    Row("LOC-R1", "locations", _R, "GET", _LOCATION),
    Row("LOC-R2", "locations", _R, "GET", _EVSE),
    Row("LOC-R3", "locations", _R, "GET", _CONNECTOR),
    Row("LOC-R4", "locations", _R, "PUT", _LOCATION, model="Location"),
    Row("LOC-R5", "locations", _R, "PUT", _EVSE, model="EVSE"),
    Row("LOC-R6", "locations", _R, "PUT", _CONNECTOR, model="Connector"),
    Row("LOC-R7", "locations", _R, "PATCH", _LOCATION, model="Location", partial=True),
    Row("LOC-R8", "locations", _R, "PATCH", _EVSE, model="EVSE", partial=True),
    Row("LOC-R9", "locations", _R, "PATCH", _CONNECTOR, model="Connector", partial=True),
    Row("SES-S1", "sessions", _S, "GET", "", listing=True),
    Row("SES-S2", "sessions", _S, "PUT", "{session_id}/charging_preferences", model="ChargingPreferences"),
    Row("SES-R1", "sessions", _R, "GET", _SESSION),
    Row("SES-R2", "sessions", _R, "PUT", _SESSION, model="Session"),
    Row("SES-R3", "sessions", _R, "PATCH", _SESSION, model="Session", partial=True),
    Row("CDR-S1", "cdrs", _S, "GET", "", listing=True),
    Row("CDR-R1", "cdrs", _R, "POST", "", model="CDR"),
    Row("CDR-R2", "cdrs", _R, "GET", "{ref}", callback=True),
    Row("TAR-S1", "tariffs", _S, "GET", "", listing=True),
    Row("TAR-R1", "tariffs", _R, "GET", _TARIFF),
    Row("TAR-R2", "tariffs", _R, "PUT", _TARIFF, model="Tariff"),
    Row("TAR-R4", "tariffs", _R, "DELETE", _TARIFF),
    Row("TOK-S1", "tokens", _S, "GET", "", listing=True),
    Row("TOK-S2", "tokens", _S, "POST", "{token_uid}/authorize", model="LocationReferences"),
    Row("TOK-R1", "tokens", _R, "GET", _TOKEN),
    Row("TOK-R2", "tokens", _R, "PUT", _TOKEN, model="Token"),
    Row("TOK-R3", "tokens", _R, "PATCH", _TOKEN, model="Token", partial=True),
    Row("CMD-R1", "commands", _R, "POST", "{command}", model="Command"),
    Row("CMD-S1", "commands", _S, "POST", "{command}/{ref}", model="CommandResult", callback=True),
    Row("CHP-R1", "chargingprofiles", _R, "GET", "{session_id}"),
    Row("CHP-R2", "chargingprofiles", _R, "PUT", "{session_id}", model="SetChargingProfile"),
    Row("CHP-R3", "chargingprofiles", _R, "DELETE", "{session_id}"),
    # The three results of this module differ in one optional field, and the URL does not tell which one comes.
    Row("CHP-S1", "chargingprofiles", _S, "POST", "result/{ref}", model="ActiveChargingProfileResult", callback=True),
    Row("CHP-S2", "chargingprofiles", _S, "PUT", "{session_id}", model="ActiveChargingProfile"),
)

CATALOGUE = Catalogue(VERSION, _ROWS)
"""Every row of 2.2.1; `endpoints()` includes the configuration ones, whose interface is None."""
