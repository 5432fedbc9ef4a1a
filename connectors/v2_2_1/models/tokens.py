"""The Tokens module of OCPI 2.2.1 (chapter 12), real-time authorisation included."""

from __future__ import annotations

from connectors.v2_2_1.models import enums
from connectors.v2_2_1.models.common import DisplayText
from connectors.v2_2_1.models.types import (
    Addressed,
    CiString2,
    CiString3,
    CiString36,
    DateTime,
    Object,
    String2,
    String64,
)


class EnergyContract(Object):
    """12.4.2 EnergyContract."""

    supplier_name: String64
    contract_id: String64 | None = None


class Token(Addressed):
    """12.3.2 Token: uid and type together are unique for its owner."""

    country_code: CiString2
    party_id: CiString3
    uid: CiString36
    type: enums.TokenType
    contract_id: CiString36
    visual_number: String64 | None = None
    issuer: String64
    group_id: CiString36 | None = None
    valid: bool
    whitelist: enums.WhitelistType
    language: String2 | None = None
    default_profile_type: enums.ProfileType | None = None
    energy_contract: EnergyContract | None = None
    last_updated: DateTime


class LocationReferences(Addressed):
    """12.4.3 LocationReferences: where a Token is about to be used."""

    location_id: CiString36
    evse_uids: list[CiString36] | None = None


class AuthorizationInfo(Addressed):
    """12.3.1 AuthorizationInfo: the answer to a real-time authorisation."""

    allowed: enums.AllowedType
    token: Token
    location: LocationReferences | None = None
    authorization_reference: CiString36 | None = None
    info: DisplayText | None = None
