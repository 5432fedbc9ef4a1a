"""What a body of OCPI 2.2.1 is judged to be, and what of it is refused always (2.2.1, 4.1.2, 4.1.6, 5; DESIGN, 4).

Refused is what no recipient could use: no JSON object, an owner or id that is missing or is not the URL's, a PATCH
without last_updated, a Token whose type is not the URL's. Everything else is a finding, and who reads it decides.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from connectors import strict
from connectors.catalogue import Row
from connectors.errors import InvalidParameters
from connectors.judgement import Finding, Judgement
from connectors.v2_2_1.findings import LIMIT, fields, read
from connectors.v2_2_1.models import BODIES, COMMANDS, PATCHES, Object
from connectors.values import PartyId

DEFAULT_TOKEN_TYPE = "RFID"
"""What the query's `type` is when it is left out (12.2.1.2)."""

_OWNED = {"Location", "Tariff", "Token", "Session", "CDR"}
_IDS = {
    "Location": ("id", "location_id"),
    "EVSE": ("uid", "evse_uid"),
    "Connector": ("id", "connector_id"),
    "Tariff": ("id", "tariff_id"),
    "Token": ("uid", "token_uid"),
    "Session": ("id", "session_id"),
    "CDR": ("id", ""),
}
_BODILESS = {"GET", "DELETE"}
_MAY_BE_EMPTY = {"LocationReferences"}  # authorize without a place (12.2.2.2)


class _Unmodelled(Object):
    """A body that no model describes, such as a custom command's: any JSON object."""

    response_url: Any = None
    token: Any = None


def judge(row: Row, params: dict[str, str], query_type: str | None, body: bytes) -> Judgement:
    """What the hub needs to know of a call's body.

    `params` are the URL's placeholders, decoded; `query_type` is the query's `type`, None without one (tokens only).
    Of a method or row without a body only `token_type` is told. `object_id` is the id of the top-level object, so
    None for an EVSE or Connector; owner and id of a PATCH are None where the body leaves them out.

    Raises NotJson (HTTP 400, 2001) and InvalidParameters (HTTP 200, 2001), whose sentence names the path; nothing
    else, whatever the bytes. Of a custom module's body only whether it is JSON is judged.
    """
    if row.custom:
        if body:
            strict.loads(body)
        return Judgement()
    token_type = (query_type or DEFAULT_TOKEN_TYPE) if row.module == "tokens" else None
    if row.method in _BODILESS or (not body and row.model in _MAY_BE_EMPTY):
        return Judgement(token_type=token_type)
    found, findings = read(_model(row, params), body)
    name = row.model
    if name in _IDS:
        return _owned(row, params, token_type, found, findings)
    url = found.get("response_url")
    token, doubts = _issuer(found.get("token"), "$.token")
    return Judgement(
        token=token,
        token_type=token_type,
        location_id=_text(found.get("location_id")),
        session_id=_text(found.get("session_id")),
        reservation_id=_text(found.get("reservation_id")),
        response_url=url if isinstance(url, str) else None,
        findings=(*findings, *doubts)[:LIMIT] if doubts else findings,
    )


def _model(row: Row, params: dict[str, str]) -> type[Object]:
    if row.partial:
        return PATCHES.get(row.model, _Unmodelled)
    if row.model == "Command":
        return COMMANDS.get(params.get("command", "").upper(), _Unmodelled)
    return BODIES.get(row.model, _Unmodelled)


def _owned(
    row: Row,
    params: dict[str, str],
    token_type: str | None,
    found: dict[str, object],
    findings: tuple[Finding, ...],
) -> Judgement:
    """The judgement of an object that has an owner, or of a part of one."""
    name = row.model
    last_updated = _text(found.get("last_updated"))
    if row.partial and not last_updated:
        raise InvalidParameters("$.last_updated: missing; a PATCH must say when the object was last updated")
    field, param = _IDS[name]
    object_id = _same(found, field, params.get(param), required=not row.partial)
    owner = None
    if name in _OWNED:
        country = _same(found, "country_code", params.get("country_code"), required=not row.partial)
        party = _same(found, "party_id", params.get("party_id"), required=not row.partial)
        if country and party:
            owner = _party(country, party)
    else:
        object_id = None
    if name == "Token":
        token_type = _same(found, "type", token_type, required=False, where="URL's query (default RFID)") or token_type
    cdr_token: PartyId | None = None
    cdr_token_uid: str | None = None
    contract_id: str | None = None
    doubts: tuple[Finding, ...] = ()
    periods: object = None
    if name in {"Session", "CDR"}:
        cdr_token, doubts = _issuer(found.get("cdr_token"), "$.cdr_token")
        if cdr_token is None:
            named = fields(found.get("cdr_token"))
            cdr_token_uid, token_type = _text(named.get("uid")), _text(named.get("type"))
            contract_id = _text(named.get("contract_id"))
        periods = found.get("charging_periods")
    return Judgement(
        owner=owner,
        object_id=object_id,
        last_updated=last_updated,
        cdr_token=cdr_token,
        cdr_token_uid=cdr_token_uid,
        contract_id=contract_id,
        token_type=token_type,
        appends=row.partial and isinstance(periods, list) and bool(periods),
        findings=(*findings, *doubts)[:LIMIT] if doubts else findings,
    )


def _same(
    found: dict[str, object], field: str, wanted: str | None, *, required: bool, where: str = "URL"
) -> str | None:
    """The body's own `field`, which must be what the URL says, compared as a CiString."""
    given = _text(found.get(field))
    if not given:
        if required:
            raise InvalidParameters(f"$.{field}: missing or not a string; it must be what the URL says, or its own id")
        return None
    if wanted is not None and given != wanted and given.upper() != wanted.upper():
        raise InvalidParameters(f"$.{field}: {given[:40]!r} contradicts {wanted[:40]!r} in the {where}")
    return given


@lru_cache(maxsize=4096)
def _known(country_code: str, party_id: str) -> PartyId:
    """The same few parties over and over; only for short strings, so that what is kept is bounded."""
    return PartyId.of(country_code, party_id)


def _party_id(country_code: str, party_id: str) -> PartyId:
    short = len(country_code) <= 2 and len(party_id) <= 3
    return _known(country_code, party_id) if short else PartyId.of(country_code, party_id)


def _party(country_code: str, party_id: str) -> PartyId:
    try:
        return _party_id(country_code, party_id)
    except ValueError as error:
        raise InvalidParameters(f"the owner in the body: {_brief(error)}") from None


def _issuer(token: object, path: str) -> tuple[PartyId | None, tuple[Finding, ...]]:
    """The eMSP that a CdrToken or Token inside the body names, or what is off about that."""
    inner = fields(token)
    country, party = _text(inner.get("country_code")), _text(inner.get("party_id"))
    if country is None or party is None:
        return None, ()  # its model has found that already
    try:
        return _party_id(country, party), ()
    except ValueError as error:
        return None, (Finding(path, _brief(error), fatal=False),)


def _text(value: object) -> str | None:
    """A string, or the string that a number in its place stands for."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _brief(error: ValueError) -> str:
    text = str(error)
    return text if len(text) <= 120 else text[:120] + "..."
