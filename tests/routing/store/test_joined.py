"""Reads of MongoDB that are asked for at once are one, and nobody in it pays for another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from connectors.values import Module, PartyId
from routing.log.port import Position
from routing.state import ObjectState, StateKey
from routing.store.mongo.joined import MOST_KEYS, RUNNING, JoinedReads
from routing.store.port import StoreAway

OWNER = PartyId("NL", "ALF")


def key(name: str) -> StateKey:
    return StateKey(OWNER, Module.LOCATIONS, name, "", None)


def state(name: str) -> ObjectState:
    return ObjectState(key(name), Position(1, 1), "2.2.1", b"{}")


class Server:
    """Has every object but those whose name begins with 'no', and answers a read when it is let."""

    def __init__(self) -> None:
        self.reads: list[list[str]] = []
        self.answers: list[asyncio.Future[None]] = []

    async def read(self, keys: Sequence[StateKey]) -> Mapping[StateKey, ObjectState]:
        self.reads.append([key.object_id for key in keys])
        answer = asyncio.get_running_loop().create_future()
        self.answers.append(answer)
        await answer
        return {key: state(key.object_id) for key in keys if not key.object_id.startswith("no")}


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def begun(reads: JoinedReads, *names: str) -> asyncio.Task[list[str]]:
    async def ask() -> list[str]:
        found = await reads.read([key(name) for name in names])
        return [key.object_id for key in found]

    task = asyncio.create_task(ask())
    await turns()
    return task


async def full(reads: JoinedReads) -> list[asyncio.Task[list[str]]]:
    """As many reads under way as may be."""
    return [await begun(reads, f"first {n}") for n in range(RUNNING)]


async def test_whoever_comes_while_reads_are_under_way_goes_with_the_next_and_gets_its_own() -> None:
    server = Server()
    reads = JoinedReads(server.read)
    first = await full(reads)
    later = [await begun(reads, "a"), await begun(reads, "b", "none", "a"), await begun(reads, "none")]
    assert len(server.reads) == RUNNING
    server.answers[0].set_result(None)
    await turns()
    assert server.reads[RUNNING:] == [["a", "b", "none"]]
    for answer in server.answers[1:]:
        answer.set_result(None)
    assert await asyncio.gather(*later) == [["a"], ["b", "a"], []]
    assert await asyncio.gather(*first) == [[f"first {n}"] for n in range(RUNNING)]


async def test_a_read_begins_after_it_was_asked_for() -> None:
    """Else it might not find what its asker has just written: the same key is read once more."""
    server = Server()
    reads = JoinedReads(server.read)
    first = await full(reads)
    again = await begun(reads, "first 0")
    server.answers[0].set_result(None)
    await turns()
    assert not again.done()
    assert server.reads[-1] == ["first 0"]
    for answer in server.answers[1:]:
        answer.set_result(None)
    assert await again == ["first 0"]
    await asyncio.gather(*first)


async def test_what_a_read_raises_is_raised_to_all_in_it_and_the_next_goes_on() -> None:
    server = Server()
    reads = JoinedReads(server.read)
    await full(reads)
    together = [await begun(reads, "a"), await begun(reads, "b")]
    server.answers[0].set_result(None)
    await turns()
    after = await begun(reads, "c")
    server.answers[RUNNING].set_exception(StoreAway("away"))
    for task in together:
        with pytest.raises(StoreAway):
            await task
    await turns()
    server.answers[-1].set_result(None)
    assert await after == ["c"]


async def test_who_gives_up_takes_nothing_from_the_others() -> None:
    server = Server()
    reads = JoinedReads(server.read)
    await full(reads)
    gone, stays = await begun(reads, "gone"), await begun(reads, "stays")
    gone.cancel()
    await turns()
    server.answers[0].set_result(None)
    await turns()
    assert server.reads[-1] == ["stays"]
    leaving = await begun(reads, "leaving")
    for answer in server.answers[1:]:
        answer.set_result(None)
    await turns()
    leaving.cancel()
    await turns()
    for answer in server.answers:
        if not answer.done():
            answer.set_result(None)
    assert await stays == ["stays"]


async def test_nobody_is_left_when_the_last_read_ends_as_another_is_asked_for() -> None:
    server = Server()
    reads = JoinedReads(server.read)
    for _ in range(50):
        one = await begun(reads, "a")
        server.answers[-1].set_result(None)
        while not one.done():
            await asyncio.sleep(0)
        # asked for in the very turn in which the one before was answered
        async with asyncio.timeout(1):
            two = asyncio.create_task(reads.read([key("b")]))
            await turns()
            server.answers[-1].set_result(None)
            await two


async def test_many_keys_are_a_read_of_their_own_and_many_readers_several_reads() -> None:
    server = Server()
    reads = JoinedReads(server.read)
    await full(reads)
    many = await begun(reads, *(f"m{n}" for n in range(MOST_KEYS + 1)))
    assert len(server.reads[-1]) == MOST_KEYS + 1
    waiting = [await begun(reads, *(f"{n} {m}" for m in range(50))) for n in range(MOST_KEYS // 50 + 1)]
    for answer in server.answers:
        answer.set_result(None)
    await turns()
    assert len(server.reads[RUNNING + 1]) == MOST_KEYS
    assert len(server.reads[RUNNING + 2]) == 50
    for answer in server.answers[RUNNING + 1 :]:
        answer.set_result(None)
    await asyncio.gather(many, *waiting)


async def test_closing_ends_what_waits() -> None:
    reads = JoinedReads(Server().read)
    tasks = [*await full(reads), await begun(reads, "a")]
    await reads.close()
    assert all(
        isinstance(error, asyncio.CancelledError) for error in await asyncio.gather(*tasks, return_exceptions=True)
    )
