"""What may be sent again: decided by its method, its module, and what the recipient may have seen of it. Pure.

Whether it is worth it, and when, is another question (routing/policy, routing/policies); this one comes first.
"""

from __future__ import annotations

from enum import StrEnum

from connectors.errors import NotConnected, OcpiError, OutcomeUnknown
from connectors.values import Module
from routing.outbound import Answered

_STATES = frozenset((Module.LOCATIONS, Module.TARIFFS, Module.TOKENS, Module.SESSIONS))
"""Modules whose PUT and DELETE say what an object is, however often that is said."""
_SETS_FIELDS = _STATES - {Module.SESSIONS}
"""Modules whose PATCH sets fields; that of a session appends its charging_periods (OCPI 2.2.1, 9.2.2)."""


class Saw(StrEnum):
    """What a recipient may have seen of a request."""

    NOTHING = "nothing"
    """No byte of it was sent."""
    PERHAPS = "perhaps"
    """It was begun, and nobody knows."""
    ALL = "all"
    """It was answered, in whatever way."""


def saw(came: Answered | OcpiError) -> Saw:
    """What its recipient saw of a request of which this came."""
    if isinstance(came, NotConnected):
        return Saw.NOTHING
    return Saw.PERHAPS if isinstance(came, OutcomeUnknown) else Saw.ALL


def may_repeat(method: str, module: str, seen: Saw) -> bool:
    """Whether a request may go out again without anything being done twice.

    What was not seen may always. A GET changes nothing; a PUT or DELETE of a state says the same again; so does a PATCH
    that sets fields. Whatever appends or starts something (POST, a session's PATCH) is done twice, and what another
    module means by its methods is not known.
    """
    if seen is Saw.NOTHING or method == "GET":
        return True
    if method in ("PUT", "DELETE"):
        return module in _STATES
    return method == "PATCH" and module in _SETS_FIELDS
