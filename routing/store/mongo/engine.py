"""The store port on MongoDB. What must not be lost is written to a majority and its journal before it returns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from connectors.values import PartyId
from routing.agreements import Agreement
from routing.directory import Platform
from routing.log.port import Position, TopicPartition
from routing.policies import Policy
from routing.state import ObjectState, StateKey
from routing.store.codec import contract_key
from routing.store.mongo import agreements, cdrs, leases, platforms, policies, records
from routing.store.mongo import states as objects
from routing.store.mongo.archive import MongoArchive
from routing.store.mongo.connection import Connection
from routing.store.mongo.deadletters import MongoDeadLetters
from routing.store.mongo.joined import JoinedReads
from routing.store.mongo.schema import bring_up_to_date
from routing.store.mongo.watch import Watch
from routing.store.port import (
    CdrKey,
    CdrRecord,
    CustodyCount,
    CustodyWanted,
    Lease,
    Mark,
    Selection,
    SetAside,
    StateCount,
)

_EXPIRE_SECONDS: Final = 30.0
_LIST_SECONDS: Final = 15.0
_COUNT_SECONDS: Final = 120.0


class MongoStore:
    """The store at a MongoDB URI, for any number of processes; the database is the URI's path, else `ocpi_hub`.

    `timeout` bounds every operation, in seconds. Options that the URI names itself stay as they are there.
    """

    def __init__(self, uri: str, *, timeout: float = 2.0) -> None:
        self._connection = Connection(uri, timeout=timeout)
        self._run = self._connection.run
        self._platforms = platforms.Known()
        self._reads = JoinedReads(self._read_states)
        self.archive = MongoArchive(self._connection)
        self.letters = MongoDeadLetters(self._connection)
        self._watch: Watch | None = None
        self._watchers: list[Callable[[], None]] = []

    async def start(self) -> None:
        since = await self._connection.open()
        try:
            await bring_up_to_date(self._connection)
            self._watch = Watch(self._connection.db, since, self._changed)
            self._watch.start()
        except BaseException:
            await self._connection.close()
            raise

    async def close(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            await watch.stop()
        await self._reads.close()
        await self._connection.close()

    def trouble(self) -> str | None:
        return self._connection.trouble()

    # --- the directory -----------------------------------------------------------------------------------------------

    async def load_platforms(self) -> tuple[int, Sequence[Platform]]:
        return await self._run(self._platforms.load)

    async def save_platform(self, platform: Platform, *, lease: Lease | None = None) -> Platform:
        return await self._run(platforms.save, platform, lease)

    async def find_credential(self, digest: bytes) -> Platform | None:
        return await self._run(platforms.find, digest)

    async def load_agreements(self) -> Sequence[Agreement]:
        return await self._run(agreements.load)

    async def save_agreement(self, agreement: Agreement) -> None:
        await self._run(agreements.save, agreement)

    async def remove_agreement(self, id: str) -> bool:
        return await self._run(agreements.remove, id)

    async def load_policies(self) -> Sequence[Policy]:
        return await self._run(policies.load)

    async def save_policy(self, policy: Policy) -> None:
        await self._run(policies.save, policy)

    async def remove_policy(self, id: str) -> bool:
        return await self._run(policies.remove, id)

    def watch(self, changed: Callable[[], None]) -> None:
        self._watchers.append(changed)

    def _changed(self) -> None:
        for changed in self._watchers:
            changed()

    # --- object state ------------------------------------------------------------------------------------------------

    async def read_states(self, keys: Sequence[StateKey]) -> Mapping[StateKey, ObjectState]:
        return await self._reads.read(keys)

    async def _read_states(self, keys: Sequence[StateKey]) -> Mapping[StateKey, ObjectState]:
        return await self._run(objects.read, keys)

    async def write_states(self, states: Sequence[ObjectState]) -> None:
        if states:
            await self._run(objects.write, states, self._connection.timeout)

    async def list_states(
        self, wanted: Selection, *, after: StateKey | None = None, skip: int = 0, limit: int
    ) -> Sequence[ObjectState]:
        return await self._connection.run_long(_LIST_SECONDS, objects.select, wanted, after, skip, limit)

    async def list_changed(
        self, module: str, *, since: Position, before: Position, limit: int
    ) -> Sequence[ObjectState]:
        return await self._connection.run_long(_LIST_SECONDS, objects.changed, module, since, before, limit)

    async def count_states(self, wanted: Selection, owner: PartyId) -> StateCount:
        return await self._connection.run_long(_COUNT_SECONDS, objects.count, wanted, owner)

    async def find_contract(self, contract_id: str, audience: PartyId | None) -> Sequence[PartyId]:
        key = contract_key(contract_id)
        return [] if key is None else await self._run(objects.find_contract, key, audience)

    # --- CDR memory --------------------------------------------------------------------------------------------------

    async def read_cdr(self, key: CdrKey) -> CdrRecord | None:
        return await self._run(cdrs.read, key)

    async def write_cdr(self, record: CdrRecord) -> None:
        await self._run(cdrs.write, record)

    async def step_cdr(self, record: CdrRecord) -> bool:
        return await self._run(cdrs.step, record)

    async def count_custody(self) -> Sequence[CustodyCount]:
        return await self._connection.run_long(_LIST_SECONDS, cdrs.count)

    async def list_custody(self, wanted: CustodyWanted, *, limit: int) -> Sequence[CdrRecord]:
        return await self._connection.run_long(_LIST_SECONDS, cdrs.select, wanted, limit)

    # --- marks -------------------------------------------------------------------------------------------------------

    async def load_marks(self) -> Sequence[Mark]:
        return await self._run(records.load_marks)

    async def claim_marks(self, tps: Collection[TopicPartition]) -> Sequence[Mark]:
        return await self._run(records.claim_marks, tps) if tps else []

    async def save_mark(self, mark: Mark) -> Mark:
        return await self._run(records.save_mark, mark)

    async def remove_mark(self, mark: Mark) -> None:
        await self._run(records.remove_mark, mark)

    # --- rewritten URLs, expiry --------------------------------------------------------------------------------------

    async def put_url(self, ref: str, content: bytes, expires: int) -> None:
        await self._run(records.put_url, ref, content, expires)

    async def get_url(self, ref: str, now: int) -> bytes | None:
        return await self._run(records.get_url, ref, now)

    async def expire(self, now: int, *, cdrs_before: int) -> int:
        return await self._connection.run_long(_EXPIRE_SECONDS, records.expire, now, cdrs_before)

    # --- records set aside, leases, meta -----------------------------------------------------------------------------

    async def set_aside(self, record: SetAside) -> None:
        await self._run(records.set_aside, record)

    async def load_set_aside(self, *, limit: int, offset: int = 0, wanted: str = "") -> Sequence[SetAside]:
        return await self._run(records.load_set_aside, limit, offset, wanted)

    async def count_set_aside(self, *, wanted: str = "") -> int:
        return await self._run(records.count_set_aside, wanted)

    async def read_set_aside(self, tp: TopicPartition, offset: int) -> SetAside | None:
        return await self._run(records.read_set_aside, tp, offset)

    async def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        return await self._run(leases.acquire, name, holder, seconds)

    async def renew(self, lease: Lease, seconds: float) -> bool:
        return await self._run(leases.renew, lease, seconds)

    async def release(self, lease: Lease) -> None:
        await self._run(leases.release, lease)

    async def get_meta(self, name: str) -> bytes | None:
        return await self._run(records.get_meta, name)

    async def list_meta(self, prefix: str) -> Mapping[str, bytes]:
        return await self._run(records.list_meta, prefix)

    async def remove_meta(self, name: str) -> None:
        await self._run(records.remove_meta, name)

    async def set_meta(self, name: str, value: bytes, *, lease: Lease | None = None) -> None:
        await self._run(records.set_meta, name, value, lease)

    async def add_meta(self, name: str, value: bytes, *, after: bytes | None = None) -> bytes:
        return await self._run(records.add_meta, name, value, after)
