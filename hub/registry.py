"""The directory as this process sees it: the store's snapshot, kept fresh, and found by credential.

Readers take `directory` once for each call; it is immutable, and swapped whole when anything changes.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog

from connectors.authorization import present
from connectors.errors import EngineAway, NotConnected
from connectors.values import PartyId
from hub.keys import Keys
from routing.agreements import Agreement, Effect, Rules
from routing.directory import Directory, Issued, Platform
from routing.policies import Policies, Policy, Terms
from routing.store.port import Conflict, Store, StoreAway

log = structlog.get_logger(__name__)

MISS_SECONDS = 1.0
MAX_MISSES = 10_000
LOOK_EVERY = 20
"""Looking again for somebody unknown is done at most every so many times what the last look took."""
RETRY_SECONDS = 0.25
MAX_CONFLICTS = 8


def utc_ms() -> int:
    """Now, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


class Registry:
    """Keeps the current `Directory`. Start it once before use; stop it before the store is closed."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        *,
        hub: PartyId,
        default: Effect = Effect.ALLOW,
        terms: Terms | None = None,
        now: Callable[[], int] = utc_ms,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.now = now
        self._store = store
        self._keys = keys
        self._rules = Rules((), default)
        self._monotonic = monotonic
        self._policies = Policies((), terms)
        self._directory = Directory((), hub=hub, revision=-1, agreements=self._rules, policies=self._policies)
        self._headers: dict[str, tuple[Platform, str]] = {}
        self._misses: OrderedDict[bytes, float] = OrderedDict()
        self._dead: set[bytes] = set()
        self._look_after = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._loading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._stale = True
        self._followers: list[Callable[[], None]] = []
        self.edits = 0
        """How many `edit` has made in this process."""
        self._edited: dict[str, int] = {}
        self._editing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        """Load the directory and follow its changes. Raises StoreAway."""
        # Watch first, then load: a change between the two is then seen as a change, not missed.
        self._store.watch(self._changed.set)
        await self.refresh()
        self._task = asyncio.create_task(self._follow(), name="registry")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    @property
    def directory(self) -> Directory:
        return self._directory

    def trouble(self) -> str | None:
        """A sentence while the directory may be behind the store (readiness), else None."""
        return "the directory of parties cannot be read from the store" if self._stale else None

    def store_trouble(self) -> str | None:
        """A sentence while the store behind the directory is known to be away, else None; asked of nobody, at once."""
        return self._store.trouble()

    def follow(self, changed: Callable[[], None]) -> None:
        """`changed` is called in the event loop each time that another directory was swapped in."""
        self._followers.append(changed)

    async def lookup(self, digest: bytes) -> tuple[Platform, Issued] | None:
        """The platform of a credential, by its SHA-256; None when it is unknown, ended or expired.

        One that the snapshot does not have is looked up once in the store, and a miss is remembered for a second.
        Raises EngineAway when the store cannot say.
        """
        if (found := self.find(digest)) is not None:
            return found
        if digest in self._dead or self._directory.credential(digest) is not None:
            return None
        await self._look_up(digest)
        return self.find(digest)

    async def newer(self, seen: Directory) -> Directory | None:
        """A directory newer than `seen`, in which somebody was not found; None where there is none.

        Another process may have registered them a moment ago, so the store is asked; looking takes no more than a
        twentieth of the time, however often somebody unknown is asked for.
        """
        if self._directory.revision <= seen.revision:
            if self._looking is None and self._monotonic() >= self._look_after:
                self._looking = asyncio.create_task(self._look(), name="registry-look")
            if self._looking is not None:
                await asyncio.shield(self._looking)
        return self._directory if self._directory.revision > seen.revision else None

    async def _look(self) -> None:
        began = self._monotonic()
        try:
            with suppress(StoreAway):
                await self.refresh()
        finally:
            now = self._monotonic()
            self._look_after = now + (now - began) * LOOK_EVERY
            self._looking = None

    def find(self, digest: bytes) -> tuple[Platform, Issued] | None:
        """The same as far as the snapshot knows, without asking the store.

        Of several readings of one header ask this for each before `lookup`: the store is then not asked for a
        reading that was never meant.
        """
        found = self._directory.credential(digest)
        if found is None or digest in self._dead:
            return None
        expires = found[1].expires
        return None if expires is not None and expires <= self.now() else found

    async def _look_up(self, digest: bytes) -> None:
        moment = self._monotonic()
        if (until := self._misses.get(digest)) is not None and moment < until:
            return
        if self._store.trouble() is not None:
            raise EngineAway("the hub's store is away, so the credential cannot be judged; repeat")
        try:
            if await self._store.find_credential(digest) is not None:
                await self.refresh()
        except StoreAway as away:
            raise EngineAway("the hub's store cannot be reached, so the credential cannot be judged; repeat") from away
        if self._directory.credential(digest) is None:
            self._misses[digest] = moment + MISS_SECONDS
            self._misses.move_to_end(digest)
            if len(self._misses) > MAX_MISSES:
                self._misses.popitem(last=False)

    def end(self, digests: Iterable[bytes]) -> None:
        """These credentials work no more in this process from now on, while the store is still being told."""
        self._dead.update(digests)

    def ended(self, digests: Iterable[bytes]) -> None:
        """The store was told of these: the snapshot no longer has them."""
        self._dead.difference_update(digests)

    async def save(self, platform: Platform) -> Platform:
        """Persist and refresh before returning, so that what it says works at once.

        Raises the store's Conflict, Taken and StoreAway.
        """
        saved = await self._store.save_platform(platform)
        await self.refresh()
        return saved

    @property
    def rules(self) -> Rules:
        """The agreements as this process knows them."""
        return self._rules

    async def agree(self, agreement: Agreement) -> None:
        """Persist an agreement in place of the one of its id, and refresh. Raises StoreAway."""
        await self._store.save_agreement(agreement)
        await self.refresh()

    async def end_agreement(self, id: str) -> bool:
        """Take an agreement back, and refresh; whether there was one of this id. Raises StoreAway."""
        gone = await self._store.remove_agreement(id)
        await self.refresh()
        return gone

    async def set_policy(self, policy: Policy) -> None:
        """Persist a delivery policy in place of the one of its scope, and refresh. Raises StoreAway."""
        await self._store.save_policy(policy)
        await self.refresh()

    async def unset_policy(self, id: str) -> bool:
        """Take a delivery policy back, and refresh; whether there was one of this id. Raises StoreAway."""
        gone = await self._store.remove_policy(id)
        await self.refresh()
        return gone

    async def change(self, id: str, decide: Callable[[Platform], Platform]) -> Platform:
        """Save what `decide` makes of the newest record, again if somebody else changed it meanwhile.

        `decide` is pure, and raises when the newest record no longer allows the change. A record given back
        unchanged is not written. Raises KeyError for an unknown platform, and what `save` raises.
        """
        for left in reversed(range(MAX_CONFLICTS)):
            current = self._directory.platforms[id]
            wanted = decide(current)
            if wanted == current:
                return current
            try:
                return await self.save(wanted)
            except Conflict:
                if not left:
                    raise
                await self.refresh()
        raise AssertionError("unreachable")

    async def edit(
        self, id: str, decide: Callable[[Platform], Platform], *, revision: int | None = None, since: int | None = None
    ) -> Platform:
        """As `change`, for a person who decided on what they saw: of two such edits at once only the first is made.

        Two are at once when neither knew of the other. With `revision` the edit is of exactly that one; `since` is
        what `edits` said when the person asked. What the hub itself changes meanwhile (its status, a credential's
        use) is no edit. Raises Conflict with the newer revision, KeyError, and what `save` raises.
        """
        async with self._editing[id]:
            seen = current = self._directory.platforms[id]
            if revision not in (None, seen.revision) or (since is not None and self._edited.get(id, 0) > since):
                raise Conflict(f"platform {id}", seen.revision)
            for _ in range(MAX_CONFLICTS):
                wanted = decide(current)
                if wanted == current:
                    return current
                try:
                    saved = await self.save(wanted)
                except Conflict as lost:
                    await self.refresh()
                    current = self._directory.platforms[id]
                    if revision is not None or _decided(current) != _decided(seen):
                        raise Conflict(f"platform {id}", max(lost.current, current.revision)) from None
                else:
                    self.edits += 1
                    self._edited[id] = self.edits
                    return saved
            raise Conflict(f"platform {id}", current.revision)

    def authorization_for(self, platform: Platform) -> str:
        """The value of the Authorization header that the hub presents to this platform.

        Decrypted once a record. Raises NotConnected (4003) when the platform gave the hub no credential.
        """
        cached = self._headers.get(platform.id)
        if cached is not None and cached[0] is platform:
            return cached[1]
        if platform.presents is None:
            raise NotConnected("the platform of this party has not finished its registration, so it cannot be called")
        credential = self._keys.decrypt(platform.presents, platform.id.encode()).decode()
        header = present(credential, platform.settings.form or platform.form)
        if self._directory.platforms.get(platform.id) is platform:
            self._headers[platform.id] = (platform, header)
        return header

    async def refresh(self) -> None:
        """Read the directory from the store and swap it in, unless a newer one is there already. Raises StoreAway."""
        async with self._loading:
            self._changed.clear()
            try:
                revision, platforms = await self._store.load_platforms()
                # Agreements and policies after platforms: newer than the revision says they may be, older never.
                agreements, policies = await self._store.load_agreements(), await self._store.load_policies()
            except StoreAway:
                self._stale = True
                self._changed.set()
                raise
            self._stale = False
            if revision > self._directory.revision:
                known = self._directory.platforms
                self._rules = Rules(agreements, self._rules.default)
                # Records that did not change stay the same objects, and so keep what is cached beside them.
                kept = [
                    was if (was := known.get(p.id)) is not None and (was is p or was == p) else p for p in platforms
                ]
                self._policies = Policies(policies, self._policies.default)
                self._directory = Directory(
                    kept, hub=self._directory.hub, revision=revision, agreements=self._rules, policies=self._policies
                )
                self._misses.clear()
                for changed in self._followers:
                    changed()
                self._headers = {
                    id: cached for id, cached in self._headers.items() if self._directory.platforms.get(id) is cached[0]
                }

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            try:
                await self.refresh()
            except StoreAway:
                log.warning("directory_not_read", retry_seconds=RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("directory_not_read")
                await asyncio.sleep(RETRY_SECONDS)
                self._changed.set()


def _decided(platform: Platform) -> object:
    """What people decide of a platform."""
    blocked = [(party.id, party.role, party.suspended, party.removed) for party in platform.parties]
    return platform.settings, platform.removed, platform.invited, blocked
