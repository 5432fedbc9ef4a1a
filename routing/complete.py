"""Which owners' objects the hub has all of, module by module: a small fact each in the store.

An owner is complete once its whole list was read, or once the operator says so, because all that it has is pushed.
Lists of everybody's objects ask `complete` only, however an owner became so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import orjson

from connectors.values import Module, PartyId
from routing.store.port import Store

MODULES: Final = (Module.LOCATIONS, Module.TARIFFS, Module.TOKENS, Module.SESSIONS, Module.CDRS)
"""Those of which the hub serves everybody's objects in one list."""


async def declare(store: Store, owner: PartyId, modules: Iterable[str], now: int) -> None:
    """From `now` (UTC ms) the hub has all of these modules that the owner has. Raises StoreAway."""
    for module in modules:
        await store.add_meta(_name(module, owner), orjson.dumps({"declared": now}))


async def pulled(store: Store, owner: PartyId, module: str, when: int) -> None:
    """The whole list of what the owner has of a module, as of `when` (UTC ms), is stored. Raises StoreAway."""
    await store.add_meta(_name(module, owner), orjson.dumps({"pulled": when}))


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
            fact: dict[str, int] = orjson.loads(stored)
            found[str(module)] = fact["declared"] if "declared" in fact else fact["pulled"]
    return found


class Facts(Protocol):
    """What of the store is read (routing/store/port)."""

    async def list_meta(self, prefix: str) -> Mapping[str, bytes]: ...


async def complete(store: Facts, module: str) -> frozenset[PartyId]:
    """The owners that are complete in this module. Raises StoreAway."""
    prefix = f"complete/{module}/"
    names = await store.list_meta(prefix)
    return frozenset(PartyId.parse(name.removeprefix(prefix)) for name in names)


def _name(module: str, owner: PartyId) -> str:
    return f"complete/{module}/{owner}"
