"""OCPI's own words as values: parties, roles, interfaces and modules (OCPI 2.2.1, 2.1 and 4.2)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

_COUNTRY = re.compile(r"[A-Z]{2}")
_PARTY = re.compile(r"[!-~]{1,3}")


class Role(StrEnum):
    """The Role enum of OCPI 2.2.1 (16.x credentials)."""

    CPO = "CPO"
    EMSP = "EMSP"
    HUB = "HUB"
    NAP = "NAP"
    NSP = "NSP"
    OTHER = "OTHER"
    SCSP = "SCSP"


class InterfaceRole(StrEnum):
    """Which side of a module an endpoint implements; it never flips at a hub."""

    SENDER = "SENDER"
    RECEIVER = "RECEIVER"


class Module(StrEnum):
    """The module identifiers of version details that this hub knows by name."""

    CREDENTIALS = "credentials"
    HUBCLIENTINFO = "hubclientinfo"
    LOCATIONS = "locations"
    TARIFFS = "tariffs"
    TOKENS = "tokens"
    SESSIONS = "sessions"
    CDRS = "cdrs"
    COMMANDS = "commands"
    CHARGINGPROFILES = "chargingprofiles"


class PartyId(NamedTuple):
    """country_code and party_id of a party, both in upper case, because OCPI compares them without case."""

    country_code: str
    party_id: str

    @classmethod
    def of(cls, country_code: str, party_id: str) -> PartyId:
        """The party of two CiStrings as they came; raises ValueError with a sentence when they cannot be one."""
        country, party = country_code.strip().upper(), party_id.strip().upper()
        if not _COUNTRY.fullmatch(country):
            raise ValueError(f"country_code {country_code!r} is not two letters (ISO 3166-1 alpha-2)")
        if not _PARTY.fullmatch(party):
            raise ValueError(f"party_id {party_id!r} is not one to three printable characters")
        return cls(country, party)

    @classmethod
    def parse(cls, text: str) -> PartyId:
        """The party of `NL-TNM`, as people write it; raises ValueError."""
        country, dash, party = text.partition("-")
        if not dash:
            raise ValueError(f"{text!r} is not a party: write COUNTRY-PARTY, for example NL-TNM")
        return cls.of(country, party)

    def __str__(self) -> str:
        return f"{self.country_code}-{self.party_id}"
