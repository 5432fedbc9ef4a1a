"""Several processes of one hub on one machine: started, started again, replaced one after the other, ended in order.

The supervisor takes no calls and opens no engine. A process that ends by itself is replaced at once, one that ends
before it was ready after a pause that grows. SIGHUP replaces all of them, one after the other, each by one that stands
ready beside it; so new code and no gap. SIGTERM and SIGINT end all; a second one at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import AsyncExitStack
from secrets import token_hex
from typing import Final

import structlog

from hub.counts import Counter
from hub.counts_file import FileCounts
from hub.metrics import RESTARTS
from hub.processes import orders
from hub.processes.board import all_ready
from hub.processes.child import Child, Seat
from hub.processes.folder import RunFolder
from hub.processes.listening import listening
from hub.processes.parts import CannotServe, Parts
from hub.processes.sockets import Port
from hub.settings import Settings

log = structlog.get_logger(__name__)

BACKOFF_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
SPARE_SECONDS: Final = 5.0
"""What a process gets beyond its drain time before it is killed."""


class Slot:
    """One of the processes, whoever it is at the moment: `current`, and `following` that stands ready to replace it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.current: Child | None = None
        self.following: Child | None = None
        self.edge: tuple[socket.socket, ...] = ()
        self.operator: tuple[socket.socket, ...] = ()
        self.begun = False
        """Whether it was ready once."""
        self.deaths = 0
        """How often in a row it ended before it was ready."""

    def close(self) -> None:
        """Give up its sockets: no process listens on them any more."""
        for one in (*self.edge, *self.operator):
            one.close()
        self.edge = self.operator = ()


