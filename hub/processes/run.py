"""One process from its first moment to its last: signals, the loop, the exit code."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from typing import Final

import structlog
import uvloop

from hub.logging import configure
from hub.processes.hub import Hub
from hub.processes.parts import CannotServe, Parts, check
from hub.settings import Settings

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 1.0


def run(settings: Settings, parts: Parts) -> int:
    """The exit code of `ocpi-hub serve`, `edge` or `worker`."""
    configure(level=settings.logging_level, style=settings.logging_format)
    try:
        check(parts, settings)
        uvloop.run(serve(settings, parts))
    except CannotServe as reason:
        print(f"ocpi-hub: {reason}", file=sys.stderr)
        return 1
    return 0


async def serve(settings: Settings, parts: Parts) -> None:
    """Run until SIGTERM or SIGINT; a second one ends at once. Raises CannotServe."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stopping)
    hub = Hub(settings, parts)
    if not await _started(hub, stopping):
        log.info("stopped", before="it was started")
        return
    # what lives for the whole run is not looked at again by every collection
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    urls = {"edge": settings.public_url} if parts.edge else {}
    log.info("serving", parts=parts.command, **urls, operator=settings.operator_base, party=str(settings.party))
    while not stopping.is_set() and hub.failure is None:
        try:
            await asyncio.wait_for(stopping.wait(), _LOOK_SECONDS)
        except TimeoutError:
            continue
    log.info("draining", seconds=settings.drain_seconds)
    await hub.stop()
    if hub.failure is not None:
        raise CannotServe(f"{hub.failure}. Nothing accepted is lost: start it again")
    log.info("stopped")


async def _started(hub: Hub, stopping: asyncio.Event) -> bool:
    """Whether it was started before it was told to stop, which ends a start that waits for its engines."""
    starting, told = asyncio.ensure_future(hub.start()), asyncio.ensure_future(stopping.wait())
    await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not starting.done():
        starting.cancel()
    await asyncio.wait((starting, told))
    if starting.cancelled():
        return False
    starting.result()
    return True


def _stop(stopping: asyncio.Event) -> None:
    if stopping.is_set():
        os._exit(130)
    stopping.set()
