"""What only the store in memory promises: it outlives its handles, and hooks decide what fails and when."""

from __future__ import annotations

import asyncio

import pytest

from routing.directory import Platform
from routing.store.memory import MemoryData, MemoryStore
from routing.store.port import StoreAway


class Hooks:
    def __init__(self, *, lose: str = "", refuse: str = "", hang: str = "") -> None:
        self.lose, self.refuse, self.hang = lose, refuse, hang

    async def before(self, call: str) -> None:
        if call == self.refuse:
            raise StoreAway("refused")

    async def after(self, call: str) -> None:
        if call == self.hang:
            await asyncio.get_running_loop().create_future()
        if call == self.lose:
            raise StoreAway("the answer was lost")


async def opened(data: MemoryData, hooks: Hooks | None = None) -> MemoryStore:
    store = MemoryStore(data, hooks=hooks)
    await store.start()
    return store


async def test_a_refused_write_is_not_there_and_one_whose_answer_was_lost_is() -> None:
    data = MemoryData()
    with pytest.raises(StoreAway):
        await (await opened(data, Hooks(refuse="set_meta"))).set_meta("refused", b"1")
    with pytest.raises(StoreAway):
        await (await opened(data, Hooks(lose="set_meta"))).set_meta("lost", b"1")
    store = await opened(data)
    assert (await store.get_meta("refused"), await store.get_meta("lost")) == (None, b"1")


async def test_what_a_killed_handle_wrote_is_there_for_the_next() -> None:
    data = MemoryData()
    killed = await opened(data, Hooks(hang="set_meta"))
    writing = asyncio.ensure_future(killed.set_meta("name", b"value"))
    await asyncio.sleep(0)
    killed.kill()
    writing.cancel()
    with pytest.raises(StoreAway):
        await killed.get_meta("name")
    assert await (await opened(data)).get_meta("name") == b"value"


async def test_every_living_handle_hears_of_a_change() -> None:
    data = MemoryData()
    writer, living, killed = [await opened(data) for _ in range(3)]
    told: list[str] = []
    living.watch(lambda: told.append("living"))
    killed.watch(lambda: told.append("killed"))
    killed.kill()
    await writer.save_platform(Platform("p1"))
    await asyncio.sleep(0)
    assert told == ["living"]


async def test_a_store_that_is_away_says_why() -> None:
    store = await opened(MemoryData())
    store.away = "cut off"
    assert store.trouble() == "cut off"
    with pytest.raises(StoreAway, match="cut off"):
        await store.load_marks()
    store.away = None
    assert list(await store.load_marks()) == []
