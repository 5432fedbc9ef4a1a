"""Who a call is for and who it is from, by the directory. Pure; every refusal is a sentence.

Routing headers carry no role, so where a party has several the module and the interface tell which is meant
(OCPI 2.2.1, 4.2.2 and 4.4; table of typical implementations, 3.2).
"""

from __future__ import annotations

from collections.abc import Iterable

from connectors.catalogue import Row
from connectors.custom import is_custom
from connectors.errors import HubError, InvalidParameters, NotConnected, NotRegistered, Unauthorized, UnknownReceiver
from connectors.values import InterfaceRole, Module, PartyId, Role
from routing.behind import by_another_hub, goes_round, may_speak
from routing.directory import Directory, Hosted, Party, Platform, Status

_OPERATORS = (Role.CPO, Role.NAP, Role.OTHER)
_PROVIDERS = (Role.EMSP, Role.NSP, Role.SCSP, Role.OTHER, Role.NAP)
_OWNED_BY_PROVIDERS = frozenset((Module.TOKENS, Module.COMMANDS, Module.CHARGINGPROFILES))
_AWAY = frozenset((Status.SUSPENDED, Status.OFFLINE))

_OPPOSITE: dict[Role, frozenset[Role]] = {
    Role.CPO: frozenset((Role.EMSP, Role.NSP, Role.OTHER)),
    Role.NAP: frozenset((Role.EMSP, Role.NSP, Role.OTHER)),
    Role.EMSP: frozenset((Role.CPO,)),
    Role.NSP: frozenset((Role.CPO,)),
    Role.SCSP: frozenset((Role.CPO,)),
    Role.OTHER: frozenset((Role.CPO,)),
}
_OF_TWO = frozenset((Module.SESSIONS, Module.CDRS))
_READ_BY_NAP = frozenset((Module.LOCATIONS, Module.TARIFFS))

FROM = "OCPI-from-country-code and OCPI-from-party-id"


def serving(module: str, interface: InterfaceRole) -> tuple[Role, ...]:
    """The roles that implement this interface, the most likely first; none where OCPI does not say."""
    if is_custom(module):
        return ()
    ours = interface is InterfaceRole.SENDER
    return _PROVIDERS if ours == (module in _OWNED_BY_PROVIDERS) else _OPERATORS


def calling(module: str, interface: InterfaceRole) -> tuple[Role, ...]:
    """The roles that call this interface, the most likely first; none where OCPI does not say."""
    if is_custom(module):
        return ()
    return _OPERATORS if serving(module, interface) is _PROVIDERS else _PROVIDERS


# --- who it is for ---------------------------------------------------------------------------------------------------


def recipient(directory: Directory, module: str, interface: InterfaceRole, sender: PartyId, to: PartyId) -> Hosted:
    """The one party `to` in the role that serves this interface.

    Raises UnknownReceiver (4001: unknown, ambiguous or no agreement), NotConnected (4003: suspended, or not yet
    registered) and HubError (4000: known, but without this endpoint).
    """
    key = (module, interface, sender, to)
    return directory.route(key) or directory.keep_route(key, _recipient(directory, module, interface, sender, to))


def _recipient(directory: Directory, module: str, interface: InterfaceRole, sender: PartyId, to: PartyId) -> Hosted:
    known = directory.hosted(to)
    allowed = directory.agreements.allows(sender, to, module)
    if allowed and not known and directory.invited(to):
        raise NotRegistered(f"{to} was invited to this hub and has not registered yet; nothing was sent to it")
    if not known or not allowed:
        raise UnknownReceiver(
            f"{to} is not a party that {sender} can reach through this hub: "
            "mend OCPI-to-country-code and OCPI-to-party-id"
        )
    if all(goes_round(directory, sender, hosted) for hosted in known):
        raise UnknownReceiver(
            f"{to} is not sent what {sender} sends by way of another hub: nothing goes back to the hub that it came "
            "from, or on to a third"
        )
    live = [hosted for hosted in known if not _away(hosted)]
    if not live:
        raise _away_because(known[0])
    able = [hosted for hosted in live if hosted.platform.endpoint(module, interface) is not None]
    if not able:
        raise HubError(
            f"{to} is known, but its version details offer no {module} endpoint as {interface}; "
            "its operator can add it and register again (PUT credentials)"
        )
    return able[0] if len(able) == 1 else _fittest(able, module, interface, to)


def _fittest(able: list[Hosted], module: str, interface: InterfaceRole, to: PartyId) -> Hosted:
    order = serving(module, interface)
    ranks = [order.index(hosted.party.role) if hosted.party.role in order else len(order) for hosted in able]
    best = [hosted for hosted, rank in zip(able, ranks, strict=True) if rank == min(ranks)]
    if len({hosted.platform.id for hosted in best}) > 1:
        raise UnknownReceiver(
            f"{to} is on more than one platform that offers {module} as {interface}, so who is meant is not clear; "
            "the hub's operator can mend that"
        )
    return best[0]


def custodian(directory: Directory, module: str, sender: PartyId, to: PartyId) -> Hosted | None:
    """The recipient of a CDR for which the hub takes what it cannot be given now; None where it does not.

    Who is suspended or has not registered is none: what is for him stays with its sender.
    """
    if module != Module.CDRS or not directory.agreements.allows(sender, to, module):
        return None
    for hosted in directory.hosted(to):
        there = hosted.platform
        if there.settings.custody and not hosted.party.suspended and there.registered:
            if there.status is not Status.SUSPENDED and there.endpoint(module, InterfaceRole.RECEIVER) is not None:
                return hosted
    return None


