"""The one place where errors become envelopes, and where those of the hub's own are made (OCPI 2.2.1, 4.1.7)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from connectors.answers import ABSENT, envelope
from connectors.errors import EngineAway, HubDefect, MethodNotAllowed, OcpiError, RegistryAway, Unauthorized
from hub.edge.values import Call, Pairs, Response

JSON: Final = ("Content-Type", "application/json")

DEFECT: Final = "the hub failed at this; its operator finds the reason under this X-Correlation-ID in its logging"


def made(
    status_code: int, message: str | None = None, data: object = ABSENT, *, http_status: int = 200, headers: Pairs = ()
) -> Response:
    """One of the hub's own answers, of now."""
    body = envelope(status_code, message, data, timestamp=now())
    return Response(http_status, status_code, body, (JSON, *headers))


def refusal(call: Call, error: OcpiError) -> Response:
    """The envelope that an expected failure is told by, with the headers that belong to its HTTP status."""
    code = error.status_code
    if isinstance(error, EngineAway) and call.module and call.interface is None:
        code = RegistryAway.status_code  # configuration modules know no 4xxx
    headers: Pairs = ()
    if isinstance(error, Unauthorized):
        headers = (("WWW-Authenticate", "Token"),)
    elif isinstance(error, MethodNotAllowed):
        headers = (("Allow", ", ".join(error.allowed)),)
    if error.retry_after is not None:
        headers = (*headers, ("Retry-After", str(error.retry_after)))
    return made(code, error.message, http_status=error.http_status, headers=headers)


def defect(call: Call) -> Response:
    """What a caller is told of an error that nobody expected: nothing but where its reason is found."""
    return refusal(call, HubDefect(DEFECT))


def now() -> str:
    """The time in UTC as an OCPI DateTime (2.2.1, 16.3)."""
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    """Written once for the many answers of one second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]
