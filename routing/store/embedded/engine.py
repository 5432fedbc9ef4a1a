"""The store port on one SQLite file: one thread writes, one reads, one lists; the event loop does none of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from connectors.values import PartyId
from routing.agreements import Agreement
from routing.directory import Platform
from routing.log.port import Position, TopicPartition
from routing.policies import Policy
from routing.state import ObjectState, StateKey
from routing.store.embedded import agreements, cdrs, leases, platforms, policies, records
from routing.store.embedded import states as objects
from routing.store.embedded.archive import EmbeddedArchive
from routing.store.embedded.deadletters import EmbeddedDeadLetters
from routing.store.embedded.schema import FILE, open_reader, open_writer
from routing.store.embedded.threads import Reader, Writer
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


class EmbeddedStore:
    """The store in `folder`, which is made if it lacks. It serves one process; the log's lock on the folder says so.

    `busy` is how long to wait for somebody else's lock on the file, in seconds. Reads see every write that returned.
    """

    def __init__(self, folder: Path, *, busy: float = 5.0) -> None:
        path = folder / FILE
        self._writer = Writer("store-writer", partial(open_writer, path, busy))
        self._reader = Reader("store-reader", partial(open_reader, path, busy))
        # A list may go through very much, and nobody else's read should wait for it.
        self._lister = Reader("store-lister", partial(open_reader, path, busy))
        self.archive = EmbeddedArchive(folder, busy=busy)
        self.letters = EmbeddedDeadLetters(self._writer, self._reader, self._lister)
        self._watchers: list[Callable[[], None]] = []

    async def start(self) -> None:
        await self._writer.start()
        try:
            await self._reader.start()
            await self._lister.start()
            await self.archive.start()
        except BaseException:
            await self._lister.close()
            await self._reader.close()
            await self._writer.close()
            raise

    async def close(self) -> None:
        # Readers first: the last connection to close moves the WAL into the file, and only the writer may write.
        await self._lister.close()
        await self._reader.close()
        await self._writer.close()
        await self.archive.close()

    def trouble(self) -> str | None:
        return self._writer.trouble() or self._reader.trouble() or self._lister.trouble()

    # --- the directory -----------------------------------------------------------------------------------------------

    async def load_platforms(self) -> tuple[int, Sequence[Platform]]:
        return await self._reader.submit(platforms.load)

    async def save_platform(self, platform: Platform, *, lease: Lease | None = None) -> Platform:
        return await self._writer.submit(lambda c: platforms.save(c, platform, lease), landed=self._changed)

    async def find_credential(self, digest: bytes) -> Platform | None:
        return await self._reader.submit(lambda c: platforms.find(c, digest))

    async def load_agreements(self) -> Sequence[Agreement]:
        return await self._reader.submit(agreements.load)

    async def save_agreement(self, agreement: Agreement) -> None:
        await self._writer.submit(lambda c: agreements.save(c, agreement), landed=self._changed)

    async def remove_agreement(self, id: str) -> bool:
        return await self._writer.submit(lambda c: agreements.remove(c, id), landed=self._changed)

    async def load_policies(self) -> Sequence[Policy]:
        return await self._reader.submit(policies.load)

    async def save_policy(self, policy: Policy) -> None:
        await self._writer.submit(lambda c: policies.save(c, policy), landed=self._changed)

    async def remove_policy(self, id: str) -> bool:
        return await self._writer.submit(lambda c: policies.remove(c, id), landed=self._changed)

    def watch(self, changed: Callable[[], None]) -> None:
        self._watchers.append(changed)

    def _changed(self) -> None:
        for changed in self._watchers:
            changed()

    # --- object state ------------------------------------------------------------------------------------------------

    async def read_states(self, keys: Sequence[StateKey]) -> Mapping[StateKey, ObjectState]:
        return await self._reader.submit(lambda c: objects.read(c, keys))

    async def write_states(self, states: Sequence[ObjectState]) -> None:
        await self._writer.submit(lambda c: objects.write(c, states))

    async def list_states(
        self, wanted: Selection, *, after: StateKey | None = None, skip: int = 0, limit: int
    ) -> Sequence[ObjectState]:
        return await self._lister.submit(lambda c: objects.select(c, wanted, after, skip, limit))

    async def list_changed(
        self, module: str, *, since: Position, before: Position, limit: int
    ) -> Sequence[ObjectState]:
        return await self._lister.submit(lambda c: objects.changed(c, module, since, before, limit))

    async def count_states(self, wanted: Selection, owner: PartyId) -> StateCount:
        return await self._lister.submit(lambda c: objects.count(c, wanted, owner))

    async def find_contract(self, contract_id: str, audience: PartyId | None) -> Sequence[PartyId]:
        return await self._reader.submit(lambda c: objects.find_contract(c, contract_id, audience))

    # --- CDR memory --------------------------------------------------------------------------------------------------

    async def read_cdr(self, key: CdrKey) -> CdrRecord | None:
        return await self._reader.submit(lambda c: cdrs.read(c, key))

    async def write_cdr(self, record: CdrRecord) -> None:
        await self._writer.submit(lambda c: cdrs.write(c, record))

    async def step_cdr(self, record: CdrRecord) -> bool:
        return await self._writer.submit(lambda c: cdrs.step(c, record))

    async def count_custody(self) -> Sequence[CustodyCount]:
        return await self._lister.submit(cdrs.count)

    async def list_custody(self, wanted: CustodyWanted, *, limit: int) -> Sequence[CdrRecord]:
        return await self._lister.submit(lambda c: cdrs.select(c, wanted, limit))

    # --- marks -------------------------------------------------------------------------------------------------------

    async def load_marks(self) -> Sequence[Mark]:
        return await self._reader.submit(records.load_marks)

    async def claim_marks(self, tps: Collection[TopicPartition]) -> Sequence[Mark]:
        return await self._writer.submit(lambda c: records.claim_marks(c, tps))

    async def save_mark(self, mark: Mark) -> Mark:
        return await self._writer.submit(lambda c: records.save_mark(c, mark))

    async def remove_mark(self, mark: Mark) -> None:
        await self._writer.submit(lambda c: records.remove_mark(c, mark))

    # --- rewritten URLs, expiry --------------------------------------------------------------------------------------

    async def put_url(self, ref: str, content: bytes, expires: int) -> None:
        await self._writer.submit(lambda c: records.put_url(c, ref, content, expires))

    async def get_url(self, ref: str, now: int) -> bytes | None:
        return await self._reader.submit(lambda c: records.get_url(c, ref, now))

    async def expire(self, now: int, *, cdrs_before: int) -> int:
        total = 0
        while dropped := await self._writer.submit(lambda c: records.expire(c, now, cdrs_before)):
            total += dropped
        return total

    # --- records set aside, leases, meta -----------------------------------------------------------------------------

    async def set_aside(self, record: SetAside) -> None:
        await self._writer.submit(lambda c: records.set_aside(c, record))

    async def load_set_aside(self, *, limit: int, offset: int = 0, wanted: str = "") -> Sequence[SetAside]:
        return await self._reader.submit(lambda c: records.load_set_aside(c, limit, offset, wanted))

    async def count_set_aside(self, *, wanted: str = "") -> int:
        return await self._reader.submit(lambda c: records.count_set_aside(c, wanted))

    async def read_set_aside(self, tp: TopicPartition, offset: int) -> SetAside | None:
        return await self._reader.submit(lambda c: records.read_set_aside(c, tp, offset))

    async def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        return await self._writer.submit(lambda c: leases.acquire(c, name, holder, seconds))

    async def renew(self, lease: Lease, seconds: float) -> bool:
        return await self._writer.submit(lambda c: leases.renew(c, lease, seconds))

    async def release(self, lease: Lease) -> None:
        await self._writer.submit(lambda c: leases.release(c, lease))

    async def get_meta(self, name: str) -> bytes | None:
        return await self._reader.submit(lambda c: records.get_meta(c, name))

    async def list_meta(self, prefix: str) -> Mapping[str, bytes]:
        return await self._reader.submit(lambda c: records.list_meta(c, prefix))

    async def remove_meta(self, name: str) -> None:
        await self._writer.submit(lambda c: records.remove_meta(c, name))

    async def set_meta(self, name: str, value: bytes, *, lease: Lease | None = None) -> None:
        await self._writer.submit(lambda c: records.set_meta(c, name, value, lease))

    async def add_meta(self, name: str, value: bytes, *, after: bytes | None = None) -> bytes:
        return await self._writer.submit(lambda c: records.add_meta(c, name, value, after))