def check_third_party(directory: Directory, module: str, owner: PartyId, provider: PartyId | None, to: PartyId) -> None:
    """Sessions and CDRs are their owner's and those of the eMSP of their cdr_token, `provider`; None: it is not said.

    Whoever else is to get them must be named by an agreement with the owner. Raises UnknownReceiver (4001).
    """
    if module not in _OF_TWO or provider is None or provider == to or directory.agreements.names(owner, to, module):
        return
    raise UnknownReceiver(
        f"{to} is not the eMSP of this object's cdr_token, {provider}, and no agreement names it for {module} of "
        f"{owner}: mend OCPI-to-country-code and OCPI-to-party-id, or ask the hub's operator for an agreement"
    )


def _away(hosted: Hosted) -> bool:
    return hosted.party.suspended or not hosted.platform.registered or hosted.platform.status in _AWAY


def _away_because(hosted: Hosted) -> NotConnected:
    if hosted.party.said not in (None, Status.CONNECTED) and hosted.platform.status not in _AWAY:
        return NotConnected(f"{hosted.party.id} is {hosted.party.said} on {hosted.party.behind}, the hub it is behind")
    blocked = hosted.party.suspended and hosted.party.behind is None
    if blocked or hosted.platform.status is Status.SUSPENDED:
        return NotConnected(f"{hosted.party.id} is suspended on this hub; nothing was sent to it")
    if not hosted.platform.registered:
        return NotRegistered(f"{hosted.party.id} has not registered with this hub yet; nothing was sent to it")
    return NotConnected(f"{hosted.party.id} is offline; nothing was sent to it")


def receives(owner: Role, reader: Role, module: str) -> bool:
    """Whether what a party of one role tells everybody is meant for parties of the other."""
    if reader is Role.NAP:
        return module in _READ_BY_NAP and owner in (Role.CPO, Role.NAP)
    return reader in _OPPOSITE.get(owner, ())


def broadcast(directory: Directory, platform: Platform, sender: Party, module: str) -> tuple[Hosted, ...]:
    """Everyone that a broadcast push of `sender`, hosted by `platform`, goes to; remembered with the directory.

    Opposite roles that implement the module as RECEIVER, one entry a receiving party, never the sender's own platform.
    Who is suspended, removed or not registered is left out; who is only offline is not: it is to be resynced.
    """
    key = (platform.id, sender.id, sender.role, module)
    found = directory.remembered(key)
    if found is None:
        found = directory.remember(key, _broadcast(directory, platform, sender, module))
    return found


def _broadcast(directory: Directory, platform: Platform, sender: Party, module: str) -> tuple[Hosted, ...]:
    found: dict[tuple[str, PartyId], Hosted] = {}
    relayed = by_another_hub(directory, sender.id)
    for hosted in directory.everyone():
        there, party = hosted.platform, hosted.party
        if relayed and party.behind is not None:
            continue  # what came from one hub is not told to another
        if not receives(sender.role, party.role, module) or there.id == platform.id or party.id == sender.id:
            continue
        if party.suspended or not there.registered or there.status is Status.SUSPENDED:
            continue
        if there.endpoint(module, InterfaceRole.RECEIVER) is None:
            continue
        if directory.agreements.allows(sender.id, party.id, module):
            found.setdefault((there.id, party.id), hosted)
    return tuple(found.values())


# --- who it is from --------------------------------------------------------------------------------------------------


def sender(platform: Platform, row: Row, claimed: PartyId | None, beyond: Iterable[Party] = ()) -> Party:
    """The party of `platform` that speaks; derived where the FROM headers are absent and only one can be meant.

    FROM may name one of those `beyond` it, too, whom it speaks for.

    Raises InvalidParameters (2001) naming the headers, Unauthorized (401) when that party is suspended.
    """
    parties = [party for party in platform.parties if not party.removed]
    if claimed is not None:
        parties = [party for party in parties if party.id == claimed]
        if not parties:
            spoken_for = [party for party in beyond if party.id == claimed and may_speak(party)]
            if spoken_for:
                return spoken_for[0] if len(spoken_for) == 1 else _likely(platform, row, spoken_for)
            raise InvalidParameters(
                f"{FROM} say {claimed}, which is not a party of the platform that holds this credential; "
                f"its parties are {_names(platform)}"
            )
    live = [party for party in parties if not party.suspended]
    if parties and not live:
        raise Unauthorized(f"{' and '.join(sorted({str(p.id) for p in parties}))} is suspended on this hub")
    if len(live) == 1:
        return live[0]
    return _likely(platform, row, live)


def _likely(platform: Platform, row: Row, live: list[Party]) -> Party:
    order = calling(row.module, row.interface) if row.interface is not None else ()
    fit = sorted((party for party in live if party.role in order), key=lambda party: order.index(party.role)) or live
    if len({party.id for party in fit}) != 1:
        raise InvalidParameters(f"send {FROM}: this platform has several parties, {_names(platform)}")
    return fit[0]


def _names(platform: Platform) -> str:
    return ", ".join(sorted({str(party.id) for party in platform.parties if not party.removed})) or "none"


def check_owner(platform: Platform, owner: PartyId, where: str, beyond: Iterable[Party] = ()) -> None:
    """Nobody speaks for another: the owner named in `where` must be a party of the platform, in whatever role,
    or one of those `beyond` it that it speaks for.

    Raises InvalidParameters (2001).
    """
    for party in platform.parties:
        if party.id == owner and not party.removed:
            return
    if any(party.id == owner for party in beyond):
        return
    raise InvalidParameters(
        f"{where} names {owner} as owner, which is not a party of the platform that holds this credential; "
        f"its parties are {_names(platform)}"
    )
