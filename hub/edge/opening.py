"""Open routing at the edge: what a call names is looked up in the store, once for a while (OCPI 2.2.1, 4.4.2.3)."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog

from connectors.catalogue import Row
from connectors.errors import EngineAway
from connectors.values import InterfaceRole, Module, PartyId
from hub.edge.ports import Known
from hub.edge.reading import owner_in_url
from hub.edge.values import Call, Response
from routing.clock import Clock
from routing.directory import Directory
from routing.opening import Key, Named, declined, holder, keys, known, named, receiver, unknown
from routing.store.port import StoreAway, StoreError

log = structlog.get_logger(__name__)

MAX_KEPT: Final = 50_000
KEPT_SECONDS: Final = 5.0
"""So long an owner once found is not looked for again: only a second one of the same id could make it wrong."""

AGAIN_SECONDS: Final = (0.1, 0.3, 0.6)
"""A session that was just pushed is stored within a second, so one that is not known is looked for again."""

REMEMBERED_MS: Final = 30 * 86_400_000
"""So long a reservation or a charging profile is known to have been made by somebody at somebody."""


class _Asked(NamedTuple):
    what: Named
    sender: PartyId
    owner: PartyId | None
    module: str


class Opening:
    """Finds the receivers of calls without TO, and remembers what no object state tells: reservations and profiles."""

    def __init__(self, store: Known, clock: Clock, *, again: Sequence[float] = AGAIN_SECONDS) -> None:
        self._store = store
        self._again = again
        self._clock = clock
        self._found: OrderedDict[_Asked, tuple[float, PartyId]] = OrderedDict()

    async def find(self, call: Call, row: Row, directory: Directory) -> PartyId:
        """Raises UnknownReceiver (4001), UnknownToken (404) and EngineAway (503)."""
        if call.sender is None:
            raise AssertionError("who calls is known before it is asked for whom")
        asked = _Asked(named(row, call.params, call.judgement), call.sender.id, owner_in_url(call), row.module)
        now = self._clock.monotonic()
        kept = self._found.get(asked)
        if kept is not None and kept[0] > now:
            return kept[1]
        began = self._clock.monotonic()
        try:
            found = await self._look(asked, row, directory)
        except StoreAway as away:
            raise EngineAway(
                "the hub's store is away, so who this call is for is not known: repeat it, or send "
                "OCPI-to-country-code and OCPI-to-party-id"
            ) from away
        finally:
            call.waited += self._clock.monotonic() - began
        self._found[asked] = (now + KEPT_SECONDS, found)
        self._found.move_to_end(asked)
        if len(self._found) > MAX_KEPT:
            self._found.popitem(last=False)
        return found

    async def _look(self, asked: _Asked, row: Row, directory: Directory) -> PartyId:
        if asked.what.key in (Key.RESERVATION, Key.PROFILE):
            content = await self._store.get_url(_ref(asked.what, asked.sender), self._clock.utc())
            if content is not None:
                country, party = content.decode().split("*")
                return PartyId(country, party)
        if asked.what.key is Key.RESERVATION:
            raise unknown(asked.what, row)
        if asked.what.key is Key.CONTRACT:
            return await self._contract(asked, asked.what.id, row, directory)
        wanted = keys(directory, asked.what, asked.sender, asked.owner, asked.module)
        states = await self._store.read_states(wanted)
        if not states and asked.what.module == Module.SESSIONS:
            for pause in self._again:
                await asyncio.sleep(pause)
                if states := await self._store.read_states(wanted):
                    break
        if asked.what.contract and not known(states.values()):
            return await self._contract(asked, asked.what.contract, row, directory)
        return receiver(asked.what, states.values(), row)

    async def _contract(self, asked: _Asked, contract: str, row: Row, directory: Directory) -> PartyId:
        """Whose tokens, of those for everybody and those that were pushed to the caller, have this contract id."""
        owners = [
            owner for audience in (None, asked.sender) for owner in await self._store.find_contract(contract, audience)
        ]
        return holder(directory, asked.what, owners, asked.sender, row)

    async def passed(self, call: Call, row: Row, to: PartyId, response: Response) -> None:
        """A call of this row was answered by `to`: what later calls will name is kept. Raises nothing.

        What it declined is not: an earlier reservation or profile, of whoever that is, stays known.
        """
        if call.sender is None:
            return
        if row.module == Module.COMMANDS and call.params.get("command", "").upper() == "RESERVE_NOW":
            if call.judgement.reservation_id and not declined(response.body):
                made = Named(Key.RESERVATION, Module.COMMANDS, call.judgement.reservation_id.upper())
                await self._keep(made, call.sender.id, to)
        elif row.module == Module.CHARGINGPROFILES and row.interface is InterfaceRole.RECEIVER and row.method == "PUT":
            if declined(response.body):
                return
            await self._keep(Named(Key.PROFILE, Module.SESSIONS, call.params["session_id"].upper()), to, call.sender.id)

    async def _keep(self, what: Named, asker: PartyId, answer: PartyId) -> None:
        try:
            expires = self._clock.utc() + REMEMBERED_MS
            await self._store.put_url(_ref(what, asker), f"{answer.country_code}*{answer.party_id}".encode(), expires)
        except StoreError as error:
            # what was asked for was done; only a later call without TO will not find its way
            log.info("not_remembered", what=what.key.value, reason=str(error))


def _ref(what: Named, asker: PartyId) -> str:
    """Of a length that no rewritten URL has."""
    text = "\0".join((what.key, *asker, what.id))
    return f"{what.key}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
