"""What the store's contract is told with: handles on one store, and things to keep in it."""

from __future__ import annotations

from dataclasses import replace

from connectors.authorization import digest
from connectors.values import PartyId
from routing.directory import Issued, Kind, Party, Platform
from routing.log.port import Position, TopicPartition
from routing.state import ObjectState, StateKey
from routing.store.codec import state_key
from routing.store.port import CdrKey, Selection, Store
from tests.contract.stores import Making

CPO = PartyId("NL", "TNM")
EMSP = PartyId("DE", "EMS")
TP = TopicPartition("ocpi.locations", 7)
OTHER = PartyId("NL", "TN")
KEY = StateKey(CPO, "locations", "LOC1", "", None)
LOCATIONS = Selection("locations", None, (CPO, OTHER))


class Harness:
    def __init__(self, make: Making) -> None:
        self._make = make
        self._others: list[Store] = []
        self.store = make()

    async def reopen(self) -> Store:
        await self.store.close()
        self.store = self._make()
        await self.store.start()
        return self.store

    async def another(self) -> Store:
        """One more handle, open beside the first, as another process has one."""
        other = self._make()
        await other.start()
        self._others.append(other)
        return other

    async def close(self) -> None:
        for store in (*self._others, self.store):
            await store.close()


def platform(id: str = "p1", *parties: Party, credential: str | None = None, created: int = 1) -> Platform:
    issued = (Issued(digest(credential), Kind.ACCESS, created=created),) if credential else ()
    return Platform(id=id, parties=parties, issued=issued, created=created)


def state(offset: int, *, epoch: int = 1, key: StateKey = KEY, body: bytes | None = None) -> ObjectState:
    return ObjectState(key, Position(epoch, offset), "2.2.1", body or f'{{"n": {offset}}}'.encode())


async def read(store: Store, key: StateKey = KEY) -> ObjectState | None:
    return (await store.read_states([key])).get(key)


def located(
    id: str, owner: PartyId = CPO, last_updated: str | None = None, *, audience: PartyId | None = None
) -> ObjectState:
    key = StateKey(owner, "locations", id, "", audience)
    return replace(state(1, key=key), last_updated=last_updated)


async def ids(store: Store, wanted: Selection = LOCATIONS, *, skip: int = 0, limit: int = 100) -> list[str]:
    """Of all pages, one after the other."""
    found: list[ObjectState] = []
    while page := await store.list_states(wanted, after=found[-1].key if found else None, skip=skip, limit=limit):
        assert len(page) <= limit
        found += page
        skip = 0
    assert [state_key(one.key) for one in found] == sorted(state_key(one.key) for one in found)
    assert {one.key: one for one in found} == await store.read_states([one.key for one in found])
    return [one.key.object_id for one in found]


def cdr(id: str, recipient: PartyId = EMSP) -> CdrKey:
    return CdrKey(CPO, id, recipient)
