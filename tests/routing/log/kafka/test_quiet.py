"""How long a broker is asked to hold a question: longer where nothing comes, but nobody waits for it."""

from __future__ import annotations

import asyncio
from struct import unpack_from
from typing import Any, cast

from aiokafka.errors import KafkaConnectionError

from routing.log.kafka.fetch_request import Fetched, FetchedPartition, FetchRequest
from routing.log.kafka.fetcher import Fetcher
from routing.log.kafka.wire import Wire
from routing.log.port import TopicPartition
from tests.routing.log.kafka.test_fetch_request import batch

TPS = [TopicPartition("ocpi.locations", number) for number in range(2)]
NEWS, NOTHING = "news", "nothing"


class _Wire:
    """`held` are the milliseconds for which a broker may hold each question; it answers when it is told to."""

    def __init__(self) -> None:
        self.held: list[int] = []
        self.timeouts: list[float] = []
        self.sessions: list[int] = []
        self.hung_up = 0
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._offset = 0

    def leader(self, name: str, partition: int) -> int:
        return 1

    async def ask(self, node: int, request: FetchRequest, *, lane: Any, timeout: float) -> Fetched:
        _, held, _, _, _, session = unpack_from(">iiiibi", request.encode())
        self.held.append(held)
        self.sessions.append(session)
        self.timeouts.append(timeout)
        match await self._answers.get():
            case "hung up":
                raise KafkaConnectionError
            case "nothing":
                return Fetched(0, 7, [])
        records, self._offset = batch(self._offset, 1), self._offset + 1
        return Fetched(0, 7, [FetchedPartition(("t", 0), 0, 0, 0, records)])

    def hang_up(self, node: int, lane: Any) -> None:
        assert (node, lane) == (1, ("fetch", "t"))
        self.hung_up += 1
        self._answers.put_nowait("hung up")

    async def answers(self, *words: str) -> None:
        """Until the question after these was asked."""
        for word in words:
            to = len(self.held) + 1
            self._answers.put_nowait(word)
            await self.asks(to)

    async def asks(self, number: int) -> None:
        """Until so many questions were asked."""
        async with asyncio.timeout(5):
            while len(self.held) < number:
                await asyncio.sleep(0)


async def reading() -> tuple[_Wire, Fetcher]:
    """One partition is read; the first question was asked."""
    wire = _Wire()
    fetcher = Fetcher(cast(Wire, wire), lambda: None, wait_ms=250)
    fetcher.seek(TPS[0], ("t", 0), 1, 0)
    await wire.asks(1)
    return wire, fetcher


async def test_where_nothing_comes_each_question_is_held_twice_as_long_up_to_eight_times() -> None:
    wire, fetcher = await reading()
    await wire.answers(NOTHING, NOTHING, NOTHING, NOTHING)
    assert wire.held == [250, 500, 1000, 2000, 2000]
    assert [timeout - held / 1000 for timeout, held in zip(wire.timeouts, wire.held, strict=True)] == [10.0] * 5
    await fetcher.close()


async def test_once_something_comes_it_is_held_shortly_again() -> None:
    wire, fetcher = await reading()
    await wire.answers(NOTHING, NOTHING, NEWS, NEWS, NOTHING)
    assert wire.held == [250, 500, 1000, 250, 250, 500]
    assert [record.position.offset for record in fetcher.take(10, 10**6)] == [0, 1]
    await fetcher.close()


async def test_a_partition_that_comes_or_is_resumed_does_not_wait_for_a_question_that_is_held_for_long() -> None:
    """That one is taken back, and all is asked for in a new session."""
    wire, fetcher = await reading()
    await wire.answers(NOTHING, NOTHING)
    fetcher.seek(TPS[1], ("t", 1), 1, 33)
    await wire.asks(4)
    assert wire.held == [250, 500, 1000, 250]
    assert wire.sessions[-2:] == [7, 0]
    assert wire.hung_up == 1
    fetcher.pause(TPS[1])
    await wire.answers(NOTHING, NOTHING)
    assert wire.hung_up == 1, "a pause is nothing to hurry for"
    fetcher.resume(TPS[1])
    fetcher.resume(TPS[0])
    await wire.asks(7)
    assert wire.held[-2:] == [1000, 250]
    assert wire.hung_up == 2, "once for all that come together"
    await fetcher.close()


async def test_a_question_that_is_held_shortly_is_left_alone() -> None:
    wire, fetcher = await reading()
    fetcher.seek(TPS[1], ("t", 1), 1, 33)
    await wire.answers(NOTHING)
    assert (wire.hung_up, wire.sessions) == (0, [0, 7])
    await fetcher.close()
