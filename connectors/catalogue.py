"""The endpoint catalogue: one row a method and URL shape, the one source of routes, version details and labels.

A version module fills a `Catalogue`; the edge serves from it, version details are written from it, and metric
labels are its row ids, so the three cannot drift (OCPI 2.2.1, 7 and the endpoint tables of each module).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.errors import MethodNotAllowed, UnknownUrl
from connectors.values import InterfaceRole


@dataclass(frozen=True, slots=True)
class Row:
    """One method on one URL shape.

    `template` is the path after the endpoint URL, for example `{country_code}/{party_id}/{location_id}`; empty for
    the endpoint itself. A literal segment stands as it is. `model` names the object that the body carries, empty
    without a body; `partial` says that the body is a PATCH of it. `listing` marks paginated lists. `callback` marks
    URLs that only the hub makes: their `{ref}` is a rewritten URL, sealed or stored. `custom` marks modules that OCPI
    does not define: whatever follows the endpoint URL is theirs.
    """

    id: str
    module: str
    interface: InterfaceRole | None
    method: str
    template: str
    model: str = ""
    partial: bool = False
    listing: bool = False
    callback: bool = False
    custom: bool = False

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(self.template.split("/")) if self.template else ()


@dataclass(frozen=True, slots=True)
class Match:
    """A row and the values of its placeholders, each percent-decoded once, as the caller wrote them."""

    row: Row
    params: dict[str, str]


class Catalogue:
    """The rows of one OCPI version, found by module, interface, method and path segments."""

    def __init__(self, version: str, rows: Iterable[Row]) -> None:
        self.version = version
        self.rows = tuple(rows)
        self._modules = {row.module for row in self.rows}
        self._by_endpoint: dict[tuple[str, InterfaceRole | None], list[Row]] = {}
        self._by_shape: dict[tuple[str, InterfaceRole | None, str, int], list[tuple[Row, tuple[str, ...]]]] = {}
        for row in self.rows:
            self._by_endpoint.setdefault((row.module, row.interface), []).append(row)
            shape = (row.module, row.interface, row.method, len(row.segments))
            self._by_shape.setdefault(shape, []).append((row, row.segments))

    def serves(self, module: str) -> bool:
        """Whether there is an endpoint of this module, in whichever role."""
        return module in self._modules

    def endpoints(self) -> list[tuple[str, InterfaceRole | None]]:
        """(module, interface) of every endpoint that version details must offer, in catalogue order."""
        return list(self._by_endpoint)

    def match(self, module: str, interface: InterfaceRole | None, method: str, segments: tuple[str, ...]) -> Match:
        """The row that serves this call.

        `segments` are the decoded path segments after the endpoint URL, empty ones left out. Raises UnknownUrl (404)
        where no row has this shape, MethodNotAllowed (405) with the methods that the shape has.
        """
        for row, template in self._by_shape.get((module, interface, method, len(segments)), ()):
            params = fit(template, segments)
            if params is not None:
                return Match(row, params)
        rows = self._by_endpoint.get((module, interface))
        if rows is None:
            raise UnknownUrl(f"there is no {module} endpoint here: GET the version details for those that there are")
        allowed = [row.method for row in rows if fit(row.segments, segments) is not None]
        if allowed:
            raise MethodNotAllowed(
                f"{method} is not a method of this URL; it has {', '.join(allowed)}", allowed=tuple(allowed)
            )
        shapes = ", ".join(sorted({row.template or "(nothing)" for row in rows}))
        raise UnknownUrl(f"no URL of {module} has these path segments; after the endpoint URL come: {shapes}")


def fit(template: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    """The placeholder values if `segments` have the template's shape, else None."""
    if len(template) != len(segments):
        return None
    params: dict[str, str] = {}
    for want, have in zip(template, segments, strict=True):
        if want.startswith("{"):
            params[want[1:-1]] = have
        elif want != have:
            return None
    return params
