"""The open loop: calls at a fixed rate, whatever the answers take, so that a queue is not hidden."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from tests.bench.calls import Source
from tests.bench.load import DRAIN_SECONDS, Connection, Load, connect
from tests.bench.ticker import Ticker

_AT_FIRST = 64


async def open_loop(
    port: int, source: Source, *, connections: int, rate: float, samples: int, to_the_end: bool = False
) -> Load:
    """So many calls at a fixed rate; latency counts from the moment that a call was due.

    A call that finds every connection busy waits for one, and the waiting counts; there are at most `connections`. A
    wrong answer ends it, unless it is to be taken `to_the_end`.
    """
    crowd = Crowd(port, source, connections, samples, to_the_end=to_the_end)
    await crowd.open(min(connections, _AT_FIRST))
    began = time.perf_counter()
    ticker = Ticker(rate, samples, crowd.tick)
    try:
        async with asyncio.timeout(samples / rate + DRAIN_SECONDS):
            await crowd.ended.wait()
    except TimeoutError:
        missing = samples - crowd.load.calls
        crowd.load.fault(f"{missing} of {samples} calls had no answer in time at {rate:,.0f} calls/s")
    finally:
        ticker.close()
        await crowd.close()
    crowd.load.seconds = time.perf_counter() - began
    return crowd.load


class Crowd:
    """The connections of one loop. Servers close idle ones: others are made when they are needed."""

    def __init__(self, port: int, source: Source, most: int, samples: int, *, to_the_end: bool) -> None:
        self.load = Load()
        self.ended = asyncio.Event()
        self._port = port
        self._source = source
        self._most = most
        self._samples = samples
        self._to_the_end = to_the_end
        self._made: list[Connection] = []
        self._free: list[Connection] = []
        self._due = deque[float]()
        self._opening: set[asyncio.Task[None]] = set()

    async def open(self, count: int) -> None:
        """So many more, each at work at once where something is due."""
        for connection in await connect(self._port, [lambda: Connection(self.load, self._answered)] * count):
            self._made.append(connection)
            self._next(connection)

    async def close(self) -> None:
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in self._made:
            connection.busy = False
            connection.close()

    def tick(self, moments: Sequence[float]) -> None:
        """These calls are due."""
        for moment in moments:
            while self._free and not self._free[-1].alive:
                self._free.pop()
            if self._free:
                self._free.pop().send(self._source(), moment)
            else:
                self._due.append(moment)
                self._open_soon()

    def _answered(self, connection: Connection) -> None:
        now = time.perf_counter()
        self.load.latencies.append(now - connection.began)
        self.load.begun.append(connection.began)
        self.load.calls += 1
        if (self.load.wrong and not self._to_the_end) or self.load.calls >= self._samples:
            self.ended.set()
        else:
            self._next(connection)

    def _next(self, connection: Connection) -> None:
        if not connection.alive:
            return
        if self._due:
            connection.send(self._source(), self._due.popleft())
        else:
            self._free.append(connection)

    def _open_soon(self) -> None:
        alive = sum(1 for connection in self._made if connection.alive)
        if alive + len(self._opening) < self._most:
            task = asyncio.get_running_loop().create_task(self.open(1))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
