"""What the queries of searches have in common: a party, and moments. Each raises BadRequest with a sentence."""

from __future__ import annotations

from connectors.values import PartyId
from hub.operator.requests import BadRequest
from routing.store.codec import moment


def party_of(text: str) -> PartyId | None:
    """The party of `NL-TNM`; None where nothing is said."""
    try:
        return PartyId.parse(text) if text else None
    except ValueError as wrong:
        raise BadRequest(f"party of the query: {wrong}") from None


def moment_of(name: str, text: str) -> int | None:
    """UTC ms of a moment in ISO 8601; None where nothing is said. `name` is the parameter's."""
    if not text:
        return None
    at = moment(text)
    if at is None:
        raise BadRequest(f"{name} of the query is no moment; write it as 2026-01-31T12:00:00Z")
    return at
