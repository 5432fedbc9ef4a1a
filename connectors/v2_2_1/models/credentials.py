"""Versions (chapter 6) and Credentials (chapter 7) of OCPI 2.2.1."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connectors.v2_2_1.models import enums
from connectors.v2_2_1.models.common import BusinessDetails
from connectors.v2_2_1.models.types import URL, Addressed, CiString2, CiString3, Object, String64
from connectors.values import InterfaceRole


class Version(Object):
    """6.1.2 Version: a version number that a party offers, and where its details are."""

    version: str
    url: URL


class Endpoint(Object):
    """6.2.2 Endpoint: identifiers are open, because parties may offer modules of their own (6.2.4)."""

    identifier: str
    role: Annotated[InterfaceRole, Field(strict=False)]
    url: URL


class VersionDetails(Object):
    """6.2.1: the endpoints of one version."""

    version: str
    endpoints: list[Endpoint]


class CredentialsRole(Object):
    """7.4.1 CredentialsRole: one party of a platform."""

    role: enums.Role
    business_details: BusinessDetails
    party_id: CiString3
    country_code: CiString2


class Credentials(Addressed):
    """7.3.1 Credentials: the secret to call a platform with, its versions URL, its parties."""

    token: Annotated[String64, Field(min_length=1, repr=False)]
    url: URL
    roles: Annotated[list[CredentialsRole], Field(min_length=1)]
