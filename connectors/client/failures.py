"""What went wrong on the wire, as this project's errors: the one place that knows the client library's.

The line is whether a byte of the request may have been written: before, nothing was sent (4003); after, nobody
knows (4002). The sentences name the origin and never the path, the headers or what the peer wrote.
"""

from __future__ import annotations

import errno
import os
from typing import Final

import aiohttp

from connectors.client.dialing import Forbidden
from connectors.errors import HubError, InvalidParameters, NotConnected, OcpiError, OutcomeUnknown

FOREIGN: Final = (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, RuntimeError, ValueError, TypeError)
"""Everything that the client library and the loop are known to raise."""


def unsent(error: BaseException, origin: str) -> OcpiError:
    """The error for a request of which no byte was written."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return _late(NotConnected(f"no connection to {origin} in time; nothing was sent"))
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return NotConnected(f"the certificate of {origin} is not valid for it: {_certificate(error)}; nothing was sent")
    if isinstance(error, aiohttp.ClientSSLError):
        return NotConnected(f"TLS with {origin} failed; nothing was sent")
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        if isinstance(cause, Forbidden):
            return NotConnected(f"{origin} is refused: {cause}; nothing was sent")
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return NotConnected(f"the name in {origin} cannot be resolved; nothing was sent")
        if cause.errno == errno.ECONNREFUSED:
            return NotConnected(f"{origin} refused the connection; nothing was sent", refused=True)
        reason = os.strerror(cause.errno) if cause.errno else "the attempt failed"
        return NotConnected(f"no connection to {origin}: {reason}; nothing was sent")
    if isinstance(error, ValueError | TypeError) and not isinstance(error, aiohttp.ClientError):
        return InvalidParameters("a header's name or value cannot be sent: remove control characters")
    return NotConnected(f"no connection to {origin}; nothing was sent")


def unknown(error: BaseException, origin: str) -> OutcomeUnknown:
    """The error for a request that was begun and has no whole answer."""
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.http.HttpProcessingError):
        what = "what came back is not HTTP within the limits for its headers"
    elif isinstance(error, aiohttp.ClientPayloadError):
        what = "the answer ended before it was whole"
    elif isinstance(error, ConnectionResetError) or getattr(error, "errno", None) == errno.ECONNRESET:
        what = "the connection was reset"
    else:
        what = "the connection was lost"
    return OutcomeUnknown(f"the request to {origin} was begun, then {what}: it may have arrived")


def late(origin: str, *, begun: bool) -> OcpiError:
    """The error for a deadline that passed."""
    if begun:
        return _late(OutcomeUnknown(f"the request to {origin} was begun and not answered in time: it may have arrived"))
    return _late(NotConnected(f"no connection to {origin} before the deadline; nothing was sent"))


def _late(error: HubError) -> HubError:
    error.late = True
    return error


def _certificate(error: aiohttp.ClientConnectorCertificateError) -> str:
    return str(getattr(error.certificate_error, "verify_message", "")) or "it was not accepted"
