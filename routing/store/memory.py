"""The store in memory, for tests and the simulation in virtual time: no threads, no clock but the loop's, no chance.

`MemoryData` is what would lie on a disk; any number of `MemoryStore` handles work on one, and it outlives them, as a
store outlives a killed process. `Hooks` decide how long things take and what fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from connectors.values import PartyId, Role
from routing.agreements import Agreement
from routing.custody import Custody, Held
from routing.directory import Platform
from routing.log.port import Position, TopicPartition
from routing.policies import Policy
from routing.state import ObjectState, StateKey
from routing.store.codec import cdr_key, contract_key, contract_of, held, moment, state_key
from routing.store.memory_archive import ArchiveData, MemoryArchive
from routing.store.memory_deadletters import LetterData, MemoryDeadLetters
from routing.store.port import (
    LIST_BYTES,
    CdrKey,
    CdrRecord,
    Conflict,
    CustodyCount,
    CustodyWanted,
    Lease,
    LeaseLost,
    Mark,
    MarkKey,
    Selection,
    SetAside,
    StateCount,
    StoreAway,
    Taken,
)


class Hooks(Protocol):
    """Both are told the name of the port's call, may sleep, and may raise StoreAway or be cancelled."""

    async def before(self, call: str) -> None:
        """Before the call has any effect: a failure here means that nothing was written."""

    async def after(self, call: str) -> None:
        """After the effect, before the caller hears of it: a failure here is a write whose answer was lost."""


@dataclass(slots=True)
class MemoryData:
    """What all handles share."""

    revision: int = 0
    marked: int = 0
    platforms: dict[str, Platform] = field(default_factory=dict)
    agreements: dict[str, Agreement] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    states: dict[StateKey, ObjectState] = field(default_factory=dict)
    cdrs: dict[CdrKey, CdrRecord] = field(default_factory=dict)
    marks: dict[MarkKey, Mark] = field(default_factory=dict)
    urls: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    meta: dict[str, bytes] = field(default_factory=dict)
    aside: dict[tuple[TopicPartition, Position], SetAside] = field(default_factory=dict)
    leases: dict[str, tuple[Lease, float]] = field(default_factory=dict)
    archive: ArchiveData = field(default_factory=ArchiveData)
    letters: LetterData = field(default_factory=dict)
    watchers: dict[MemoryStore, list[Callable[[], None]]] = field(default_factory=dict)


