"""The few words of the wire that a sample party needs on both of its sides: envelope, time, Authorization header."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from connectors.values import PartyId

VERSION: Final = "2.2.1"
REQUEST_ID: Final = "X-Request-ID"
CORRELATION_ID: Final = "X-Correlation-ID"
TO_COUNTRY: Final = "OCPI-to-country-code"
TO_PARTY: Final = "OCPI-to-party-id"
FROM_COUNTRY: Final = "OCPI-from-country-code"
FROM_PARTY: Final = "OCPI-from-party-id"

NO_DATA: Final = object()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a served endpoint answers, before it is an HTTP response (OCPI 2.2.1, 4.1.7); `data` may be left out."""

    data: object = NO_DATA
    code: int = 1000
    message: str = ""
    http_status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """The envelope's bytes."""
        return envelope(self.data, self.code, self.message)


def envelope(data: object = NO_DATA, code: int = 1000, message: str = "") -> bytes:
    """An OCPI response body with the time of now; without `data` where none is given."""
    content: dict[str, object] = {} if data is NO_DATA else {"data": data}
    content["status_code"] = code
    if message:
        content["status_message"] = message
    content["timestamp"] = now()
    return orjson.dumps(content)


def now(ahead: float = 0.0) -> str:
    """The time in UTC as an OCPI DateTime with milliseconds, `ahead` seconds from now."""
    return stamp(datetime.now(UTC) + timedelta(seconds=ahead))


def stamp(moment: datetime) -> str:
    """A moment in UTC as an OCPI DateTime (2.2.1, 16.3)."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The moment that an OCPI DateTime names; no designator means UTC. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def new_credential() -> str:
    """A credential of 256 random bits."""
    return secrets.token_urlsafe(32)


def present(credential: str, *, raw: bool = False) -> str:
    """The Authorization header's value: Base64 as 2.2.1 asks, or raw as many platforms send it (4.1.2)."""
    value = credential if raw else base64.b64encode(credential.encode()).decode()
    return f"Token {value}"


def candidates(header: str) -> tuple[str, ...]:
    """Every credential that an Authorization header can mean: as it stands, and decoded where it is Base64."""
    scheme, _, value = header.strip().partition(" ")
    value = value.strip()
    if scheme.lower() != "token" or not value:
        return ()
    try:
        decoded = base64.b64decode(value, validate=True).decode("ascii").strip()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return (value,)
    return (value, decoded) if decoded else (value,)


def party(headers: Mapping[str, str], country: str, party_id: str) -> PartyId | None:
    """The party of a pair of routing headers, None where one is missing or they name none."""
    try:
        return PartyId.of(headers[country], headers[party_id])
    except (KeyError, ValueError):
        return None


def object_of(body: Any) -> dict[str, Any]:
    """A decoded body as a JSON object, empty where it is none."""
    return body if isinstance(body, dict) else {}
