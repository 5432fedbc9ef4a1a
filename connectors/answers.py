"""The OCPI response envelope: read from a recipient, made for the hub's own answers (2.2.1, 4.1.7 and chapter 5)."""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors import strict
from connectors.errors import InvalidParameters


class Status(NamedTuple):
    """What an envelope says: its status_code, and its status_message if that is a string."""

    status_code: int
    status_message: str | None = None

    @property
    def success(self) -> bool:
        """1xxx."""
        return 1000 <= self.status_code < 2000


class _Envelope(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    status_code: Annotated[int, Field(ge=0, le=99999)]
    status_message: Any = None


_read = _Envelope.__pydantic_validator__.validate_json


def read_status(body: bytes) -> Status | None:
    """The status of a recipient's answer, or None if it is no OCPI envelope.

    An envelope is a JSON object with a whole number as its status_code; the rest of it is the recipient's business.
    Raises nothing.
    """
    if strict.has_constant(body):
        return _read_slowly(body)
    try:
        envelope = _read(body)
    except ValidationError:
        return _read_slowly(body)
    message = envelope.status_message
    return Status(envelope.status_code, message if isinstance(message, str) else None)


def _read_slowly(body: bytes) -> Status | None:
    """The same for what the fast parser will not take although it is JSON: deep nesting, enormous numbers."""
    try:
        value = strict.loads(body)
    except InvalidParameters:
        return None
    if not isinstance(value, dict):
        return None
    code, message = value.get("status_code"), value.get("status_message")
    if type(code) is not int or not 0 <= code <= 99999:
        return None
    return Status(code, message if isinstance(message, str) else None)


class _Absent:
    """The type of ABSENT."""


ABSENT: Final = _Absent()
"""No `data` at all, which is not the same as `null`."""


def envelope(status_code: int, message: str | None = None, data: object = ABSENT, *, timestamp: str) -> bytes:
    """One of the hub's own answers as JSON.

    `timestamp` is a DateTime in UTC that ends in `Z`. `data` is anything that orjson writes, an `orjson.Fragment` of
    bytes at hand included. Raises TypeError where it cannot, which is a defect.
    """
    content: dict[str, object] = {} if isinstance(data, _Absent) else {"data": data}
    content["status_code"] = status_code
    if message is not None:
        # A sentence may quote what the caller sent, lone surrogates of a header included.
        content["status_message"] = message.encode("utf-8", "replace").decode()
    content["timestamp"] = timestamp
    return orjson.dumps(content)
