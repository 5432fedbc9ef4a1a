"""Which owners' objects the hub has all of, module by module: a small fact each in the store.

An owner is complete once its whole list was read, or once the operator says so, because all that it has is pushed.
Lists of everybody's objects ask `complete` only, however an owner became so. Of sessions and CDRs, which were read for
those readers that the hub knew then, it is complete to them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

import orjson

from connectors.values import Module, PartyId
from routing.store.port import Store

MODULES: Final = (Module.LOCATIONS, Module.TARIFFS, Module.TOKENS, Module.SESSIONS, Module.CDRS)
"""Those of which the hub serves everybody's objects in one list."""


async def declare(store: Store, owner: PartyId, modules: Iterable[str], now: int) -> None:
    """From `now` (UTC ms) the hub has all of these modules that the owner has. Raises StoreAway."""
    for module in modules:
        await store.add_meta(_name(module, owner), orjson.dumps({"declared": now}))


async def pulled(
    store: Store, owner: PartyId, module: str, when: int, readers: Iterable[PartyId] | None = None
) -> None:
    """The whole list of what the owner has of a module, as of `when` (UTC ms), is stored; for these `readers` only,
    where they are given. Raises StoreAway.
    """
    fact: dict[str, Any] = {"pulled": when}
    if readers is not None:
        fact["readers"] = sorted(map(str, readers))
    name, value, after = _name(module, owner), orjson.dumps(fact), None
    while (stored := await store.add_meta(name, value, after=after)) != value:
        former = orjson.loads(stored or b"{}")
        if "declared" in former or ("pulled" in former and former.get("readers") == fact.get("readers")):
            return  # what was said of it, or read of it for the first time, holds
        after = stored or None


async def forget_pulled(store: Store, owner: PartyId, module: str) -> None:
    """What was read of it holds no more; what the operator said does. Raises StoreAway."""
    stored = await store.get_meta(_name(module, owner))
    if stored is not None and "declared" not in orjson.loads(stored):
        await store.remove_meta(_name(module, owner))


async def undo(store: Store, owner: PartyId, modules: Iterable[str]) -> None:
    """It may not have all of them. Raises StoreAway."""
    for module in modules:
        await store.remove_meta(_name(module, owner))


async def since(store: Store, owner: PartyId) -> Mapping[str, int]:
    """Since when (UTC ms) this owner's modules are complete, those that are. Raises StoreAway."""
    found: dict[str, int] = {}
    for module in MODULES:
        stored = await store.get_meta(_name(module, owner))
        if stored is not None:
            fact: dict[str, Any] = orjson.loads(stored)
            found[str(module)] = fact["declared"] if "declared" in fact else fact["pulled"]
    return found


class Facts(Protocol):
    """What of the store is read (routing/store/port)."""

    async def list_meta(self, prefix: str) -> Mapping[str, bytes]: ...


class Complete(NamedTuple):
    """The owners that are complete in a module, and those that are so to some readers only, whose they are."""

    owners: frozenset[PartyId] = frozenset()
    some: Mapping[PartyId, frozenset[PartyId]] = MappingProxyType({})

    def to(self, reader: PartyId) -> frozenset[PartyId]:
        """The owners that are complete to this reader."""
        if not self.some:
            return self.owners
        return self.owners.union(owner for owner, readers in self.some.items() if reader in readers)


async def complete(store: Facts, module: str) -> Complete:
    """Who is complete in this module. Raises StoreAway."""
    prefix = f"complete/{module}/"
    owners: set[PartyId] = set()
    some: dict[PartyId, frozenset[PartyId]] = {}
    for name, value in (await store.list_meta(prefix)).items():
        owner, fact = PartyId.parse(name.removeprefix(prefix)), orjson.loads(value)
        if "declared" not in fact and "readers" in fact:
            some[owner] = frozenset(map(PartyId.parse, fact["readers"]))
        else:
            owners.add(owner)
    return Complete(frozenset(owners), some)


def _name(module: str, owner: PartyId) -> str:
    return f"complete/{module}/{owner}"
