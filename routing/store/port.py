"""What a store is, whichever engine keeps it. The contract suite in tests/contract holds every engine to this page.

Every write is durable when it returns. Times are UTC milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from connectors.values import PartyId
from routing.agreements import Agreement
from routing.custody import Custody, Held
from routing.directory import Platform
from routing.log.port import Headers, Position, TopicPartition
from routing.policies import Policy
from routing.state import ObjectState, StateKey
from routing.store.archive import Archive
from routing.store.deadletters import DeadLetters


class StoreError(Exception):
    """Base of what a store raises; never reaches a caller of the hub as it is."""


class StoreAway(StoreError):
    """The store cannot be reached, or could not do this now; nothing is known of a write."""


class Unusable(StoreError):
    """The store cannot be used as it is, and waiting does not help; raised by `start` only. Its sentence says why."""


class Conflict(StoreError):
    """The record changed meanwhile; `current` is its revision now (0: it is gone)."""

    def __init__(self, what: str, current: int) -> None:
        super().__init__(f"{what} was changed meanwhile and is at revision {current} now")
        self.current = current


class Taken(StoreError):
    """A party, as this role, is held by another platform already."""

    def __init__(self, what: str, platform: str) -> None:
        super().__init__(f"{what} is held by another platform")
        self.what = what
        self.platform = platform


class LeaseLost(StoreError):
    """The lease that a write was conditional on is no longer the writer's; nothing was written."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(f"the lease {lease.name} is no longer held by {lease.holder}")
        self.lease = lease


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may do, alone, what only one process should do; for a few seconds by the store's clock, then renewed.

    The holder counts from before it asked, by its own monotonic clock, and stops well before the end. `generation`
    grows each time that the lease is taken, never for a renewal, so a write that is conditional on it is refused to
    whoever held the lease before.
    """

    name: str
    holder: str
    generation: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record of the log that could not be handled, kept for a look: where it stood, what it was, and why.

    `at` is when it was set aside.
    """

    tp: TopicPartition
    position: Position
    append_time: int
    at: int
    reason: str
    key: bytes
    headers: Headers
    value: bytes


class MarkKey(NamedTuple):
    """What a mark is of. `party` is None for what a platform missed, all its parties together."""

    platform: str
    tp: TopicPartition
    party: PartyId | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A resync mark: what `platform` did not get of a partition begins at `position`, the lowest not delivered.

    One small record a platform and partition, not one an object. `revision` is 0 for one not yet stored; a store
    never gives the same one twice, so that who holds a mark that is gone cannot touch the one made after it.

    While it is worked off, newest first, `upper` is where that began, `done` how far down it came; `beside` is the
    lowest position that was not delivered meanwhile, and what the mark begins with once the resync has ended.

    One of a `party` alone is what an operator `asked` for (UTC ms): that party is sent it again, whatever it got
    before. `sent` is how many objects of that it was brought by `done`. `first` is where it began, where it has begun
    anew with what was left.
    """

    platform: str
    tp: TopicPartition
    position: Position
    since: int
    reason: str
    revision: int = 0
    upper: Position | None = None
    done: Position | None = None
    beside: Position | None = None
    party: PartyId | None = None
    asked: int = 0
    sent: int = 0
    first: Position | None = None

    @property
    def began(self) -> Position:
        """The lowest position since which not all was brought: of what is brought only now, all from there on."""
        return self.position if self.first is None else min(self.first, self.position)

    @property
    def key(self) -> MarkKey:
        return MarkKey(self.platform, self.tp, self.party)

    @property
    def lowest(self) -> Position:
        """Nothing below it is lacking."""
        return self.position if self.beside is None else min(self.position, self.beside)

    def lacks(self, position: Position) -> bool:
        """Whether the resync under way still has to see to a state of this position."""
        below = self.done or self.upper
        return self.position <= position and (below is None or position < below)


@dataclass(frozen=True, slots=True)
class CdrKey:
    """A CDR at one recipient. `cdr_id` is in upper case, because CDR ids are CiStrings."""

    owner: PartyId
    cdr_id: str
    recipient: PartyId


@dataclass(frozen=True, slots=True)
class CdrRecord:
    """What the hub remembers of a CDR: the body as posted, and the recipient's answer as it was given on.

    `status_code` None: attempted, outcome not known. `location` is the Location header that the sender was given.
    `custody` where the hub delivers it by itself, or did.
    """

    key: CdrKey
    payload: bytes
    position: Position
    recorded: int
    http_status: int | None = None
    status_code: int | None = None
    answer: bytes = b""
    location: str | None = None
    custody: Custody | None = None

    @property
    def awaited(self) -> bool:
        """Whether it is found as one in custody: the hub delivers it, or somebody is to decide."""
        return self.custody is not None and self.custody.held is not Held.ENDED and self.status_code is None

    @property
    def rank(self) -> tuple[Position, int]:
        """What may take its place: an answer beside none, and of two answers the one that it was taken by."""
        if self.status_code is None:
            return self.position, 0
        return self.position, 2 if 1000 <= self.status_code < 2000 else 1

    def replaces(self, there: CdrRecord) -> bool:
        """Whether `write_cdr` puts it in the place of this one; one that is in custody begins it, and no more."""
        bare = self.status_code is not None or (self.custody is None and there.custody is None)
        return self.rank > there.rank or (self.rank == there.rank and bare)

    def follows(self, there: CdrRecord) -> bool:
        """Whether `step_cdr` puts it in the place of this one."""
        if self.custody is None or there.custody is None or there.status_code is not None:
            return False
        return self.position == there.position and self.custody.turn == there.custody.turn + 1


@dataclass(frozen=True, slots=True)
class CustodyCount:
    """How many CDRs for one recipient, in one partition of their topic, stand how; the `oldest` since when (UTC ms).

    Those that wait do so since they were taken, the others since they were given up or parked.
    """

    recipient: PartyId
    held: Held
    partition: int
    count: int
    oldest: int


@dataclass(frozen=True, slots=True)
class CustodyWanted:
    """CDRs in custody for one recipient that stand so, in these partitions, due by then (UTC ms).

    `after`: behind this due moment and key, as `codec.cdr_key` gives it.
    """

    recipient: PartyId
    held: Held
    partitions: tuple[int, ...]
    due: int
    after: tuple[int, bytes] | None = None


LIST_BYTES: Final = 8 * 2**20
"""A list of states ends with the one by which its bodies have so many bytes."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects that a list is of: those of `module` and these owners, for everybody (None) or for one audience.

    Only what is known whole: no tombstones, and nothing of which parts alone are known. Of owners in `unpublished` what
    is not published too. `last_updated` is compared to the millisecond: `since` inclusive, `before` exclusive, UTC ms;
    what has none that can be read is never left out.
    """

    module: str
    audience: PartyId | None
    owners: tuple[PartyId, ...]
    unpublished: frozenset[PartyId] = frozenset()
    since: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many objects of one owner a selection has: `published`, and `unpublished`, which not everybody may see.

    `unsure` are those, whatever their dates, of which only parts are known, or not whether a push came through.
    """

    published: int = 0
    unpublished: int = 0
    unsure: int = 0


