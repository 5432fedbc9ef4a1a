"""How a request towards a party is put together, and what counts as its answer. Pure.

Shared by relays (edge) and pushes (worker), so that both mean the same by a recipient's endpoint and answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.answers import read_status
from connectors.errors import HubError
from connectors.v2_2_1.urls import build, join
from connectors.values import InterfaceRole, PartyId
from routing.directory import Hosted, Platform

if TYPE_CHECKING:
    from connectors.client.client import Answer  # a name of the dead letters needs no HTTP client, nor the CLI theirs

_AUTH_REFUSED = (401, 403)


@dataclass(frozen=True, slots=True)
class Answered:
    """A recipient's own answer: an OCPI envelope under any HTTP status but 401 and 403. `ms`: how long it took.

    `echoes`: it did not take what it was sent, and the hub's credential at it stands in this: it is not to be kept.
    """

    http_status: int
    status_code: int
    headers: Mapping[str, str]
    body: bytes
    ms: float
    echoes: bool = False


class NoEnvelope(HubError):
    """4000: a recipient answered, and what came is no answer of OCPI.

    `came_status` is the HTTP status of it, `came` its body, empty where that is not to be kept, `asked` its
    Retry-After as it came.
    """

    def __init__(self, message: str, came_status: int, came: bytes, asked: str = "") -> None:
        super().__init__(message)
        self.came_status = came_status
        self.came = came
        self.asked = asked


def target(platform: Platform, module: str, interface: InterfaceRole, path: tuple[str, ...], query: str) -> str:
    """The URL of a call at this platform: its endpoint as advertised, the path encoded again, the query as it came.

    Raises HubError (4000) when the platform does not offer the module in that role.
    """
    endpoint = platform.endpoint(module, interface)
    if endpoint is None:
        raise HubError(
            f"the recipient is known, but its version details offer no {module} endpoint as {interface}; "
            "ask its operator to add it and to register again (PUT credentials)"
        )
    return join(endpoint.url, build(path), query)


def headers_of(platform: Platform) -> Mapping[str, str]:
    """What the operator set to be said to this platform in every request."""
    agent = platform.settings.user_agent
    return {"User-Agent": agent} if agent else {}


def limited(platform: Platform, query: str) -> str:
    """A list's query as this platform bears it: `limit` at most what the operator set, all else as it came."""
    most = platform.settings.page_limit
    if most is None:
        return query
    parts = [part for part in query.split("&") if part]
    asked = [part.partition("=")[2] for part in parts if part.partition("=")[0] == "limit"]
    if len(asked) == 1 and asked[0].isascii() and asked[0].isdigit() and int(asked[0]) <= most:
        return query
    return "&".join((*(part for part in parts if part.partition("=")[0] != "limit"), f"limit={most}"))


def speaker(to: Platform, owner: PartyId, hub: PartyId) -> PartyId:
    """Who is in FROM when a broadcast reaches this platform: the hub (4.4), or the owner where it was set so."""
    return owner if to.settings.from_owner else hub


def accept(answer: Answer, to: Hosted) -> Answered:
    """Raises NoEnvelope (4000), saying what came, when this is not an answer that may be passed on."""
    if answer.http_status in _AUTH_REFUSED:
        raise NoEnvelope(
            f"{to.party.id} answered HTTP {answer.http_status}: it does not accept the hub's credential; "
            "this is between the hub and that party, not about your credential",
            answer.http_status,
            answer.body,
        )
    status = read_status(answer.body)
    if status is None:
        raise NoEnvelope(
            f"{to.party.id} answered HTTP {answer.http_status} {describe(answer)} instead of an OCPI envelope",
            answer.http_status,
            answer.body,
            answer.headers.get("Retry-After", ""),
        )
    return Answered(answer.http_status, status.status_code, answer.headers, answer.body, answer.ms)


def describe(answer: Answer) -> str:
    """What came instead of an envelope, in a few words and without its content."""
    if not answer.body:
        return "with an empty body"
    kind = answer.headers.get("Content-Type", "no Content-Type").split(";")[0][:60]
    return f"with {len(answer.body)} bytes of {kind!r}"
