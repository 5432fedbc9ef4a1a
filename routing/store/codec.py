"""How records stand in a store, the same on every engine.

A platform is one JSON document. Names are those of the dataclasses; binary fields are Base64, digests hex, enums by
value (`Form` by name), a party `[country_code, party_id]`. Readers take what lacks as its default, so a field may be
added without a migration; a field is never changed.

Object ids come from outside and may hold any character, so keys are bytes in which no two keys can meet.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Collection
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from connectors.authorization import Form
from connectors.values import InterfaceRole, Module, PartyId, Role
from routing.agreements import Agreement, Effect
from routing.directory import Beyond, Endpoint, Issued, Kind, Party, Platform, PlatformSettings, Status, Validate
from routing.log.port import Headers, Position
from routing.policies import NAMES as TERMS
from routing.policies import Policy
from routing.state import ObjectState, Part, StateKey
from routing.store.port import CdrKey, Mark

_LONGEST_CONTRACT: Final = 255  # OCPI's are of 36 characters; what is indexed must be short
_NO_CONTRACT: Final = b"#NA"

_ESCAPED = re.compile("\1[\1\2]")
_PLAIN = ("id", "versions_url", "version", "removed", "created", "updated", "revision")
_KNOWN = frozenset(field.name for field in fields(Platform))


# --- platforms -------------------------------------------------------------------------------------------------------


def platform_document(platform: Platform) -> dict[str, Any]:
    """The JSON document of a platform. `presents` is encrypted already, and stays so."""
    settings = platform.settings
    document: dict[str, Any] = {name: getattr(platform, name) for name in _PLAIN}
    document |= {
        "status": platform.status.value,
        "invited": [[*party, role.value] for party, role in platform.invited],
        "parties": [
            {"id": [*p.id], "role": p.role.value, "name": p.name, "suspended": p.suspended, "removed": p.removed}
            for p in platform.parties
        ],
        "beyond": [[*b.id, b.role.value, b.status.value, b.updated] for b in platform.beyond],
        "endpoints": [[e.identifier, e.role.value, e.url] for e in platform.endpoints],
        "origins": list(platform.origins),
        "presents": None if platform.presents is None else b64encode(platform.presents).decode(),
        "form": platform.form.name,
        "issued": [
            {"digest": i.digest.hex(), "kind": i.kind.value, "created": i.created, "expires": i.expires, "used": i.used}
            for i in platform.issued
        ],
        "settings": {
            "validate": settings.validate.value,
            "form": settings.form.name if settings.form else None,
            "origins": list(settings.origins),
            "from_owner": settings.from_owner,
            "page_limit": settings.page_limit,
            "user_agent": settings.user_agent,
            "renames": [list(rename) for rename in settings.renames],
            "resync": settings.resync,
            "rate": settings.rate,
            "behind": settings.behind,
            "custody": settings.custody,
            "deduplicates": settings.deduplicates,
        },
    }
    return document


def platform_of(document: dict[str, Any]) -> Platform:
    """The platform of a document. Raises KeyError, TypeError or ValueError for what is none."""
    values: dict[str, Any] = {name: value for name, value in document.items() if name in _KNOWN}
    values["status"] = Status(document["status"])
    values["invited"] = tuple((PartyId(c, p), Role(role)) for c, p, role in document["invited"])
    values["parties"] = tuple(
        Party(PartyId(*p["id"]), Role(p["role"]), p["name"], p["suspended"], p["removed"]) for p in document["parties"]
    )
    values["beyond"] = tuple(
        Beyond(PartyId(c, p), Role(role), Status(status), updated)
        for c, p, role, status, updated in document.get("beyond", ())
    )
    values["endpoints"] = tuple(Endpoint(name, InterfaceRole(role), url) for name, role, url in document["endpoints"])
    values["origins"] = tuple(document["origins"])
    values["presents"] = None if document["presents"] is None else b64decode(document["presents"])
    values["form"] = Form[document["form"]]
    values["issued"] = tuple(
        Issued(bytes.fromhex(i["digest"]), Kind(i["kind"]), i["created"], i["expires"], i["used"])
        for i in document["issued"]
    )
    settings = document["settings"]
    values["settings"] = PlatformSettings(
        validate=Validate(settings["validate"]),
        form=Form[settings["form"]] if settings["form"] else None,
        origins=tuple(settings["origins"]),
        from_owner=settings.get("from_owner", False),
        page_limit=settings.get("page_limit"),
        user_agent=settings.get("user_agent"),
        renames=tuple((url, module) for url, module in settings.get("renames", ())),
        resync=settings.get("resync", True),
        rate=settings.get("rate"),
        behind=settings.get("behind", False),
        custody=settings.get("custody", False),
        deduplicates=settings.get("deduplicates", False),
    )
    return Platform(**values)


def encode_platform(platform: Platform) -> bytes:
    return orjson.dumps(platform_document(platform))


def decode_platform(record: bytes) -> Platform:
    """Raises as platform_of does."""
    return platform_of(orjson.loads(record))


def held(platform: Platform) -> Collection[tuple[PartyId, Role]]:
    """The parties, as roles, that nobody else may register while this platform holds them; each once, in order."""
    if platform.removed:
        return ()
    return dict.fromkeys((party.id, party.role) for party in platform.parties if not party.removed)


# --- agreements ------------------------------------------------------------------------------------------------------


def encode_agreement(agreement: Agreement) -> bytes:
    """A JSON document; a party is `[country_code, party_id]`, null for any."""
    document = {
        "effect": agreement.effect.value,
        "one": [*agreement.one] if agreement.one else None,
        "other": [*agreement.other] if agreement.other else None,
        "modules": agreement.modules,
        "created": agreement.created,
    }
    return orjson.dumps(document)


def decode_agreement(record: bytes) -> Agreement:
    """Raises KeyError, TypeError or ValueError for what is none."""
    document = orjson.loads(record)
    one, other = (None if party is None else PartyId(*party) for party in (document["one"], document["other"]))
    return Agreement(Effect(document["effect"]), one, other, tuple(document["modules"]), document["created"])


# --- policies --------------------------------------------------------------------------------------------------------


def encode_policy(policy: Policy) -> bytes:
    """A JSON document of what is set; a party is `[country_code, party_id]`, null for any."""
    scope = {"party": [*policy.party] if policy.party else None, "module": policy.module, "created": policy.created}
    return orjson.dumps(scope | policy.terms())


def decode_policy(record: bytes) -> Policy:
    """Raises KeyError, TypeError or ValueError for what is none. Terms of a later release are passed over."""
    document = orjson.loads(record)
    party = None if document["party"] is None else PartyId(*document["party"])
    terms = {name: document[name] for name in TERMS if name in document}
    return Policy(party, document["module"], created=document["created"], **terms)


# --- object state ----------------------------------------------------------------------------------------------------


def state_key(key: StateKey) -> bytes:
    """Ordered by module, audience (`*` for broadcasts) and owner, so that what is listed together lies together."""
    audience = "*" if key.audience is None else "".join(key.audience)
    variant = key.variant
    if "\0" in variant or "\1" in variant:
        variant = variant.replace("\1", "\1\1").replace("\0", "\1\2")
    country, party = key.owner
    return f"{key.module}\0{audience}\0{country}{party}\0{variant}\0{key.object_id}".encode("utf-8", "surrogatepass")


def state_range(module: str, audience: PartyId | None, owner: PartyId) -> tuple[bytes, bytes]:
    """Between these two, both exclusive, are the keys of this owner's states, and no others."""
    first = state_key(StateKey(owner, module, "", "", audience))[:-1]
    return first, first[:-1] + b"\1"


