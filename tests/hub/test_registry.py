"""The registry: fresh at once for its own changes, soon for others', and never asking the store twice in vain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from connectors.authorization import Form, digest
from connectors.errors import EngineAway, NotConnected
from connectors.values import PartyId, Role
from hub.keys import Keys
from hub.registry import Registry
from routing.directory import Issued, Kind, Party, Platform, PlatformSettings, Status
from routing.store.memory import MemoryData, MemoryStore
from routing.store.port import Conflict

HUB = PartyId("NL", "HUB")
TNM = PartyId("NL", "TNM")
KEYS = Keys({"test": b"k" * 32})
SECRET = "s3cret-credential"


class Counted(MemoryStore):
    """Counts how often a credential is asked for."""

    asked = 0

    async def find_credential(self, digest: bytes) -> Platform | None:
        self.asked += 1
        return await super().find_credential(digest)


class Time:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def ms(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def store() -> Counted:
    made = Counted(MemoryData())
    await made.start()
    return made


@pytest.fixture
async def registry(store: Counted, time: Time) -> AsyncIterator[Registry]:
    made = Registry(store, KEYS, hub=HUB, now=time.ms, monotonic=time.monotonic)
    await made.start()
    yield made
    await made.stop()


def platform(credential: str = SECRET, expires: int | None = None) -> Platform:
    return Platform(
        "p1",
        status=Status.CONNECTED,
        version="2.2.1",
        parties=(Party(TNM, Role.CPO),),
        issued=(Issued(digest(credential), Kind.ACCESS, 0, expires),),
        presents=KEYS.encrypt(SECRET.encode(), b"p1"),
    )


async def test_what_is_saved_is_found_when_save_returns(registry: Registry, store: Counted) -> None:
    saved = await registry.save(platform())
    assert registry.directory.hosted(TNM)[0].platform == saved
    found = await registry.lookup(digest(SECRET))
    assert found is not None and found[0] == saved
    assert store.asked == 0


async def test_a_credential_of_another_process_is_looked_up_once(store: Counted, registry: Registry) -> None:
    other = MemoryStore(store.data)
    await other.start()
    await other.save_platform(platform())
    assert await registry.lookup(digest(SECRET)) is not None
    assert registry.directory.hosted(TNM)
    assert store.asked <= 1


async def test_a_miss_is_remembered_for_a_second(registry: Registry, store: Counted, time: Time) -> None:
    for _ in range(3):
        assert await registry.lookup(b"unknown") is None
    assert store.asked == 1
    time.seconds += 1.01
    assert await registry.lookup(b"unknown") is None
    assert store.asked == 2


async def test_misses_are_bounded(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.registry.MAX_MISSES", 10)
    for number in range(50):
        await registry.lookup(b"%d" % number)
    assert len(registry._misses) == 10


async def test_a_miss_ends_when_the_directory_changes(registry: Registry) -> None:
    assert await registry.lookup(digest(SECRET)) is None
    await registry.save(platform())
    assert await registry.lookup(digest(SECRET)) is not None


async def test_whoever_is_not_found_is_looked_for_once_more_and_not_over_and_over(
    registry: Registry, store: Counted, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = 0
    load = store.load_platforms

    async def slow() -> tuple[int, Sequence[Platform]]:
        nonlocal loads
        loads += 1
        found = await load()
        time.seconds += 0.1
        return found

    monkeypatch.setattr(store, "load_platforms", slow)
    seen = registry.directory
    assert await asyncio.gather(*(registry.newer(seen) for _ in range(5))) == [None] * 5
    assert await registry.newer(seen) is None
    assert loads == 1
    time.seconds += 2.1
    assert await registry.newer(seen) is None
    assert loads == 2


async def test_whoever_another_process_registered_is_found_at_once(registry: Registry, store: Counted) -> None:
    seen = registry.directory
    store.data.watchers.clear()  # nobody tells of changes
    other = MemoryStore(store.data)
    await other.start()
    await other.save_platform(platform())
    newer = await registry.newer(seen)
    assert newer is registry.directory and newer.hosted(TNM)
    store.away = "gone"
    assert await registry.newer(seen) is newer
    assert await registry.newer(newer) is None


async def test_an_expired_credential_is_not_found(registry: Registry, time: Time) -> None:
    await registry.save(platform(expires=time.ms() + 1))
    assert await registry.lookup(digest(SECRET)) is not None
    time.seconds += 1
    assert await registry.lookup(digest(SECRET)) is None


async def test_a_change_of_another_process_arrives_by_itself(registry: Registry, store: Counted) -> None:
    other = MemoryStore(store.data)
    await other.start()
    saved = await other.save_platform(platform())
    await other.save_platform(replace(saved, status=Status.OFFLINE))
    async with asyncio.timeout(2):
        while not (hosted := registry.directory.hosted(TNM)) or hosted[0].platform.status is not Status.OFFLINE:
            await asyncio.sleep(0)


async def test_a_change_is_decided_anew_when_somebody_was_faster(registry: Registry, store: Counted) -> None:
    saved = await registry.save(platform())
    other = MemoryStore(store.data)
    await other.start()
    await other.save_platform(replace(saved, status=Status.OFFLINE))
    changed = await registry.change("p1", lambda now: replace(now, versions_url="https://a.example/versions"))
    assert (changed.status, changed.versions_url) == (Status.OFFLINE, "https://a.example/versions")
    with pytest.raises(Conflict):
        await registry.save(saved)


async def test_the_header_is_what_the_platform_wants_and_stays_out_of_reprs(registry: Registry) -> None:
    saved = await registry.save(platform())
    current = registry.directory.platforms["p1"]
    assert registry.authorization_for(current) == "Token czNjcmV0LWNyZWRlbnRpYWw="
    raw = await registry.save(replace(saved, settings=PlatformSettings(form=Form.RAW)))
    assert registry.authorization_for(registry.directory.platforms["p1"]) == f"Token {SECRET}"
    for shown in (repr(registry), repr(raw), str(registry.directory)):
        assert SECRET not in shown and "czNjcmV0" not in shown


async def test_a_platform_without_credential_cannot_be_called(registry: Registry) -> None:
    with pytest.raises(NotConnected):
        registry.authorization_for(replace(platform(), presents=None))


async def test_a_store_that_is_away_is_told_and_the_snapshot_stays(registry: Registry, store: Counted) -> None:
    await registry.save(platform())
    store.away = "gone"
    with pytest.raises(EngineAway):
        await registry.lookup(b"unknown")
    assert await registry.lookup(digest(SECRET)) is not None
    assert registry.store_trouble() == "gone"
    store.away = None
    assert registry.store_trouble() is None
    assert await registry.lookup(b"unknown") is None