class MemoryStore:
    """One handle. `away`, while it is a sentence, is why every call of this handle raises StoreAway."""

    def __init__(self, data: MemoryData | None = None, *, hooks: Hooks | None = None) -> None:
        self.data = data if data is not None else MemoryData()
        self.away: str | None = None
        self._hooks = hooks
        self._open = False
        self.archive = MemoryArchive(
            self.data.archive, before=self._before, after=self._after, trouble=lambda: self.away
        )
        self.letters = MemoryDeadLetters(self.data.letters, before=self._before, after=self._after)

    async def start(self) -> None:
        if self.away is not None:
            raise StoreAway(self.away)
        self._open = True

    async def close(self) -> None:
        self.kill()

    def kill(self) -> None:
        """As a process ends that is killed: nothing is told to it any more, what it wrote is there."""
        self._open = False
        self.data.watchers.pop(self, None)

    def trouble(self) -> str | None:
        return self.away

    # --- the directory -----------------------------------------------------------------------------------------------

    async def load_platforms(self) -> tuple[int, Sequence[Platform]]:
        await self._before("load_platforms")
        loaded = self.data.revision, tuple(self.data.platforms.values())
        await self._after("load_platforms")
        return loaded

    async def save_platform(self, platform: Platform, *, lease: Lease | None = None) -> Platform:
        await self._before("save_platform")
        self._demand(lease)
        stored = self.data.platforms.get(platform.id)
        current = stored.revision if stored else 0
        if current != platform.revision:
            raise Conflict(f"platform {platform.id}", current)
        holders = self._holders(platform.id)
        for party, role in held(platform):
            if (party, role) in holders:
                raise Taken(f"{party} as {role}", holders[(party, role)])
        saved = replace(platform, revision=current + 1)
        self.data.platforms[platform.id] = saved
        self._directory_changed()
        await self._after("save_platform")
        return saved

    async def find_credential(self, digest: bytes) -> Platform | None:
        await self._before("find_credential")
        found = None
        for platform in self.data.platforms.values():
            if not platform.removed and any(issued.digest == digest for issued in platform.issued):
                found = platform
        await self._after("find_credential")
        return found

    async def load_agreements(self) -> Sequence[Agreement]:
        await self._before("load_agreements")
        loaded = tuple(self.data.agreements.values())
        await self._after("load_agreements")
        return loaded

    async def save_agreement(self, agreement: Agreement) -> None:
        await self._before("save_agreement")
        self.data.agreements[agreement.id] = agreement
        self._directory_changed()
        await self._after("save_agreement")

    async def remove_agreement(self, id: str) -> bool:
        await self._before("remove_agreement")
        found = self.data.agreements.pop(id, None) is not None
        if found:
            self._directory_changed()
        await self._after("remove_agreement")
        return found

    async def load_policies(self) -> Sequence[Policy]:
        await self._before("load_policies")
        loaded = tuple(self.data.policies.values())
        await self._after("load_policies")
        return loaded

    async def save_policy(self, policy: Policy) -> None:
        await self._before("save_policy")
        self.data.policies[policy.id] = policy
        self._directory_changed()
        await self._after("save_policy")

    async def remove_policy(self, id: str) -> bool:
        await self._before("remove_policy")
        found = self.data.policies.pop(id, None) is not None
        if found:
            self._directory_changed()
        await self._after("remove_policy")
        return found

    def watch(self, changed: Callable[[], None]) -> None:
        self.data.watchers.setdefault(self, []).append(changed)

    def _directory_changed(self) -> None:
        self.data.revision += 1
        loop = asyncio.get_running_loop()
        for watchers in self.data.watchers.values():
            for changed in watchers:
                loop.call_soon(changed)

    def _holders(self, besides: str) -> dict[tuple[PartyId, Role], str]:
        return {
            holds: platform.id
            for platform in self.data.platforms.values()
            if platform.id != besides
            for holds in held(platform)
        }

    # --- object state ------------------------------------------------------------------------------------------------

    async def read_states(self, keys: Sequence[StateKey]) -> Mapping[StateKey, ObjectState]:
        await self._before("read_states")
        states = self.data.states
        found = {key: states[key] for key in keys if key in states}
        await self._after("read_states")
        return found

    async def write_states(self, states: Sequence[ObjectState]) -> None:
        await self._before("write_states")
        stored = self.data.states
        for state in states:
            there = stored.get(state.key)
            if there is None or state.position > there.position:
                stored[state.key] = state
        await self._after("write_states")

    async def list_states(
        self, wanted: Selection, *, after: StateKey | None = None, skip: int = 0, limit: int
    ) -> Sequence[ObjectState]:
        await self._before("list_states")
        owners = frozenset(wanted.owners)
        behind = b"" if after is None else state_key(after)
        found = [
            state
            for key, state in sorted((state_key(key), state) for key, state in self._of(wanted) if key.owner in owners)
            if key > behind
            and _listed(state, wanted)
            and (not state.unpublished or state.key.owner in wanted.unpublished)
        ][skip : skip + limit]
        size = 0
        for at, state in enumerate(found, start=1):
            size += len(state.body or b"")
            if size >= LIST_BYTES:
                found = found[:at]
                break
        await self._after("list_states")
        return found

    async def list_changed(
        self, module: str, *, since: Position, before: Position, limit: int
    ) -> Sequence[ObjectState]:
        await self._before("list_changed")
        found = [
            state
            for key, state in self.data.states.items()
            if key.module == module and key.audience is None and since <= state.position < before
        ]
        found.sort(key=lambda state: state.position, reverse=True)
        size = 0
        for at, state in enumerate(found):
            if (at >= limit or size >= LIST_BYTES) and state.position != found[at - 1].position:
                found = found[:at]
                break
            size += len(state.body or b"")
        await self._after("list_changed")
        return found

    async def count_states(self, wanted: Selection, owner: PartyId) -> StateCount:
        await self._before("count_states")
        states = [state for key, state in self._of(wanted) if key.owner == owner]
        listed = [state for state in states if _listed(state, wanted)]
        hidden = sum(state.unpublished for state in listed)
        unsure = sum(state.unconfirmed or (state.body is None and bool(state.parts)) for state in states)
        await self._after("count_states")
        return StateCount(len(listed) - hidden, hidden, unsure)

    async def find_contract(self, contract_id: str, audience: PartyId | None) -> Sequence[PartyId]:
        await self._before("find_contract")
        key = contract_key(contract_id)
        states = [state for state in self.data.states.values() if state.key.audience == audience]
        owners = sorted({state.key.owner for state in states if key is not None and contract_of(state) == key})
        await self._after("find_contract")
        return owners

    def _of(self, wanted: Selection) -> Iterator[tuple[StateKey, ObjectState]]:
        for key, state in self.data.states.items():
            if (key.module, key.audience) == (wanted.module, wanted.audience):
                yield key, state

    # --- CDR memory --------------------------------------------------------------------------------------------------

    async def read_cdr(self, key: CdrKey) -> CdrRecord | None:
        await self._before("read_cdr")
        record = self.data.cdrs.get(key)
        await self._after("read_cdr")
        return record

    async def write_cdr(self, record: CdrRecord) -> None:
        await self._before("write_cdr")
        there = self.data.cdrs.get(record.key)
        if there is None or record.replaces(there):
            self.data.cdrs[record.key] = record
        await self._after("write_cdr")

    async def step_cdr(self, record: CdrRecord) -> bool:
        await self._before("step_cdr")
        there = self.data.cdrs.get(record.key)
        done = there is not None and (there == record or record.follows(there))
        if done:
            self.data.cdrs[record.key] = record
        await self._after("step_cdr")
        return done

    async def count_custody(self) -> Sequence[CustodyCount]:
        await self._before("count_custody")
        since: dict[tuple[PartyId, Held, int], list[int]] = {}
        for one, custody in self._in_custody():
            since.setdefault((one.key.recipient, custody.held, custody.partition), []).append(one.recorded)
        await self._after("count_custody")
        return [CustodyCount(*where, len(found), min(found)) for where, found in since.items()]

    async def list_custody(self, wanted: CustodyWanted, *, limit: int) -> Sequence[CdrRecord]:
        await self._before("list_custody")
        found = []
        for one, custody in self._in_custody():
            fits = (one.key.recipient, custody.held) == (wanted.recipient, wanted.held)
            if (
                fits
                and custody.partition in wanted.partitions
                and custody.due is not None
                and custody.due <= wanted.due
            ):
                at = (custody.due, cdr_key(one.key))
                if wanted.after is None or at > wanted.after:
                    found.append((at, one))
        await self._after("list_custody")
        return [one for _, one in sorted(found, key=lambda pair: pair[0])[:limit]]

    def _in_custody(self) -> Iterator[tuple[CdrRecord, Custody]]:
        for record in self.data.cdrs.values():
            if record.custody is not None and record.awaited:
                yield record, record.custody

    # --- marks -------------------------------------------------------------------------------------------------------

    async def load_marks(self) -> Sequence[Mark]:
        await self._before("load_marks")
        marks = tuple(self.data.marks.values())
        await self._after("load_marks")
        return marks

    async def claim_marks(self, tps: Collection[TopicPartition]) -> Sequence[Mark]:
        await self._before("claim_marks")
        claimed = []
        for key, mark in list(self.data.marks.items()):
            if mark.tp in tps:
                self.data.marked += 1
                self.data.marks[key] = replace(mark, revision=self.data.marked)
                claimed.append(self.data.marks[key])
        await self._after("claim_marks")
        return claimed

    async def save_mark(self, mark: Mark) -> Mark:
        await self._before("save_mark")
        current = self._mark_revision(mark)
        if current != mark.revision:
            raise Conflict(_named(mark), current)
        self.data.marked += 1
        saved = replace(mark, revision=self.data.marked)
        self.data.marks[mark.key] = saved
        await self._after("save_mark")
        return saved

    async def remove_mark(self, mark: Mark) -> None:
        await self._before("remove_mark")
        current = self._mark_revision(mark)
        if current not in (0, mark.revision):
            raise Conflict(_named(mark), current)
        self.data.marks.pop(mark.key, None)
        await self._after("remove_mark")

    def _mark_revision(self, mark: Mark) -> int:
        stored = self.data.marks.get(mark.key)
        return stored.revision if stored else 0

    # --- rewritten URLs, expiry --------------------------------------------------------------------------------------

    async def put_url(self, ref: str, content: bytes, expires: int) -> None:
        await self._before("put_url")
        self.data.urls[ref] = (content, expires)
        await self._after("put_url")

    async def get_url(self, ref: str, now: int) -> bytes | None:
        await self._before("get_url")
        content, expires = self.data.urls.get(ref, (b"", now))
        await self._after("get_url")
        return content if expires > now else None

    async def expire(self, now: int, *, cdrs_before: int) -> int:
        await self._before("expire")
        urls, cdrs = self.data.urls, self.data.cdrs
        old_urls = [ref for ref, (_, expires) in urls.items() if expires <= now]
        old_cdrs = [key for key, record in cdrs.items() if record.recorded < cdrs_before and not _live(record)]
        for ref in old_urls:
            del urls[ref]
        for key in old_cdrs:
            del cdrs[key]
        aside = self.data.aside
        old_aside = [at for at, record in aside.items() if record.at < cdrs_before]
        for at in old_aside:
            del aside[at]
        letters = self.data.letters
        old_letters = [id for id, letter in letters.items() if letter.at < cdrs_before]
        for id in old_letters:
            del letters[id]
        await self._after("expire")
        return len(old_urls) + len(old_cdrs) + len(old_aside) + len(old_letters)

    # --- records set aside -------------------------------------------------------------------------------------------

    async def set_aside(self, record: SetAside) -> None:
        await self._before("set_aside")
        self.data.aside.setdefault((record.tp, record.position), record)
        await self._after("set_aside")

    async def load_set_aside(self, *, limit: int, offset: int = 0, wanted: str = "") -> Sequence[SetAside]:
        await self._before("load_set_aside")
        newest = sorted(self._aside(wanted), key=lambda record: (record.at, record.position), reverse=True)
        await self._after("load_set_aside")
        return newest[offset : offset + limit]

    async def count_set_aside(self, *, wanted: str = "") -> int:
        await self._before("count_set_aside")
        found = len(self._aside(wanted))
        await self._after("count_set_aside")
        return found

    def _aside(self, wanted: str) -> list[SetAside]:
        return [
            record
            for record in self.data.aside.values()
            if any(wanted.lower() in text.lower() for text in (record.tp.topic, record.reason))
        ]

    async def read_set_aside(self, tp: TopicPartition, offset: int) -> SetAside | None:
        await self._before("read_set_aside")
        found = [record for record in self.data.aside.values() if (record.tp, record.position.offset) == (tp, offset)]
        await self._after("read_set_aside")
        return max(found, key=lambda record: record.position, default=None)

    # --- leases ------------------------------------------------------------------------------------------------------

    async def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        await self._before("acquire")
        now = asyncio.get_running_loop().time()
        former, ends = self.data.leases.get(name, (None, now))
        taken = None
        if ends <= now:
            taken = Lease(name, holder, former.generation + 1 if former else 1)
            self.data.leases[name] = (taken, now + seconds)
        await self._after("acquire")
        return taken

    async def renew(self, lease: Lease, seconds: float) -> bool:
        await self._before("renew")
        held = self._held(lease)
        if held:
            self.data.leases[lease.name] = (lease, asyncio.get_running_loop().time() + seconds)
        await self._after("renew")
        return held

    async def release(self, lease: Lease) -> None:
        await self._before("release")
        if self._held(lease):
            self.data.leases[lease.name] = (lease, asyncio.get_running_loop().time())
        await self._after("release")

    def _held(self, lease: Lease) -> bool:
        stored, ends = self.data.leases.get(lease.name, (None, 0.0))
        return stored == lease and ends > asyncio.get_running_loop().time()

    def _demand(self, lease: Lease | None) -> None:
        if lease is not None and not self._held(lease):
            raise LeaseLost(lease)

    # --- meta --------------------------------------------------------------------------------------------------------

    async def get_meta(self, name: str) -> bytes | None:
        await self._before("get_meta")
        value = self.data.meta.get(name)
        await self._after("get_meta")
        return value

    async def list_meta(self, prefix: str) -> Mapping[str, bytes]:
        await self._before("list_meta")
        found = {name: value for name, value in self.data.meta.items() if name.startswith(prefix)}
        await self._after("list_meta")
        return found

    async def remove_meta(self, name: str) -> None:
        await self._before("remove_meta")
        self.data.meta.pop(name, None)
        await self._after("remove_meta")

    async def set_meta(self, name: str, value: bytes, *, lease: Lease | None = None) -> None:
        await self._before("set_meta")
        self._demand(lease)
        self.data.meta[name] = value
        await self._after("set_meta")

    async def add_meta(self, name: str, value: bytes, *, after: bytes | None = None) -> bytes:
        await self._before("add_meta")
        if self.data.meta.get(name) == after:
            self.data.meta[name] = value
        stored = self.data.meta.get(name, b"")
        await self._after("add_meta")
        return stored

    # --- what takes time and fails -----------------------------------------------------------------------------------

    async def _before(self, call: str) -> None:
        self._ask()
        if self._hooks is not None:
            await self._hooks.before(call)
            self._ask()  # it may have gone away, or been killed, meanwhile

    async def _after(self, call: str) -> None:
        if self._hooks is not None:
            await self._hooks.after(call)
            self._ask()

    def _ask(self) -> None:
        if not self._open:
            raise StoreAway("the store is not open")
        if self.away is not None:
            raise StoreAway(self.away)


def _live(record: CdrRecord) -> bool:
    return record.status_code is None and record.custody is not None and record.custody.live


def _named(mark: Mark) -> str:
    return f"the mark of {mark.platform} in {mark.tp.topic}/{mark.tp.partition}"


def _listed(state: ObjectState, wanted: Selection) -> bool:
    if state.body is None or state.deleted:
        return False
    at = moment(state.last_updated)
    if at is None:
        return True
    return (wanted.since is None or at >= wanted.since) and (wanted.before is None or at < wanted.before)
