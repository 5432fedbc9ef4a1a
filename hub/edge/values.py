"""A call as it goes through the stages of the edge, and the response that it ends as."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from connectors.authorization import Form
from connectors.catalogue import Row
from connectors.judgement import Judgement
from connectors.values import InterfaceRole, PartyId
from hub.edge.limits import Use
from routing.directory import Issued, Party, Platform

Pairs = tuple[tuple[str, str], ...]

UNKNOWN = "unknown"
"""The route label of a call for which no row of the catalogue was found."""


class Caller(NamedTuple):
    """Who holds the credential: its platform, the credential as issued, and how it was written in the header."""

    platform: Platform
    issued: Issued
    form: Form


class Response(NamedTuple):
    """What the caller is answered. `status_code` is the OCPI code of the envelope in `body`, for metrics."""

    http_status: int
    status_code: int
    body: bytes
    headers: Pairs = ()


class Call:
    """One OCPI request that reached the hub, filled in stage by stage; what is not known yet is None or empty.

    `target` is the path and query as on the request line. `started` is the edge's monotonic clock, in seconds, at the
    request line, `at` UTC ms. `waited` sums the seconds spent on recipients and the log: the rest is the hub's own
    part. `answered_by` is who the answer is from. `use` is what the caller's platform has in flight, `held` how many
    bytes of it are this call's body and long answer. Defaults stand in the class, since one is made for every call.
    """

    waited = 0.0
    request_id = ""
    correlation_id = ""
    caller: Caller | None = None
    use: Use | None = None
    held = 0
    module = ""
    interface: InterfaceRole | None = None
    path: tuple[str, ...] = ()
    query = ""
    row: Row | None = None
    params: Mapping[str, str] = MappingProxyType({})
    sender: Party | None = None
    to: PartyId | None = None
    answered_by: PartyId | None = None
    body = b""
    judgement = Judgement()

    def __init__(self, method: str, target: str, headers: Mapping[str, str], started: float, at: int) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.started = started
        self.at = at

    def hold(self, size: int) -> None:
        """The body is at least so many bytes now. Raises TooManyRequests (429)."""
        if size > self.held and self.use is not None:
            self.use.hold(size - self.held)
            self.held = size

    async def hold_back(self) -> None:
        """Wait a moment before the answer 429, where that costs no memory: asking again at once is then of no use."""

    def leave(self) -> None:
        """Its answer is written, or cannot be: what was held for it is given back."""
        if self.use is not None:
            self.use.leave(self.held)
            self.use = None

    async def read(self, limit: int) -> bytes:
        """The whole body.

        Raises TooLarge (413) over `limit` bytes, TooSlow (408), TooManyRequests (429) where it does not fit beside the
        others in flight, and NotJson (400) when it does not arrive whole.
        """
        del limit
        return self.body
