"""Open routing: who a call without TO is for, told by what it names (OCPI 2.2.1, 4.4.2.3). Pure.

An object is looked for under every party that may own it and that the caller may deal with: among what was broadcast,
and among what that party pushed to the caller. So nobody finds through the hub what was not meant for him, and the
store is read by its keys alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import orjson

from connectors.catalogue import Row
from connectors.errors import OcpiError, UnknownReceiver, UnknownToken
from connectors.judgement import Judgement
from connectors.values import InterfaceRole, Module, PartyId
from routing.directory import Directory
from routing.resolve import serving
from routing.state import ObjectState, StateKey

TO: Final = "OCPI-to-country-code and OCPI-to-party-id"
DEFAULT_TOKEN_TYPE: Final = "RFID"
NOT_AVAILABLE: Final = "#NA"


class Key(StrEnum):
    """What tells the receiver: the OWNER of an object; the AUDIENCE that the caller pushed an object to; whom a
    RESERVATION was made at; who set a charging PROFILE; the owner of the tokens of a CONTRACT."""

    OWNER = "owner"
    AUDIENCE = "audience"
    RESERVATION = "reservation"
    PROFILE = "profile"
    CONTRACT = "contract"


class Named(NamedTuple):
    """What a call names: an object of `module`, its id in upper case, a token's type as `variant`, else empty.

    `contract` is what tells the receiver where the rest tells nobody: a contract id, else empty.
    """

    key: Key
    module: str
    id: str
    variant: str = ""
    contract: str = ""


OPENED: Final = frozenset(
    (
        (Module.LOCATIONS, InterfaceRole.SENDER),
        (Module.SESSIONS, InterfaceRole.SENDER),
        (Module.SESSIONS, InterfaceRole.RECEIVER),
        (Module.TOKENS, InterfaceRole.SENDER),
        (Module.COMMANDS, InterfaceRole.RECEIVER),
        (Module.CHARGINGPROFILES, InterfaceRole.RECEIVER),
        (Module.CHARGINGPROFILES, InterfaceRole.SENDER),
    )
)
"""Where calls name something that tells their receiver; elsewhere only the headers do."""


def opened(row: Row) -> bool:
    """Whether a call of this row may come without TO."""
    return (row.module, row.interface) in OPENED and not row.listing


def named(row: Row, params: Mapping[str, str], judgement: Judgement) -> Named:
    """What the call names. `params` are the URL's placeholders, decoded. Raises UnknownReceiver (4001)."""
    match row.module:
        case Module.LOCATIONS:
            return Named(Key.OWNER, Module.LOCATIONS, params["location_id"].upper())
        case Module.TOKENS:
            kind = (judgement.token_type or DEFAULT_TOKEN_TYPE).upper()
            return Named(Key.OWNER, Module.TOKENS, params["token_uid"].upper(), kind)
        case Module.COMMANDS:
            return _command(judgement)
        case Module.SESSIONS if row.interface is InterfaceRole.SENDER:
            return Named(Key.OWNER, Module.SESSIONS, params["session_id"].upper())
        case Module.CHARGINGPROFILES if row.interface is InterfaceRole.RECEIVER:
            return Named(Key.OWNER, Module.SESSIONS, params["session_id"].upper())
        case Module.CHARGINGPROFILES:
            return Named(Key.PROFILE, Module.SESSIONS, params["session_id"].upper())
        case _:
            return _pushed(row, params, judgement)


def _command(judgement: Judgement) -> Named:
    if judgement.location_id:
        return Named(Key.OWNER, Module.LOCATIONS, judgement.location_id.upper())
    if judgement.session_id:
        return Named(Key.OWNER, Module.SESSIONS, judgement.session_id.upper())
    if judgement.reservation_id:
        return Named(Key.RESERVATION, Module.COMMANDS, judgement.reservation_id.upper())
    raise UnknownReceiver(
        "the body has no location_id, session_id or reservation_id that would tell whose charge point is meant: "
        f"send {TO}"
    )


def _pushed(row: Row, params: Mapping[str, str], judgement: Judgement) -> Named:
    uid, contract = _told(judgement.cdr_token_uid), _told(judgement.contract_id)
    if uid:
        kind = (judgement.token_type or DEFAULT_TOKEN_TYPE).upper()
        return Named(Key.OWNER, Module.TOKENS, uid, kind, contract)
    if row.module == Module.SESSIONS and (row.partial or row.method == "GET"):
        return Named(Key.AUDIENCE, Module.SESSIONS, params["session_id"].upper(), contract=contract)
    if contract:
        return Named(Key.CONTRACT, Module.TOKENS, contract)
    raise UnknownReceiver(
        f"the body names no cdr_token, so who gets this {row.method} of {row.module} is not known: send {TO}"
    )


def _told(id: str | None) -> str:
    """In upper case; empty where there is none (`#NA`: OCPI 2.2.1, 16.5)."""
    return "" if id is None or id.upper() == NOT_AVAILABLE else id.upper()


# --- where it is looked for ------------------------------------------------------------------------------------------