class Supervisor:
    """Runs `processes` of these parts until a signal. `held` is the descriptor that holds `HUB_MEMBER`, if any."""

    def __init__(self, settings: Settings, parts: Parts, processes: int, *, held: int | None = None) -> None:
        self._settings = settings
        self._parts = parts
        self._slots = [Slot(number) for number in range(processes)]
        self._members = settings.member or f"{socket.gethostname()}-{token_hex(4)}"
        self._held = () if held is None else (held,)
        self._ending = asyncio.Event()
        self._begun = False
        self._rolling: asyncio.Task[None] | None = None
        self._again = False
        self._keeping: list[asyncio.Task[None]] = []
        self._failure: str | None = None

    async def run(self) -> None:
        """Returns when all have ended in order. Raises CannotServe where they cannot even start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        async with AsyncExitStack() as stack:
            self._open(stack)
            log.info("supervising", processes=len(self._slots), parts=self._parts.command, pid=os.getpid())
            self._keeping = [asyncio.create_task(self._keep(slot)) for slot in self._slots]
            await self._ending.wait()
            await self._end()
        if self._failure is not None:
            raise CannotServe(self._failure)
        log.info("stopped")

    def _open(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        try:
            folder = RunFolder()
            stack.callback(folder.close)
            self._folder = folder
            self._restarts = Counter(FileCounts(folder.path), RESTARTS)
            self._restarts.add(by=0)
        except OSError as error:
            raise CannotServe(
                f"no folder for the run can be made ({error}): make room in /dev/shm or TMPDIR"
            ) from error
        if self._parts.edge:
            with listening("HUB_PORT", settings.host, settings.port):
                self._edge = Port(settings.host, settings.port)
        with listening("HUB_OPERATOR_PORT", settings.operator_host, settings.operator_port):
            self._operator = Port(settings.operator_host, settings.operator_port)
        for slot in self._slots:
            stack.callback(slot.close)

    # --- one process after the other in a slot -----------------------------------------------------------------------

    async def _keep(self, slot: Slot) -> None:
        """Keep a process in this slot until all end."""
        while not self._ending.is_set():
            child = slot.following
            slot.following = None
            if child is None:
                try:
                    child = await self._start(slot)
                except OSError as error:
                    log.warning("process_not_started", process=slot.number, reason=str(error))
                    await self._pause(slot)
                    continue
            slot.current = child
            child.tell(orders.GO)
            await child.ended.wait()
            slot.current = None
            if not self._ending.is_set() and not child.asked:
                await self._after(slot, child)

    async def _start(self, slot: Slot) -> Child:
        if not slot.operator:
            slot.operator = tuple(self._operator.sockets())
            if self._parts.edge:
                slot.edge = tuple(self._edge.sockets())
        child = Child(self._seat(slot), heard=lambda word: self._heard(child, word))
        await child.start()
        return child

    def _seat(self, slot: Slot) -> Seat:
        return Seat(
            number=slot.number, of=len(self._slots), edge=slot.edge, operator=slot.operator, folder=self._folder.path,
            locks=(self._folder.lock, *self._held), member=f"{self._members}-{slot.number}",
        )  # fmt: skip

    def _heard(self, child: Child, word: str) -> None:
        if word == orders.DRAINED and not self._ending.is_set():
            child.tell(orders.STAY)  # it was told to end by a signal of its own, and will be replaced
        if word == orders.READY:
            slot = self._slots[child.seat.number]
            slot.deaths, slot.begun = 0, True
            log.info("process_ready", process=child.seat.number, pid=child.pid)
            if not self._begun and all(one.begun for one in self._slots):
                self._begun = True
                all_ready(self._folder.path)
                log.info("serving", parts=self._parts.command, processes=len(self._slots))

    async def _after(self, slot: Slot, child: Child) -> None:
        """It ended, though nobody asked it to."""
        how = f"exit code {child.code}" if (child.code or 0) >= 0 else signal.Signals(-(child.code or 0)).name
        if not self._begun and (child.code or 0) > 0:
            self._failure = f"process {slot.number} could not start ({how}); what it said last tells why"
            self._ending.set()
            return
        self._restarts.add()
        log.warning("process_ended", process=slot.number, pid=child.pid, how=how, ready=child.ready.is_set())
        if slot.following is not None:
            return
        slot.close()  # the system gives new connections to the others until the next one listens
        if not child.ready.is_set():
            await self._pause(slot)

    async def _pause(self, slot: Slot) -> None:
        seconds = BACKOFF_SECONDS[min(slot.deaths, len(BACKOFF_SECONDS) - 1)]
        slot.deaths += 1
        await _first(self._ending.wait(), asyncio.sleep(seconds))

    # --- all of them, one after the other ----------------------------------------------------------------------------

    def _hang_up(self) -> None:
        """SIGHUP: from a terminal that is gone it ends all; else it replaces all."""
        if os.isatty(0):
            self._stop()
        elif self._rolling is None or self._rolling.done():
            self._rolling = asyncio.create_task(self._roll())
        else:
            self._again = True

    async def _roll(self) -> None:
        self._again = True
        while self._again and not self._ending.is_set():
            self._again = False
            log.info("replacing_all", processes=len(self._slots))
            for slot in self._slots:
                if not await self._replace(slot):
                    return
            log.info("all_replaced", processes=len(self._slots))

    async def _replace(self, slot: Slot) -> bool:
        """Whether another process took the place of the current one; if it could not, the current one goes on."""
        try:
            following = slot.following = await self._start(slot)
        except OSError as error:
            log.warning("replacing_stopped", process=slot.number, reason=str(error))
            return False
        within = self._settings.start_seconds + SPARE_SECONDS
        if not await self._comes(following, following.standing, within):
            log.error("replacing_stopped", process=slot.number, reason="the next process did not come to stand")
            if slot.following is following:
                slot.following = None
            following.kill()
            return False
        if (current := slot.current) is not None and current is not following:
            await current.end(orders.END, orders.STAY, within=self._settings.drain_seconds + SPARE_SECONDS)
        if not await self._comes(following, following.ready, within):
            log.error("replacing_stopped", process=slot.number, reason="the next process did not get ready")
            return False
        return True

    async def _comes(self, child: Child, sign: asyncio.Event, within: float) -> bool:
        """Whether the child gives this sign within so many seconds, before it or all of them end."""
        await _first(sign.wait(), child.ended.wait(), self._ending.wait(), asyncio.sleep(within))
        return sign.is_set() and not child.ended.is_set() and not self._ending.is_set()

    # --- the end -----------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        if self._ending.is_set():
            for child in self._children():
                child.kill()
            os._exit(130)
        self._ending.set()

    def _children(self) -> list[Child]:
        return [one for slot in self._slots for one in (slot.current, slot.following) if one is not None]

    async def _end(self) -> None:
        """All drain their edges while every worker still serves; then the workers leave."""
        children = self._children()
        log.info("draining", processes=len(children), seconds=self._settings.drain_seconds)
        within = self._settings.drain_seconds
        for child in children:
            child.tell(orders.END)
        drained = asyncio.gather(*(child.drained.wait() for child in children))
        await _first(drained, asyncio.sleep(within))
        how = orders.STAY if self._settings.member else orders.LEAVE
        await asyncio.gather(*(child.end(how, within=SPARE_SECONDS + within) for child in children))
        for task in (*self._keeping, *([self._rolling] if self._rolling is not None else [])):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for child in self._children():  # one that was being started at that very moment
            await child.end(orders.END, how, within=SPARE_SECONDS)


async def _first(*awaitables: object) -> None:
    """Until one of these is done; the others are given up."""
    tasks = [asyncio.ensure_future(one) for one in awaitables]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
