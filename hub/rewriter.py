"""Makes URLs of the hub from those of parties, and finds what is behind them when they are used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from connectors.errors import EngineAway, NotConnected, UnknownUrl
from hub.keys import Keys
from hub.sealed import STORED_REF, Kind, Rewrite, lock, open_ref, seal, unlock
from routing.directory import Directory, Status
from routing.store.port import Store, StoreAway


def _utc() -> int:
    return time.time_ns() // 1_000_000


class Rewriter:
    """`public_url` is the base of every URL that the hub gives out; `now` the clock, UTC ms."""

    def __init__(self, keys: Keys, store: Store, public_url: str, *, now: Callable[[], int] = _utc) -> None:
        self._keys = keys
        self._store = store
        self._public_url = public_url.rstrip("/")
        self._now = now

    async def rewrite(self, kind: Kind, base_path: str, rewrite: Rewrite) -> str:
        """The hub's URL for `rewrite`, below `base_path` (its path from the public URL on), stored if need be.

        The ref comes last, behind exactly one slash.

        Raises InvalidParameters (2001) for a URL that is none, EngineAway when it must be stored and cannot be.
        """
        if rewrite.kind != kind:
            raise ValueError(f"a {rewrite.kind} cannot be given out as a {kind}")
        base_url = f"{self._public_url}/{base_path.strip('/')}/"
        sealed = seal(rewrite, base_url, self._keys)
        if sealed is not None:
            return sealed
        ref, content = lock(rewrite, self._keys)
        try:
            await self._store.put_url(ref, content, rewrite.expires)
        except StoreAway as away:
            raise EngineAway("the hub's store is away, so it cannot keep the URL of this call; repeat it") from away
        return base_url + ref

    async def resolve(self, kind: Kind, ref: str, caller: str, directory: Directory) -> Rewrite:
        """What is behind a ref that the platform `caller` uses as a URL of this kind.

        Raises UnknownUrl (404) for anything that the hub did not give to this platform for this, that expired, or
        behind which nobody is any more; NotConnected (4003) while the party behind it is suspended; EngineAway.
        """
        rewrite = await self._open(ref, directory)
        if rewrite.kind != kind:
            raise UnknownUrl(f"this URL is for another use than a {kind}: use it exactly as it was given")
        if rewrite.caller != caller:
            raise UnknownUrl("this URL was given to another platform than the one whose credential came with the call")
        _check_active(rewrite, directory)
        return rewrite

    async def _open(self, ref: str, directory: Directory) -> Rewrite:
        def origins(id: str) -> Iterable[str]:
            platform = directory.platforms.get(id)
            return platform.known_origins if platform is not None and not platform.removed else ()

        now = self._now()
        if len(ref) != STORED_REF:
            return open_ref(ref, self._keys, now, origins)
        try:
            # Not every text that can stand in a path can be asked for in every store.
            content = await self._store.get_url(ref, now) if ref.isascii() else None
        except StoreAway as away:
            raise EngineAway("the hub's store is away, so it cannot look up this URL; repeat the call") from away
        if content is None:
            raise UnknownUrl("the hub did not make this URL, or it has expired: use it exactly as it was given")
        return unlock(ref, content, self._keys, now, origins)


def _check_active(rewrite: Rewrite, directory: Directory) -> None:
    caller, target = directory.platforms.get(rewrite.caller), directory.platforms.get(rewrite.target)
    if caller is None or not caller.registered or caller.status is Status.SUSPENDED:
        raise UnknownUrl("the platform that this URL was given to is no longer registered")
    if target is None or not target.registered:
        raise UnknownUrl(f"{rewrite.to}, who is behind this URL, is no longer registered")
    known = (*target.parties, *directory.beyond(target.id))
    hosted = [party for party in known if party.id == rewrite.to and not party.removed]
    if not hosted:
        raise UnknownUrl(f"{rewrite.to}, who is behind this URL, is no longer registered")
    if target.status is Status.SUSPENDED or all(party.suspended for party in hosted):
        raise NotConnected(f"{rewrite.to}, who is behind this URL, is suspended on this hub; nothing was sent to it")
