"""The demo from its first process to its last: started in order, watched, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import Any, TypeVar

from rich.console import Console

from connectors.sample.record import Call
from hub.cli.calling import CallFailed, OperatorApi
from hub.demo import live
from hub.demo.board import Board
from hub.demo.following import Step, following
from hub.demo.parties import PARTIES, Operator, SampleParty
from hub.demo.process import Process
from hub.demo.screen import Lines
from hub.settings import Settings

_START_S = 60.0
_LEAVE_S = 8.0
_SPARE_S = 5.0
_AGAIN_S = 1.0  # a signal that comes again so much later wants an end at once

T = TypeVar("T")


class Ended(Exception):
    """The demo cannot go on: what happened, as it is told to people."""


class Demo:
    """One run. `pace` is the sample parties' events a second."""

    def __init__(self, settings: Settings, *, pace: float) -> None:
        self._settings = settings
        self._pace = pace
        self._over = asyncio.Event()
        self._ended: Process | None = None
        self._ending = False
        self._asked = 0.0
        self._lines = Lines(self._over.set)
        self._console = Console()
        self._board = Board(str(settings.party))
        self._board.on_warning = lambda sentence: self._lines.say(f"! {sentence}")
        self._operator = Operator(OperatorApi(settings))
        self._hub = Process("the hub", ("serve",), on_error=partial(self._board.warn, "hub"), on_end=self._died)
        self._parties: dict[SampleParty, Process] = {}
        self._registered = {party: asyncio.Event() for party in PARTIES}

    async def run(self) -> int:
        """Run until a signal; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        try:
            steps = await self._until_over(self._start())
            if steps is not None:
                self._lines.steps(steps)
                await self._until_over(self._show(steps))
        except (Ended, CallFailed) as wrong:
            self._lines.say(str(wrong))
            await self._end()
            return 1
        await self._end()
        return 0

    # --- beginning ---------------------------------------------------------------------------------------------------

    async def _start(self) -> list[Step]:
        say, settings, began = self._lines.say, self._settings, time.monotonic()
        say("the hub starts ...")
        await self._hub.start()
        await _within(self._operator.ready(), "the hub did not become ready")
        say(f"the hub is ready after {time.monotonic() - began:.1f} s: {settings.versions_url}")
        for party in PARTIES:
            self._parties[party] = process = Process(
                f"{party.role} {party.id}",
                ("simulate", party.word, "--versions-url", settings.versions_url, "--pace", str(self._pace),
                 "--json", "--on-enter"),
                environment={"OCPI_TOKEN": await self._operator.invite(party)},  # not seen in a list of processes
                on_line=partial(self._heard, party),
                on_end=self._died,
            )  # fmt: skip
            await process.start()
        for party, registered in self._registered.items():
            await _within(registered.wait(), f"{party.role} {party.id} did not register")
            say(f"{party.role} {party.id} is registered, with {party.holds}")
        ports = {str(party.id): port for party in PARTIES if (port := await self._operator.port(party)) is not None}
        for process in self._parties.values():
            process.enter()
        return following(settings, ports)

    def _heard(self, party: SampleParty, line: bytes) -> None:
        if (call := Call.read(line)) is None:
            return
        if (call.direction, call.module, call.method, call.ocpi_status) == ("out", "credentials", "POST", 1000):
            self._registered[party].set()
        self._board.hear(str(party.id), call)

    async def _show(self, steps: list[Step]) -> None:
        if live.can_live(self._console):
            self._board.on_warning = None
            with contextlib.suppress(OSError):  # the terminal is gone
                await live.show(self._console, self._board, steps)
        else:
            self._lines.show(self._board)
            await asyncio.Event().wait()

    # --- ending ------------------------------------------------------------------------------------------------------

    async def _until_over(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What `work` gives; None when the run is over before. Raises Ended when a process ended by itself."""
        working, over = asyncio.create_task(work), asyncio.create_task(self._over.wait())
        await asyncio.wait((working, over), return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if self._ended is None and working.done():
            return working.result()
        working.cancel()
        await asyncio.gather(working, over, return_exceptions=True)
        if self._ended is not None:
            code, last = await self._ended.ended(), "".join(f"\n  {line}" for line in self._ended.last)
            raise Ended(
                f"{self._ended.name} ended by itself with exit code {code}{'; it said last:' if last else ''}{last}"
            )
        return None

    def _died(self, process: Process) -> None:
        if not self._ending and self._ended is None:
            self._ended = process
            self._over.set()

    def _stop(self) -> None:
        present = time.monotonic()
        self._asked = self._asked or present
        if present - self._asked > _AGAIN_S:
            for process in (*self._parties.values(), self._hub):
                process.kill()
            os._exit(130)
        self._over.set()

    async def _end(self) -> None:
        """The parties unregister and end, then the hub drains and ends."""
        self._ending = True
        self._over.set()
        self._board.on_seen = self._board.on_warning = None
        say, began = self._lines.say, time.monotonic()
        say()
        if any(process.running for process in self._parties.values()):
            say("ending: the parties unregister ...")
        in_order = await asyncio.gather(*(process.end(_LEAVE_S) for process in self._parties.values()))
        if self._hub.running:
            say("ending: the hub drains ...")
            in_order.append(await self._hub.end(self._settings.drain_seconds + _SPARE_S))
        how = "everything ended" if all(in_order) else "everything ended, but something had to be killed"
        say(
            f"{how} after {time.monotonic() - began:.1f} s: {self._board.calls} calls went through the hub, "
            f"{self._board.stories.finished} cars were charged and billed"
        )


async def _within(awaited: Awaitable[object], sentence: str) -> None:
    try:
        await asyncio.wait_for(awaited, _START_S)
    except TimeoutError:
        raise Ended(f"{sentence} within {_START_S:.0f} s") from None