def keys(directory: Directory, what: Named, sender: PartyId, owner: PartyId | None, module: str) -> list[StateKey]:
    """The keys of every state that could tell the receiver of a call of `module` by `sender`.

    `owner` is the one that the URL names; of an AUDIENCE it is whose object was pushed.
    """
    if what.key is Key.AUDIENCE:
        readers = _parties(directory, serving(what.module, InterfaceRole.RECEIVER), sender, module)
        return [StateKey(owner or sender, what.module, what.id, what.variant, reader) for reader in readers]
    if what.key is Key.PROFILE:
        readers = _parties(directory, serving(what.module, InterfaceRole.RECEIVER), sender, module)
        return [StateKey(sender, what.module, what.id, what.variant, reader) for reader in readers]
    owners = _parties(directory, serving(what.module, InterfaceRole.SENDER), sender, module)
    audiences = (sender,) if what.module == Module.SESSIONS else (None, sender)
    return [StateKey(one, what.module, what.id, what.variant, audience) for one in owners for audience in audiences]


def _parties(directory: Directory, roles: Iterable[str], sender: PartyId, module: str) -> list[PartyId]:
    fit = frozenset(roles)
    return list(
        dict.fromkeys(
            hosted.party.id
            for hosted in directory.everyone()
            if hosted.party.role in fit
            and hosted.party.id != sender
            and directory.agreements.allows(sender, hosted.party.id, module)
        )
    )


def issuers(directory: Directory, sender: PartyId) -> list[PartyId]:
    """Whoever may have issued a token that the hub does not know."""
    fit = _parties(directory, serving(Module.TOKENS, InterfaceRole.SENDER), sender, Module.TOKENS)
    return [
        party
        for party in fit
        if any(
            hosted.platform.endpoint(Module.TOKENS, InterfaceRole.SENDER) is not None
            for hosted in directory.hosted(party)
        )
    ]


# --- what was found --------------------------------------------------------------------------------------------------


def known(found: Iterable[ObjectState]) -> list[ObjectState]:
    """Those of them that tell anything."""
    return [state for state in found if not state.deleted and not state.empty]


def receiver(what: Named, found: Iterable[ObjectState], row: Row) -> PartyId:
    """The one party that the states found tell.

    All candidates are parties that the caller may deal with, so they may be named. Raises UnknownReceiver (4001), and
    UnknownToken (2004) for a token to be authorised that nobody has.
    """
    states = known(found)
    if what.key is Key.OWNER:
        parties = sorted({state.key.owner for state in states})
    else:
        parties = sorted({state.key.audience for state in states if state.key.audience is not None})
        if len(parties) > 1:
            parties = sorted({party for state in states for party in _issuers(state)} & set(parties)) or parties
    return _only(what, parties, row)


def holder(directory: Directory, what: Named, owners: Iterable[PartyId], sender: PartyId, row: Row) -> PartyId:
    """Of `owners`, who have tokens of the contract that is named, the one that the caller may deal with.

    Raises UnknownReceiver (4001).
    """
    fit = frozenset(_parties(directory, serving(Module.TOKENS, InterfaceRole.SENDER), sender, row.module))
    contract = Named(Key.CONTRACT, Module.TOKENS, what.contract or what.id)
    return _only(contract, sorted(fit.intersection(owners)), row)


def _only(what: Named, parties: list[PartyId], row: Row) -> PartyId:
    if len(parties) == 1:
        return parties[0]
    if parties:
        names = ", ".join(map(str, parties))
        raise UnknownReceiver(f"{_spoken(what)} is known of more than one party, {names}: send {TO} of the one meant")
    raise unknown(what, row)


def unknown(what: Named, row: Row) -> OcpiError:
    """Nobody was found."""
    if row.module == Module.TOKENS:
        return UnknownToken(
            f"no eMSP that can be reached through this hub has a token {what.id} of type {what.variant}"
        )
    return UnknownReceiver(
        f"{_spoken(what)} is not known to this hub from a party that you can reach through it: send {TO}"
    )


def declined(answer: bytes) -> bool:
    """Whether an envelope says that a command or charging profile was not taken (OCPI 2.2.1, 13.3.1 and 14.3.3)."""
    try:
        data = orjson.loads(answer)["data"]
        result = (data[0] if isinstance(data, list) else data)["result"]
    except (ValueError, TypeError, KeyError, IndexError):
        return False
    return isinstance(result, str) and result.upper() != "ACCEPTED"


def _spoken(what: Named) -> str:
    match what.key:
        case Key.RESERVATION:
            return f"$.reservation_id {what.id[:40]!r}"
        case Key.CONTRACT:
            return f"$.cdr_token.contract_id {what.id[:40]!r}"
        case _:
            return f"the {what.module.rstrip('s')} {what.id[:40]!r}"


def _issuers(state: ObjectState) -> list[PartyId]:
    """The eMSP of the session's own cdr_token: others get it by an agreement only."""
    try:
        token = orjson.loads(state.body or b"null")["cdr_token"]
        return [PartyId.of(token["country_code"], token["party_id"])]
    except (ValueError, TypeError, KeyError):
        return []
