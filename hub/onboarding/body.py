"""The Credentials object as a platform sends it, judged strictly, and as the hub sends it (OCPI 2.2.1, 7.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import SecretStr, ValidationError

from connectors.errors import InvalidParameters, NotJson
from connectors.v2_2_1.models import Credentials
from connectors.values import PartyId, Role
from routing.directory import Party

MAX_TOLD = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a platform asks for: how to call it (`credential`, `versions_url`), and the parties that it hosts."""

    credential: SecretStr
    versions_url: str
    parties: tuple[Party, ...]


def judge(body: bytes, at: str = "$") -> Wanted:
    """The Credentials object of a request's body, or of an answer's data; `at` is the JSON path where it stood.

    Raises NotJson (400), and InvalidParameters (2001) that names every path that is off, the first 20, and never
    what stands there, because that may be a secret.
    """
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise NotJson(f"the body is not JSON: {wrong.msg} at line {wrong.lineno} column {wrong.colno}") from None
    try:
        credentials = Credentials.model_validate_json(body)
    except ValidationError as wrong:
        told = wrong.errors(include_url=False, include_input=False, include_context=False)
        raise _invalid(f"{_path(at, error['loc'])}: {error['msg']}" for error in told) from None
    off = []
    if not all("!" <= sign <= "~" for sign in credentials.token):
        off.append(f"{at}.token: only printable ASCII without blanks may be in it")
    parties = []
    for index, role in enumerate(credentials.roles):
        try:
            party = PartyId.of(role.country_code, role.party_id)
        except ValueError as wrong:
            off.append(f"{at}.roles[{index}]: {wrong}")
        else:
            parties.append(Party(party, Role(role.role), role.business_details.name))
    if off:
        raise _invalid(off)
    return Wanted(SecretStr(credentials.token), credentials.url, tuple(parties))


def written(*, credential: str, versions_url: str, hub: PartyId, name: str) -> dict[str, Any]:
    """What the hub sends: one role HUB, never the parties behind it (OCPI 2.2.1, 7.4.1)."""
    return {
        "token": credential,
        "url": versions_url,
        "roles": [
            {
                "role": Role.HUB.value,
                "business_details": {"name": name},
                "party_id": hub.party_id,
                "country_code": hub.country_code,
            }
        ],
    }


def _invalid(sentences: Iterable[str]) -> InvalidParameters:
    told = list(sentences)
    more = f"; and {len(told) - MAX_TOLD} more" if len(told) > MAX_TOLD else ""
    return InvalidParameters(f"the Credentials object is not valid: {'; '.join(told[:MAX_TOLD])}{more}")


def _path(at: str, location: tuple[int | str, ...]) -> str:
    return at + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
