"""One process from its first moment to its last: signals, orders, draining."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from contextlib import suppress
from typing import Final

import structlog

from hub.processes import orders as words
from hub.processes.hub import Hub
from hub.processes.orders import Orders
from hub.processes.parts import CannotServe, Parts
from hub.processes.place import Place
from hub.settings import Settings

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 1.0


async def serve(settings: Settings, parts: Parts, place: Place | None = None) -> None:
    """Run until SIGTERM or SIGINT, or the supervisor's order; a second signal ends at once. Raises CannotServe."""
    orders = Orders(stay=bool(settings.member))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, orders.end)
    if place is None:
        orders.alone()
    else:
        await orders.listen(place.orders)
    hub = Hub(settings, parts, orders, place)
    if not await _started(hub, orders.end):
        log.info("stopped", before="it was started")
        return
    ready = asyncio.create_task(_tell_ready(hub, orders), name="ready")
    # what lives for the whole run is not looked at again by every collection
    gc.collect()
    gc.freeze()
    # and everybody waits for each: of a tenth of the objects ten times as many last a tenth of the time
    gc.set_threshold(10_000, 500, 1000)
    if place is None:
        urls = {"edge": settings.public_url} if parts.edge else {}
        log.info("serving", parts=parts.command, **urls, operator=settings.operator_base, party=str(settings.party))
    while not orders.end.is_set() and hub.failure is None:
        await _until(orders.end, _LOOK_SECONDS)
    ready.cancel()
    log.info("draining", seconds=settings.drain_seconds)
    await hub.drain()
    orders.tell(words.DRAINED)
    await _until(orders.part, hub.drain_left)
    await hub.stop()
    if hub.failure is not None:
        raise CannotServe(f"{hub.failure}. Nothing accepted is lost: start it again")
    log.info("stopped")


async def _tell_ready(hub: Hub, orders: Orders) -> None:
    await hub.taking_part()
    orders.tell(words.READY)


async def _until(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


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