class Store(Protocol):
    """Every call but `start`, `close`, `trouble` and `watch` may raise StoreAway."""

    async def start(self) -> None:
        """Raises Unusable, or StoreAway when it may be there later."""

    async def close(self) -> None: ...

    def trouble(self) -> str | None:
        """A sentence if the store cannot be used now, else None (readiness)."""

    @property
    def archive(self) -> Archive:
        """Exchanges as they went; it is usable while the store is started, and its trouble is not the store's."""

    @property
    def letters(self) -> DeadLetters:
        """What the hub gave up on; it is usable while the store is started."""

    # --- the directory -----------------------------------------------------------------------------------------------

    async def load_platforms(self) -> tuple[int, Sequence[Platform]]:
        """The revision of the whole directory, and every platform, the removed ones included."""

    async def save_platform(self, platform: Platform, *, lease: Lease | None = None) -> Platform:
        """Insert (revision 0) or replace, conditional on `platform.revision` being the stored one.

        Returns it with its new revision; the directory's revision grows by one. Raises Conflict, and Taken when a
        party that is not removed is held in the same role by another platform that is not removed; LeaseLost, before
        either, when it is conditional on a lease that is no longer held.
        """

    async def find_credential(self, digest: bytes) -> Platform | None:
        """The platform, not removed, among whose issued credentials one has this SHA-256; its expiry is not judged."""

    async def load_agreements(self) -> Sequence[Agreement]:
        """Every agreement. Loaded after the platforms it is never older than their revision says."""

    async def save_agreement(self, agreement: Agreement) -> None:
        """Insert it, or replace the one of its id; the directory's revision grows by one."""

    async def remove_agreement(self, id: str) -> bool:
        """The directory's revision grows by one if there was one of this id; whether there was."""

    async def load_policies(self) -> Sequence[Policy]:
        """Every delivery policy. Loaded after the platforms it is never older than their revision says."""

    async def save_policy(self, policy: Policy) -> None:
        """Insert it, or replace the one of its id; the directory's revision grows by one."""

    async def remove_policy(self, id: str) -> bool:
        """The directory's revision grows by one if there was one of this id; whether there was."""

    def watch(self, changed: Callable[[], None]) -> None:
        """`changed` is called in the event loop after every change of the directory, by any process."""

    # --- object state ------------------------------------------------------------------------------------------------

    async def read_states(self, keys: Sequence[StateKey]) -> Mapping[StateKey, ObjectState]:
        """Those that there are, tombstones included."""

    async def write_states(self, states: Sequence[ObjectState]) -> None:
        """Each conditional on a greater position than the stored one; one that is there already counts as done."""

    async def list_states(
        self, wanted: Selection, *, after: StateKey | None = None, skip: int = 0, limit: int
    ) -> Sequence[ObjectState]:
        """In the order of `codec.state_key`, those behind `after`, without the first `skip`; at most `limit`.

        Fewer also once they have LIST_BYTES. However many are before `after`, it costs no more.
        """

    async def list_changed(
        self, module: str, *, since: Position, before: Position, limit: int
    ) -> Sequence[ObjectState]:
        """States for everybody of a module, tombstones included, of positions from `since` to `before`, exclusive.

        The highest position first. About `limit`, or fewer once they have LIST_BYTES: all of the last position given
        are there, so that what is left is `before` it. It costs no more where more states are older.
        """

    async def count_states(self, wanted: Selection, owner: PartyId) -> StateCount:
        """Of this owner. It looks at every state of the owner, so it is nothing for each call."""

    async def find_contract(self, contract_id: str, audience: PartyId | None) -> Sequence[PartyId]:
        """The owners, each once and in order, of tokens for this audience that have this contract id.

        Exact but for its case, which does not count; of each token the newest state does. It costs a look for each
        owner found, however many tokens they have.
        """

    # --- CDR memory --------------------------------------------------------------------------------------------------

    async def read_cdr(self, key: CdrKey) -> CdrRecord | None: ...

    async def write_cdr(self, record: CdrRecord) -> None:
        """Conditional on no later one being stored for its key (`replaces`); one that is there already counts as done.

        Later is a greater position, and of the same one a record with an outcome (`status_code`) beside one without,
        and with one of success beside another. So a write that was given up and lands late takes nothing back.
        """

    async def step_cdr(self, record: CdrRecord) -> bool:
        """The next turn of one in custody, conditional on the stored one being of the turn before (`follows`).

        Whether this very record stands there then: one whose answer was lost may be written again.
        """

    async def count_custody(self) -> Sequence[CustodyCount]:
        """Those in custody, and those that were given up or parked until somebody decides."""

    async def list_custody(self, wanted: CustodyWanted, *, limit: int) -> Sequence[CdrRecord]:
        """By their due moment, then by key."""

    # --- marks -------------------------------------------------------------------------------------------------------

    async def load_marks(self) -> Sequence[Mark]: ...

    async def claim_marks(self, tps: Collection[TopicPartition]) -> Sequence[Mark]:
        """The marks of these partitions, for their new owner: each has a new revision, so that whoever read it before
        can change it no more."""

    async def save_mark(self, mark: Mark) -> Mark:
        """Insert or replace, conditional on `mark.revision`; returns it with its new revision. Raises Conflict."""

    async def remove_mark(self, mark: Mark) -> None:
        """Conditional on `mark.revision`; one that is gone already counts as done. Raises Conflict."""

    # --- rewritten URLs that are too long to be sealed into a URL --------------------------------------------------

    async def put_url(self, ref: str, content: bytes, expires: int) -> None:
        """`content` is encrypted already, where it is a URL; other small facts that expire are kept here too."""

    async def get_url(self, ref: str, now: int) -> bytes | None:
        """None where there is none or it expired by `now`."""

    async def expire(self, now: int, *, cdrs_before: int) -> int:
        """Drop rewritten URLs expired by `now`; CDR memory, records set aside, dead letters from before `cdrs_before`.

        Of CDRs none that is in custody.

        Returns how many; an engine that drops them by itself has less to count.
        """

    # --- records of the log that could not be handled ----------------------------------------------------------------

    async def set_aside(self, record: SetAside) -> None:
        """One of the same partition and position that is there already counts as done."""

    async def load_set_aside(self, *, limit: int, offset: int = 0, wanted: str = "") -> Sequence[SetAside]:
        """The newest first, by `at`, then by position; without the first `offset` of them.

        `wanted` leaves those that have it in their topic or reason, whatever its case in ASCII.
        """

    async def count_set_aside(self, *, wanted: str = "") -> int:
        """How many there are that `load_set_aside` would give without a limit."""

    async def read_set_aside(self, tp: TopicPartition, offset: int) -> SetAside | None:
        """The one of this offset, of the topic's newest epoch that has one."""

    # --- leases ------------------------------------------------------------------------------------------------------

    async def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        """Take a lease that nobody holds, until `seconds` from now; None while it is held, by whoever it is."""

    async def renew(self, lease: Lease, seconds: float) -> bool:
        """Hold it until `seconds` from now; False when it has ended or is somebody else's, and stays so."""

    async def release(self, lease: Lease) -> None:
        """End it at once; one that is no longer held counts as done."""

    # --- small facts by name -----------------------------------------------------------------------------------------

    async def get_meta(self, name: str) -> bytes | None: ...

    async def list_meta(self, prefix: str) -> Mapping[str, bytes]:
        """Those whose names begin with it."""

    async def remove_meta(self, name: str) -> None:
        """One that is gone already counts as done."""

    async def set_meta(self, name: str, value: bytes, *, lease: Lease | None = None) -> None:
        """Raises LeaseLost when it is conditional on a lease that is no longer held."""

    async def add_meta(self, name: str, value: bytes, *, after: bytes | None = None) -> bytes:
        """Set it if what is stored is `after` (None: nothing); what is stored then (empty: nothing).

        So all who try at once agree.
        """
