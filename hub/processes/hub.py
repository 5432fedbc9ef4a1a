"""All of one process: its parts put together, started and ended in order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from hub.clientinfo.announcer import Announcer
from hub.connection.watching import Watching
from hub.counts_file import FileCounts
from hub.edge.edge import Edge
from hub.gauges import PROCESSES, SKEW
from hub.metrics import Metrics
from hub.operator.readiness import Readiness, Trouble, readiness, sentences
from hub.processes import orders as words
from hub.processes.archive import make_archiver
from hub.processes.board import Board, Phase
from hub.processes.common import LEAST_SETTLE, Common, open_common, settle_most
from hub.processes.edge import make_edge
from hub.processes.engines import Measuring, Staying
from hub.processes.listening import listening
from hub.processes.operator import open_operator
from hub.processes.orders import Orders
from hub.processes.parts import CannotServe, Parts
from hub.processes.place import Place
from hub.processes.pulling import make_puller
from hub.processes.tidying import tidy_often
from hub.processes.worker import make_worker
from hub.settings import Settings
from hub.skew import Skew
from routing.archive.archiver import Archiver
from routing.clock import SystemClock
from routing.log.port import LogError
from routing.store.port import StoreError
from routing.worker.worker import Worker

_LOOK_SECONDS = 0.05

TELL_SECONDS = 1.0
"""How often a process says to those beside it how it is."""


class Hub:
    """Start it, then `drain` and `stop` it in order, or have it killed at any moment.

    `parts` says what it does, `place` where it stands among others under one supervisor, if it does.
    """

    def __init__(self, settings: Settings, parts: Parts, orders: Orders, place: Place | None = None) -> None:
        self.settings = settings
        self.parts = parts
        self.phase = Phase.STARTING
        self.metrics = Metrics(FileCounts(place.folder) if place is not None else None)
        self.edge: Edge | None = None
        self.worker: Worker | None = None
        self.archiver: Archiver | None = None
        self._orders = orders
        self._place = place
        self._board: Board | None = None
        self._troubles: list[Trouble] = [self._ending]
        self._clock = SystemClock()
        self._drain_until = 0.0
        self._stack = AsyncExitStack()
        self._running = AsyncExitStack()  # what must end before anything that it uses, where the start fails
        self.metrics.gauge(PROCESSES, lambda: [((self.phase,), 1.0)])
        if place is not None:
            self._board = Board(place.folder, place.number, place.of)
            self.metrics.others = self._board.gauges

    # --- its life ----------------------------------------------------------------------------------------------------

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
        if self._board is not None:
            self._often("tell", self._tell_often())
        # One that only archives has no name of its own: the one that is set is a worker's.
        named = self.parts.worker and (self._place is not None or bool(self.settings.member))
        common = await open_common(self.settings, self._clock, self.metrics, self._stack, named=named)
        self._log = common.log
        self._troubles += [common.log.trouble, common.store.trouble, common.registry.trouble]
        self.metrics.watch(directory=lambda: common.registry.directory)
        self._often("tidy", tidy_often(common))
        announcer = Announcer(common.store, common.registry, common.client, common.clock, name=common.name)
        self._often("clientinfo", announcer.run())
        self._often("pulling", make_puller(common).run())
        watching = Watching(
            common.store, common.registry, common.seen, common.probing, common.clock, name=common.name,
            silent_seconds=self.settings.still_alive_seconds, sends=self.parts.edge or self.parts.worker,
        )  # fmt: skip
        self._stack.push_async_callback(watching.end)
        self._often("connection", watching.run())
        self._often("living", common.living.run())
        self._often("event-loop-lag", self.metrics.measure_lag())
        skew = common.log.skew if isinstance(common.log, Measuring) else Skew()
        self.metrics.gauge(SKEW, lambda: [((), skew.seconds())])
        self._often("clock-skew", skew.warn_often())
        if self.parts.edge:
            await self._open_edge(common)
        sockets = _inherited(self._place.operator if self._place is not None else ())
        await open_operator(common, self._stack, ready=self.readiness, sockets=sockets)
        self._orders.tell(words.STANDING)
        await self._orders.go.wait()
        member = self._place.member if self._place is not None else self.settings.member
        if self.parts.archive and (archiver := make_archiver(common, member)) is not None:
            await archiver.start()
            self._running.push_async_callback(archiver.stop)
            self.archiver = archiver
        if self.parts.worker:
            worker = make_worker(common, member)
            await worker.start()
            self.worker = worker
            self._running.push_async_callback(worker.stop)
            self._troubles.append(worker.trouble)
        self.phase = Phase.SERVING
        self._tell()

    async def _open_edge(self, common: Common) -> None:
        settings = self.settings
        edge = make_edge(common, self._stack)
        with listening("HUB_PORT", settings.host, settings.port):
            await edge.start(_inherited(self._place.edge if self._place is not None else ()))
        self.edge = edge
        self._running.push_async_callback(edge.close)
        self._troubles.append(edge.ready)

    async def taking_part(self) -> None:
        """Returns once nothing keeps this process from its work: its worker is a member of the group, too."""
        while sentences(self._troubles):  # noqa: ASYNC110 - nobody says when a trouble ends
            await asyncio.sleep(_LOOK_SECONDS)

    async def drain(self) -> None:
        """Not ready, accept nothing more, finish what is in flight; the worker still serves meanwhile."""
        self.phase = Phase.ENDING
        self._tell()
        within = self.settings.drain_seconds
        self._drain_until = self._clock.monotonic() + within
        if self.edge is not None:
            await self.edge.drain(max(within - LEAST_SETTLE, 0.0))

    async def stop(self) -> None:
        """After `drain`: commit clean, and end; within what `HUB_DRAIN_SECONDS` leaves."""
        if self.worker is not None:
            if not self._orders.stay and isinstance(self._log, Staying):
                self._log.leaves()
            left = self._drain_until - self._clock.monotonic()
            await self.worker.stop(settle=min(max(left, LEAST_SETTLE), settle_most(self.settings)))
        if self.edge is not None:
            await self.edge.close()
        if self.archiver is not None:
            await self.archiver.stop()
        await self._stack.aclose()

    # --- how it is ---------------------------------------------------------------------------------------------------

    @property
    def drain_left(self) -> float:
        """Seconds that are left for what may still be waited for before `stop`."""
        return max(self._drain_until - LEAST_SETTLE - self._clock.monotonic(), 0.0)

    @property
    def failure(self) -> str | None:
        """Why this process can never work again; None while it can."""
        return self.worker.failure if self.worker is not None else None

    def readiness(self) -> Readiness:
        """Of this process, and of those beside it."""
        if self._board is None:
            return readiness(self._troubles)
        return self._board.readiness(self.phase, sentences(self._troubles))

    def _ending(self) -> str | None:
        return "the process is draining, and then ends" if self.phase is Phase.ENDING else None

    def _tell(self) -> None:
        if self._board is not None:
            self._board.tell(self.phase, sentences(self._troubles), self.metrics.gauges())

    async def _tell_often(self) -> None:
        while True:
            self._tell()
            await asyncio.sleep(TELL_SECONDS)

    def _often(self, name: str, runs: Coroutine[Any, Any, None]) -> None:
        self._stack.callback(asyncio.create_task(runs, name=name).cancel)


def _inherited(descriptors: tuple[int, ...]) -> list[socket.socket]:
    """The sockets that the supervisor bound for this process; none where it binds its own."""
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]
