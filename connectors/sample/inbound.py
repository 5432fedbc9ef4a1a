"""A call that a platform serves, as its endpoints see it, and the table of endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.catalogue import Row
from connectors.errors import InvalidParameters
from connectors.sample.objects import Object, Objects
from connectors.sample.record import Received
from connectors.sample.wire import Reply
from connectors.values import InterfaceRole, PartyId


@dataclass(frozen=True, slots=True)
class Inbound:
    """An authenticated call of a functional module: the request, the row it matches, and the placeholders' values."""

    received: Received
    row: Row
    params: Mapping[str, str]

    @property
    def json(self) -> Any:
        return self.received.json

    @property
    def query(self) -> Mapping[str, str]:
        return self.received.query

    def owner(self) -> PartyId:
        """The owner in the URL. Raises InvalidParameters (2001)."""
        try:
            return PartyId.of(self.params["country_code"], self.params["party_id"])
        except ValueError as error:
            raise InvalidParameters(f"the URL names no party: {error}") from error

    def content(self) -> dict[str, Any]:
        """The body as a JSON object. Raises InvalidParameters (2001)."""
        if not isinstance(self.json, dict):
            raise InvalidParameters("the body is not a JSON object")
        return self.json


class NotHere(InvalidParameters):
    """2001 with HTTP 404: the object is not known here."""

    http_status = 404


class LocationNotHere(NotHere):
    """2003 with HTTP 404."""

    status_code = 2003


class TokenNotHere(NotHere):
    """2004 with HTTP 404 (OCPI 2.2.1, 12.2.2.2)."""

    status_code = 2004


def not_here(module: str, message: str) -> NotHere:
    """The error of an unknown object of this module."""
    kind = {"locations": LocationNotHere, "tokens": TokenNotHere}.get(module, NotHere)
    return kind(message)


class Host(Protocol):
    """What a side of a platform needs of the platform."""

    objects: Objects
    page_limit: int
    asynchronous_result: str

    def owners(self, call: Inbound) -> tuple[PartyId, ...]:
        """The own parties that a call is for: the one in its OCPI-to headers, else all."""

    def endpoint_url(self, module: str, interface: InterfaceRole) -> str:
        """The URL of an endpoint as version details advertise it, without a trailing slash."""

    def post_later(self, call: Inbound, url: str, result: object) -> None:
        """POST the asynchronous result of a call to its response_url once the call has been answered."""

    def commanded(self, call: Inbound, command: str, body: Object) -> None:
        """Tell whoever plays the charge points that a command was accepted."""


Handler = Callable[[Inbound], Reply]
Endpoints = list[tuple[Row, Handler]]

SENDER, RECEIVER = InterfaceRole.SENDER, InterfaceRole.RECEIVER


def row(module: str, interface: InterfaceRole, method: str, template: str = "") -> Row:
    """A row of the platform's own table; its id is made of its parts."""
    return Row(f"{method} {interface} {module} {template}", module, interface, method, template)