def audience_range(module: str, audience: PartyId | None) -> tuple[bytes, bytes]:
    """Between these two, both exclusive, are the keys of this audience's states, and no others."""
    first = state_key(StateKey(PartyId("", ""), module, "", "", audience))[:-3]
    return first + b"\0", first + b"\1"


def contract_key(contract_id: str) -> bytes | None:
    """What a contract id is found by; None for one that nothing is found by."""
    key = contract_id[: _LONGEST_CONTRACT + 1].upper().encode("utf-8", "surrogatepass")
    return None if key == _NO_CONTRACT or not 0 < len(key) <= _LONGEST_CONTRACT else key


def contract_of(state: ObjectState) -> bytes | None:
    """The contract key of a token's newest state, None where it has none; of anything else None."""
    if state.key.module != Module.TOKENS or state.deleted:
        return None
    for body in (*(part.body for part in reversed(state.parts)), state.body):
        try:
            token = orjson.loads(body or b"null")
        except ValueError:
            continue
        contract_id = token.get("contract_id") if isinstance(token, dict) else None
        if isinstance(contract_id, int) and not isinstance(contract_id, bool):
            contract_id = str(contract_id)
        if isinstance(contract_id, str):
            return contract_key(contract_id)
    return None


def state_key_of(key: bytes) -> StateKey:
    """The key that `state_key` made this of. Raises ValueError for what it made of none."""
    module, audience, owner, variant, object_id = key.decode("utf-8", "surrogatepass").split("\0", 4)
    if "\1" in variant:
        variant = _ESCAPED.sub(lambda found: "\0" if found[0] == "\1\2" else "\1", variant)
    reader = None if audience == "*" else PartyId(audience[:2], audience[2:])
    return StateKey(PartyId(owner[:2], owner[2:]), module, object_id, variant, reader)


