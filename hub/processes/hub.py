"""All of one process: its parts put together, started and ended in order."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from hub.edge.edge import Edge
from hub.metrics import Metrics
from hub.operator.app import Trouble
from hub.processes.common import LEAST_SETTLE, open_common
from hub.processes.edge import make_edge
from hub.processes.listening import listening
from hub.processes.operator import open_operator
from hub.processes.parts import CannotServe, Parts
from hub.processes.tidying import tidy_often
from hub.processes.worker import make_worker
from hub.settings import Settings
from routing.clock import SystemClock
from routing.log.port import LogError
from routing.store.port import StoreError
from routing.worker.worker import Worker


class Hub:
    """Start it, then `stop` it in order, or have it killed at any moment. `parts` says what it does."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings = settings
        self.parts = parts
        self.metrics = Metrics()
        self.edge: Edge | None = None
        self.worker: Worker | None = None
        self._ending: str | None = None
        self._clock = SystemClock()
        self._stack = AsyncExitStack()
        self._running = AsyncExitStack()  # what must end before anything that it uses, where the start fails

    async def start(self) -> None:
        """Raises CannotServe with a sentence; what was begun by then is ended again."""
        try:
            await self._start()
        except BaseException as error:
            await self._running.aclose()
            await self._stack.aclose()
            if isinstance(error, LogError | StoreError):
                raise CannotServe(f"an engine went away during the start ({error}): start it again") from error
            raise

    async def _start(self) -> None:
        settings = self.settings
        common = self._common = await open_common(settings, self._clock, self.metrics, self._stack)
        self.metrics.watch(directory=lambda: common.registry.directory)
        if self.parts.worker:
            self.worker = make_worker(common)
            await self.worker.start()
            self._running.push_async_callback(self.worker.stop)
        if self.parts.edge:
            edge = make_edge(common, self._stack)
            with listening("HUB_PORT", settings.host, settings.port):
                await edge.start()
            self.edge = edge
            self._running.push_async_callback(edge.close)
        await open_operator(common, self._stack, ready=self._troubles())
        for name, often in (("tidy", tidy_often(common)), ("event-loop-lag", self.metrics.measure_lag())):
            self._stack.callback(asyncio.create_task(often, name=name).cancel)

    def _troubles(self) -> list[Trouble]:
        """What readiness asks: the engines, the directory, and each part of this process."""
        common, edge, worker = self._common, self.edge, self.worker
        troubles = [lambda: self._ending, common.log.trouble, common.store.trouble, common.registry.trouble]
        if worker is not None:
            troubles.append(worker.trouble)
        if edge is not None:
            troubles.append(edge.ready)
        return troubles

    async def stop(self) -> None:
        """Not ready, accept nothing, finish what is in flight, commit clean; within `HUB_DRAIN_SECONDS`."""
        self._ending = "the process is draining, and then ends"
        started, within = self._clock.monotonic(), self.settings.drain_seconds
        if self.edge is not None:  # while the worker still serves: it has what the edge's callers wait for
            await self.edge.drain(max(within - LEAST_SETTLE, 0.0))
        if self.worker is not None:
            left = within - (self._clock.monotonic() - started)
            await self.worker.stop(settle=max(left, LEAST_SETTLE))
        if self.edge is not None:
            await self.edge.close()
        await self._stack.aclose()

    @property
    def failure(self) -> str | None:
        """Why this process can never work again; None while it can."""
        return self.worker.failure if self.worker is not None else None
