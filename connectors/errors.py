"""The one tree of expected failures: each carries an HTTP status, an OCPI status code and a sentence.

The sentence tells the caller what to mend and where (a JSON path, a header's name). The edge turns any of these
into an envelope in one place; nothing here is a stack trace. OCPI status codes: 2.2.1, chapter 5; the HTTP
status beside each: the hub's answers table (docs, "what an answer means").
"""

from __future__ import annotations

from typing import ClassVar


class OcpiError(Exception):
    """An expected failure that a caller is told of as `{"status_code": ..., "status_message": ...}`.

    `retry_after` is whole seconds for the Retry-After header, where there is one.
    """

    http_status: ClassVar[int] = 200
    status_code: ClassVar[int] = 2000
    retry_after: int | None = None

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        if retry_after is not None:
            self.retry_after = retry_after


# --- what the caller did ---------------------------------------------------------------------------------------------


class InvalidParameters(OcpiError):
    """2001: a parameter, header or field is missing, wrong or contradicts another."""

    status_code = 2001


class NotJson(InvalidParameters):
    """2001 with HTTP 400: the body is not JSON at all."""

    http_status = 400


class TooLarge(InvalidParameters):
    """2001 with HTTP 413: the body is over the size limit."""

    http_status = 413


class TooSlow(OcpiError):
    """HTTP 408: the body did not arrive at the least rate."""

    http_status = 408


class Unauthorized(OcpiError):
    """HTTP 401: no, an unknown or a suspended credential, or one that may not be used here."""

    http_status = 401


class UnknownUrl(OcpiError):
    """HTTP 404: nothing is served under this URL."""

    http_status = 404


class UnknownToken(OcpiError):
    """2004 with HTTP 404: no eMSP is known that has the token which is to be authorised (2.2.1, 12.2.2.2)."""

    http_status = 404
    status_code = 2004


class MethodNotAllowed(OcpiError):
    """HTTP 405: the URL exists, this method does not. `allowed` is for the Allow header."""

    http_status = 405

    def __init__(self, message: str, *, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allowed = allowed


class TooManyRequests(OcpiError):
    """HTTP 429: too many in flight or too fast."""

    http_status = 429
    retry_after = 1


# --- registration (3.x of the credentials module) --------------------------------------------------------------------


class UnusableApi(OcpiError):
    """3001: the caller's own API could not be used during registration; the sentence names the step and the URL."""

    status_code = 3001


class UnsupportedVersion(OcpiError):
    """3002: no version in common."""

    status_code = 3002


class NoMatchingEndpoints(OcpiError):
    """3003: an endpoint that was expected is not in the version details."""

    status_code = 3003


# --- what a hub says (4xxx) ------------------------------------------------------------------------------------------


class HubError(OcpiError):
    """4000: generic hub error; also a recipient that answered without an OCPI envelope, or lacks the module.

    `late`: the deadline of the connection or of the answer passed.
    """

    status_code = 4000
    late: bool = False


class UnknownReceiver(HubError):
    """4001: the addressed party is unknown, ambiguous, or not allowed."""

    status_code = 4001


class OutcomeUnknown(HubError):
    """4002: the request was begun and then the deadline passed or the connection was lost: it may have arrived."""

    status_code = 4002


class NotConnected(HubError):
    """4003: no byte was sent to the recipient and none will be. `refused`: the connection itself was refused."""

    status_code = 4003

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class NotRegistered(NotConnected):
    """4003: whoever is meant was invited and has not registered yet, as far as is known here."""


# --- what the hub itself lacks ---------------------------------------------------------------------------------------


class EngineAway(OcpiError):
    """HTTP 503 and 4000: the hub's log or store is away; repeat the call later (functional modules)."""

    http_status = 503
    status_code = 4000
    retry_after = 2


class RegistryAway(EngineAway):
    """HTTP 503 and 3000: the same on credentials, versions and hubclientinfo."""

    status_code = 3000


class HubDefect(OcpiError):
    """HTTP 500 and 3000, with an envelope: a defect of the hub; the details are in its logging, not in the answer."""

    http_status = 500
    status_code = 3000