def encode_resync(mark: Mark) -> bytes | None:
    """How far a mark's resync came, as a JSON list of three positions; None where none has begun.

    When it was asked for follows, how many objects were brought of that, and where it began.
    """
    found: list[object] = [one and [*one] for one in (mark.upper, mark.done, mark.beside)]
    if mark.asked or mark.first is not None:
        found += (mark.asked, mark.sent, mark.first and [*mark.first])
    return orjson.dumps(found) if any(found) else None


def decode_resync(record: bytes | None) -> dict[str, Any]:
    """The fields of a mark that `encode_resync` wrote."""
    if record is None:
        return {}
    found = orjson.loads(record)
    positions = (None if one is None else Position(*one) for one in (*found[:3], *found[5:6]))
    fields: dict[str, Any] = dict(zip(("upper", "done", "beside", "first"), positions, strict=False))
    return fields | dict(zip(("asked", "sent"), found[3:5], strict=False))


def mark_party(mark: Mark) -> str:
    """The party of a mark in its key; empty: it is the platform's."""
    return "" if mark.party is None else str(mark.party)


def party_of_mark(text: str) -> PartyId | None:
    return PartyId.parse(text) if text else None


def moment(last_updated: str | None) -> int | None:
    """The UTC ms of an OCPI DateTime, to the nearest; without a designator it is UTC (OCPI 2.2.1, 16.3). None: it
    cannot be read.
    """
    try:
        at = datetime.fromisoformat(last_updated or "")
    except ValueError:
        return None
    return round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)


def encode_parts(parts: tuple[Part, ...]) -> bytes | None:
    """A JSON line `[[path, whole, length of body], ...]`, then the bodies one after the other; None for none."""
    if not parts:
        return None
    head = orjson.dumps([(part.path, part.whole, len(part.body)) for part in parts])
    return b"".join((head, b"\n", *(part.body for part in parts)))


def decode_parts(record: bytes | None) -> tuple[Part, ...]:
    if record is None:
        return ()
    at = record.index(b"\n") + 1
    parts = []
    for path, whole, length in orjson.loads(record[: at - 1]):
        parts.append(Part(tuple(path), whole, record[at : at + length]))
        at += length
    return tuple(parts)


# --- CDR memory ------------------------------------------------------------------------------------------------------


def cdr_key(key: CdrKey) -> bytes:
    owner, recipient = "".join(key.owner), "".join(key.recipient)
    return f"{owner}\0{recipient}\0{key.cdr_id}".encode("utf-8", "surrogatepass")


def cdr_key_of(key: bytes) -> CdrKey:
    """The key that `cdr_key` made this of."""
    owner, recipient, cdr_id = key.decode("utf-8", "surrogatepass").split("\0", 2)
    return CdrKey(PartyId(owner[:2], owner[2:]), cdr_id, PartyId(recipient[:2], recipient[2:]))


# --- records set aside -----------------------------------------------------------------------------------------------


def encode_headers(headers: Headers) -> bytes:
    """A JSON list `[[name, Base64 of the value], ...]`."""
    return orjson.dumps([(name, b64encode(value).decode()) for name, value in headers])


def decode_headers(record: bytes) -> Headers:
    return tuple((name, b64decode(value)) for name, value in orjson.loads(record))
