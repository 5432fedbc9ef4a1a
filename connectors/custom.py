"""Modules that OCPI does not define: a platform's own, such as `nltnm-tokens` (OCPI 2.2.1, 6.2.5, custom modules).

The hub knows nothing of their URLs and objects, so it passes every call of one to the party of TO, with every path,
query and body, and gives the answer back. Names are compared without case.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from connectors.catalogue import Row
from connectors.errors import MethodNotAllowed
from connectors.values import InterfaceRole, Module

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")

_DEFINED: Final = frozenset((*Module, "versions"))
_BODIED: Final = frozenset(("POST", "PUT", "PATCH"))


def is_custom(identifier: str) -> bool:
    """Whether version details name with this a module that the hub does not know."""
    return identifier.lower() not in _DEFINED


@lru_cache(maxsize=1024)
def row(module: str, interface: InterfaceRole, method: str) -> Row:
    """The row of a call of a custom module; all modules share their ids, for these are labels of metrics.

    Raises MethodNotAllowed (405).
    """
    if method not in METHODS:
        raise MethodNotAllowed(f"{method} is not a method of this URL; it has {', '.join(METHODS)}", allowed=METHODS)
    return Row(
        f"CUS-{interface[0]}-{method}",
        module,
        interface,
        method,
        "",
        model="Custom" if method in _BODIED else "",
        listing=method == "GET",  # it may be a list: the page that its Link names is reached through the hub, too
        custom=True,
    )
